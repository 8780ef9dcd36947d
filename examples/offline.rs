//! A process that starts while its log is down, with what the one before it has kept on disk: a map, settings, a registry.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use globe::offline::Start;
use globe::registry::Member;
use globe::settings::Scope;
use globe::{Consistency, Globe, MemoryLog, Offline, Registry, Session, Settings};

/// What a process of this service holds.
struct Process {
    limits: Globe<String, u64>,
    settings: Settings,
    services: Registry<String>,
}

impl Process {
    /// One call more for each. Where there is no copy, it waits for the log as it would without.
    async fn begin(log: &MemoryLog, folder: &Path) -> globe::Result<Process> {
        let offline = Offline::in_folder(folder);
        let scope = Scope::new("web-7");
        Ok(Process {
            limits: Globe::builder(log.clone(), "limits")
                .offline(offline.clone())
                .open()
                .await?,
            settings: Settings::builder(log.clone(), "settings", scope)
                .offline(offline.clone())
                .open()
                .await?,
            services: Registry::builder(log.clone(), "services")
                .offline(offline)
                .open()
                .await?,
        })
    }

    async fn end(self) {
        // So the copies are as new as what was shown.
        self.limits.close().await;
        self.settings.close().await;
        self.services.close().await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (log, folder) = (MemoryLog::new(), tempfile::tempdir()?);
    let session = Session::open(log.clone()).await?;

    let process = Process::begin(&log, folder.path()).await?;
    process.limits.put("uploads", 25).await?;
    let timeout = process.settings.declare("timeout", 250_u64).open()?;
    timeout.publish("global", 400).await?;
    let me = Member::new("billing-1", "10.0.0.7:80".to_owned());
    let _registration = process.services.register(&session, "billing", me).await?;
    println!("the first process has written, and ends");
    process.end().await;

    log.set_available(false);
    println!("the log is down, and another process starts");
    let process = Process::begin(&log, folder.path()).await?;
    let status = process.limits.status();
    println!(
        "uploads: {:?}; {}, from the copy: {}, at most {:?} old",
        process.limits.get("uploads"),
        status.phase,
        status.from_copy,
        status.staleness.map(|age| age.as_secs()),
    );
    let timeout = process.settings.declare("timeout", 250_u64).open()?;
    println!("timeout: {}", *timeout.get());
    for member in process.services.members("billing").iter() {
        println!("billing: {} at {}", member.id, member.data);
    }

    // Who needs it fresh says so, and is told that it is not.
    let limits = process.limits.with_deadline(Duration::from_millis(100));
    let fresh = limits.view_at(Consistency::Linearizable).await;
    println!(
        "fresh: {}",
        fresh.map_or_else(|error| error.to_string(), |_| String::new())
    );
    // And who would rather not start than with what is too old says that.
    let max_age = Duration::ZERO;
    let strict = Offline::in_folder(folder.path()).start(Start::AllowStale { max_age });
    let strict = Globe::<String, u64>::builder(log.clone(), "limits").offline(strict);
    let refused = strict.open_timeout(Duration::from_millis(100)).open().await;
    println!(
        "refused: {}",
        refused.map_or_else(|error| error.to_string(), |_| String::new())
    );

    log.set_available(true);
    process.limits.sync().await?;
    let status = process.limits.status();
    println!(
        "the log is back: {}, from the copy: {}",
        status.phase, status.from_copy
    );
    process.limits.put("uploads", 30).await?;
    process.end().await;
    session.close().await?;
    Ok(())
}
