//! First light.
use globe::{Globe, MemoryLog};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_a_map() {
    let log = MemoryLog::new();
    let a: Globe<String, u32> = Globe::open(log.clone(), "flags").await.unwrap();
    let b: Globe<String, u32> = Globe::open(log, "flags").await.unwrap();
    let mut watch = b.watch();
    let position = a.put("x", 1).await.unwrap();
    assert_eq!(a.get("x").as_deref(), Some(&1));
    let changes = watch.next().await.unwrap();
    println!("{changes:?}");
    assert_eq!(b.get("x").as_deref(), Some(&1));
    assert!(b.position().covers(position));
    a.transact(|txn| {
        let old = txn.get(&a, "x")?.unwrap();
        txn.put(&a, "x", *old + 1)?;
        txn.delete(&a, "y")
    })
    .await
    .unwrap();
    b.sync().await.unwrap();
    assert_eq!(b.get("x").as_deref(), Some(&2));
    println!("{:?}", b.status());
}
