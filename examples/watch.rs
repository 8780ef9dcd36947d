//! The ways to watch: the whole map, one key, a prefix, every revision, one value, a stream; and what a slow watcher sees.
#![allow(clippy::print_stdout, reason = "an example prints")]

use futures::StreamExt;
use globe::{Globe, Result, Watch};

fn show(name: &str, watch: &mut Watch<String, u32>) {
    while let Some(changes) = watch.try_next() {
        let changed = changes
            .iter()
            .map(|change| match (change.old_value(), change.new_value()) {
                (None, Some(new)) => format!("+{}={new}", change.key()),
                (Some(old), Some(new)) => format!("{}: {old} -> {new}", change.key()),
                _ => format!("-{}", change.key()),
            });
        println!(
            "{name:>14}: {} ({:?})",
            changed.collect::<Vec<_>>().join(", "),
            changes.cause()
        );
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("GLOBE_LOG").unwrap_or_else(|_| "memory:".into());
    // A keyspace of this run alone: nobody else's map is touched.
    let keyspace = format!("example-watch-{:x}", fastrand::u64(..));
    let shards: Globe<String, u32> = Globe::connect(&url, &keyspace).await?;
    shards.put("eu/1", 10).await?;

    // A watch starts from what stands now. Nothing is lost between looking and watching.
    let mut everything = shards.watch();
    let start = everything.catch_up();
    println!(
        "it starts from {} entry at {}",
        start.len(),
        start.position()
    );
    let mut one_key = shards.watch_key("eu/1");
    let mut europe = shards.watch_prefix("eu/");
    let mut each_step = shards.watch().every_revision(16);
    let mut overrun = shards.watch().every_revision(1);
    let mut value = shards.watch_value("eu/1");
    let mut heavy = shards.watch_values(|load| *load > 15).into_stream();
    println!("     one value: {:?} now", value.next().await.flatten());

    shards.put("eu/1", 11).await?;
    shards.put("us/1", 20).await?;
    shards
        .transact(|txn| {
            // Moved in one step: no watch and no view ever shows one half.
            txn.delete(&shards, "us/1")?;
            txn.put(&shards, "eu/2", 20)
        })
        .await?;
    shards.put("eu/1", 12).await?;

    show("each revision", &mut each_step);
    show("overrun", &mut overrun); // One step was kept; the rest comes as one exact difference.
    show("everything", &mut everything); // The net difference since it last looked.
    show("one key", &mut one_key);
    show("europe", &mut europe);
    println!("     one value: {:?}", value.next().await.flatten()); // The newest one.
    for change in heavy.next().await.into_iter().flatten() {
        println!("  heavy shards: {} {:?}", change.key(), change.new_value());
    }

    shards.clear().await?; // What this run wrote.
    shards.close().await;
    let gone = heavy.next().await.map(|changes| changes.as_slice().len());
    println!("  heavy shards: {gone:?} gone; then the watches end");
    assert!(heavy.next().await.is_none());
    Ok(())
}
