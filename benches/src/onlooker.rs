//! Another process, which only looks on: it says what its map, and a bare watch, show it as soon as they do.
//!
//! It is this program started once more, and is killed when it is dropped.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use etcd_client::{Client, WatchOptions};
use globe::{EtcdLog, Globe};
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// What a benchmark that talks to a server does, or why it could not.
pub type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Set to the server's address for the process that only looks on.
const ONLOOKER: &str = "GLOBE_BENCH_ONLOOKER";

/// Looks on until it is killed, if this is the process for that.
pub fn looks_on(runtime: &Runtime) -> Option<Done> {
    let endpoint = std::env::var(ONLOOKER).ok()?;
    Some(runtime.block_on(look_on(&endpoint)))
}

#[expect(clippy::print_stdout, reason = "that is how it is heard")]
async fn look_on(endpoint: &str) -> Done {
    let globe: Globe<String, u64> =
        Globe::open(EtcdLog::connect([endpoint]).await?, "latency").await?;
    let mut watch = globe.watch();
    let mut client = Client::connect([endpoint], None).await?;
    let options = WatchOptions::new().with_prefix();
    let mut raw = client.watch("raw/", Some(options)).await?;
    println!("ready");
    loop {
        tokio::select! {
            Some(_) = watch.next() => println!("globe"),
            message = raw.message() => match message? {
                Some(message) if message.events().is_empty() => {}
                Some(_) => println!("raw"),
                None => return Ok(()),
            },
        }
    }
}

/// The other process, and what it says, with the time it was heard.
#[derive(Debug)]
pub struct Onlooker {
    process: Child,
    said: mpsc::Receiver<(Instant, String)>,
}

impl Onlooker {
    /// Starts it, and waits until it looks: at the keyspace `latency`, and at what begins with `raw/`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(endpoint: &str) -> Done<Onlooker> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(ONLOOKER, endpoint)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let (sender, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        let onlooker = Onlooker { process, said };
        onlooker.saw("ready")?;
        Ok(onlooker)
    }

    /// When it said that it saw a change in the one (`globe`) or the other (`raw`), which must be the next thing it says.
    ///
    /// # Errors
    /// When it saw something else, or nothing.
    pub fn saw(&self, what: &str) -> Done<Instant> {
        match self.said.recv_timeout(std::time::Duration::from_secs(30))? {
            (at, said) if said == what => Ok(at),
            (_, said) => Err(format!("the other process saw {said:?} instead of {what:?}").into()),
        }
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
