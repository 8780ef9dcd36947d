//! Another process, which only looks on, and says what it sees as soon as it does.
//!
//! It is this program started once more, and is killed when it is dropped. What it looks at is the program's business.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use tokio::time::Instant;

/// What a benchmark does, or why it could not.
pub type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Set to where the log is for the process that only looks on.
const ONLOOKER: &str = "GLOBE_BENCH_ONLOOKER";

/// The other process, and what it says, with the time it was heard.
#[derive(Debug)]
pub struct Onlooker {
    process: Child,
    said: mpsc::Receiver<(Instant, String)>,
}

impl Onlooker {
    /// Where the log is, if this is the process that only looks on. It prints `ready` when it does, and then what it sees.
    pub fn is_this() -> Option<String> {
        std::env::var(ONLOOKER).ok()
    }

    /// Starts it, and waits until it looks.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(at: &str) -> Done<Onlooker> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(ONLOOKER, at)
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

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// When it said that it saw this, which must be the next thing it says.
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
