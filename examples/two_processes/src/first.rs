//! The first process: it makes the file, starts the second process, sees what that writes, and kills it.
//!
//! It never asks the second process anything: both know the map.

use std::path::Path;

use globe::Globe;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::tell::{BOUND, Done, URL, tell};

pub(crate) async fn run(folder: &Path) -> Done {
    let url = format!("sqlite:{}", folder.join("flags.db").display());
    let flags: Globe<String, String> = Globe::connect(&url, "flags").await?;
    flags.put("dark-mode", "off".to_owned()).await?;
    tell("has opened the file, and put dark-mode: off");

    let mut second = start(&url)?;
    // A watch shows the exact difference, one step at a time, whoever wrote.
    let mut watch = flags.watch();
    let mut sees = async |wanted: &str| loop {
        let changes = timeout(BOUND, watch.next()).await?;
        for change in changes.ok_or("the map was closed")? {
            let value = change.new_value().map(|value| value.as_str());
            tell(&format!(
                "sees {}: {}",
                change.key(),
                value.unwrap_or("gone")
            ));
            if change.key() == wanted {
                return Done::Ok(());
            }
        }
    };
    sees("second").await?;
    flags.put("dark-mode", "on".to_owned()).await?;
    sees("answer").await?;

    second.kill().await?;
    tell("has killed the second process");
    sees("second").await?;

    drop(watch);
    drop(flags);
    let flags: Globe<String, String> = Globe::connect(&url, "flags").await?;
    let all: Vec<_> = flags
        .view()
        .iter()
        .map(|(key, value)| format!("{key}: {}", value.value()))
        .collect();
    tell(&format!(
        "has opened the file again, and finds {}",
        all.join(", ")
    ));
    Ok(())
}

fn start(url: &str) -> Done<Child> {
    let program = std::env::current_exe()?;
    Ok(Command::new(program)
        .env(URL, url)
        .kill_on_drop(true)
        .spawn()?)
}
