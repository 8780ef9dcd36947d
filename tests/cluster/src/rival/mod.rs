//! A process of its own that competes for locks and terms, and can be stopped where it is, let go on, and killed.
//!
//! Never takes its word for what the log says: what it tells is compared with that.

mod order;
mod told;
mod work;

use std::process::Stdio;
use std::time::Duration;

use globe::Token;
use globe_oracle::Recorder;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::site::Site;

use order::Orders;
pub(crate) use told::{Kind, Told, micros};
pub use work::compete;

/// The variable in which a rival finds its [`Orders`].
const ORDERS: &str = "GLOBE_RIVAL";
/// How long a rival may take to tell what it is asked for, when nothing hinders it.
const TELLS: Duration = Duration::from_secs(20);

/// One such process. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Rival {
    name: &'static str,
    process: Child,
    heard: mpsc::UnboundedReceiver<Told>,
    /// All it has told so far.
    pub(crate) told: Vec<Told>,
    recorder: Recorder,
}

impl Rival {
    /// Starts one, which reaches all members without a door, and holds what it was granted until it is lost.
    pub(crate) fn start(site: &mut Site, name: &'static str) -> Rival {
        let orders = Orders::new(site, name);
        // What it starts dies with the thread that started it: that of a runtime, which lives as long as the round.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&site.program);
        command.arg("rival").env(ORDERS, orders.to_text());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let process = command.kill_on_drop(true).spawn();
        let mut process = process.expect("setpriv (package util-linux) starts this program");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let (teller, heard) = mpsc::unbounded_channel();
        tokio::spawn(listen(lines, teller));
        Rival {
            name,
            process,
            heard,
            told: Vec::new(),
            recorder: site.recorder.clone(),
        }
    }

    /// Waits until it has told of something.
    ///
    /// # Panics
    /// When it does not for long.
    pub(crate) async fn tells(&mut self, what: &str, is_it: impl Fn(&Told) -> bool) -> Told {
        if let Some(told) = self.told.iter().find(|told| is_it(told)) {
            return *told;
        }
        let waited = timeout(TELLS, async {
            while let Some(told) = self.heard.recv().await {
                self.told.push(told);
                if is_it(&told) {
                    return told;
                }
            }
            panic!("rival {} ended before it told {what}", self.name)
        });
        let told = waited.await;
        told.unwrap_or_else(|_| {
            let last = self.told.iter().rev().take(4).collect::<Vec<_>>();
            panic!("rival {} never told {what}, but {last:?}", self.name)
        })
    }

    /// Waits until it was granted this, after whoever held it by that token.
    pub(crate) async fn is_granted(&mut self, kind: Kind, after: Option<Token>) -> Token {
        let after = after.map_or(0, |token| token.number);
        let what = format!("that it holds a {kind:?}");
        let granted = |told: &Told| match told {
            Told::Granted { kind: of, token } => *of == kind && token.number > after,
            _ => false,
        };
        self.tells(&what, granted).await.token()
    }

    /// Stops it where it is.
    pub(crate) async fn stops(&self) {
        self.signal("STOP").await;
        self.notes("is stopped");
    }

    /// Lets it go on. When it did, by the clock it tells.
    pub(crate) async fn goes_on(&self) -> u64 {
        let before = micros();
        self.notes("goes on");
        self.signal("CONT").await;
        before
    }

    /// Ends it, without a word.
    pub(crate) async fn dies(&mut self) {
        self.notes("is killed");
        self.process.kill().await.expect("it is killed");
        while let Some(told) = self.heard.recv().await {
            self.told.push(told);
        }
    }

    fn notes(&self, what: &str) {
        let effect = globe_oracle::Effect::Disturbs;
        self.recorder
            .fault(format!("the process of rival {} {what}", self.name), effect);
    }

    async fn signal(&self, signal: &str) {
        let id = self.process.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.await.expect("kill").success(), "SIG{signal}");
        while signal == "STOP" && !is_stopped(&id) {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Passes on every line that is a word of a rival.
async fn listen(
    mut lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    teller: mpsc::UnboundedSender<Told>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        let told = Told::from_text(&line);
        if teller.send(told).is_err() {
            return;
        }
    }
}

/// Whether every thread of a process stands still.
fn is_stopped(process: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("a process");
    let mut states = threads.flatten().map(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The state comes after the name, which stands in brackets.
        let rest = stat.rsplit(')').next().unwrap_or_default().trim_start();
        rest.starts_with('T')
    });
    states.all(|is_stopped| is_stopped)
}
