//! A process of its own that competes for locks and terms, and can be stopped where it is, let go on, and killed.
//!
//! Never takes its word for what the log says: what it tells is written down beside that.

mod orders;
mod scribe;
mod told;
mod work;

use std::process::Stdio;
use std::time::Duration;

use globe::Token;
use globe_oracle::{Effect, Recorder, Standing};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::site::Site;

use orders::Orders;
use scribe::Scribe;
pub(crate) use told::{Kind, Told, What, micros};
pub use work::compete;

/// The variable in which a rival finds its [`Orders`].
const ORDERS: &str = "GLOBE_RIVAL";
/// How long a rival may take to tell what it is asked for. Others are before it in the queue.
const TELLS: Duration = Duration::from_secs(20);
/// What rivals compete for, and the clients of the oracle with them.
const NAME: &str = "n0";

/// What the keys of a queue begin with; what is done under its claims is written down there.
fn root(kind: Kind) -> String {
    match kind {
        Kind::Lock => format!("lock/{NAME}"),
        Kind::Term => format!("election/{NAME}"),
    }
}

/// One such process. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Rival {
    name: String,
    process: Child,
    heard: mpsc::UnboundedReceiver<Told>,
    /// All it has told so far.
    told: Vec<Told>,
    recorder: Recorder,
}

impl Rival {
    /// Starts one, which reaches all members without a door, and holds what it was granted until it is lost.
    pub(crate) fn start(site: &mut Site, name: &str) -> Rival {
        let name = format!("rival-{name}");
        let orders = Orders::new(site, &name);
        // What it starts dies with the thread that started it: that of a runtime, which lives as long as the round.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&site.program);
        command.arg("rival").env(ORDERS, orders.to_text());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let process = command.kill_on_drop(true).spawn();
        let mut process = process.expect("setpriv (package util-linux) starts this program");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let (teller, heard) = mpsc::unbounded_channel();
        let scribe = Scribe::new(&site.recorder, &name);
        tokio::spawn(listen(lines, scribe, teller));
        Rival {
            name,
            process,
            heard,
            told: Vec::new(),
            recorder: site.recorder.clone(),
        }
    }

    /// The name of its session.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Waits until it has told of something.
    ///
    /// # Panics
    /// When it does not for long.
    async fn tells<T>(&mut self, what: &str, is_it: impl Fn(&Told) -> Option<T>) -> T {
        if let Some(it) = self.told.iter().find_map(&is_it) {
            return it;
        }
        let waited = timeout(TELLS, async {
            while let Some(told) = self.heard.recv().await {
                let it = is_it(&told);
                self.told.push(told);
                if let Some(it) = it {
                    return it;
                }
            }
            panic!("{} ended before it told {what}", self.name)
        });
        let told = waited.await;
        told.unwrap_or_else(|_| {
            let last = self.told.iter().rev().take(4).collect::<Vec<_>>();
            panic!("{} never told {what}, but {last:?}", self.name)
        })
    }

    /// Waits until it was granted this, after whoever held it by that token.
    pub(crate) async fn is_granted(&mut self, kind: Kind, after: Option<Token>) -> Token {
        let after = after.map_or(0, |token| token.number);
        let what = format!("that it holds a {kind:?}");
        let granted = |told: &Told| match told.what {
            What::Granted(token) if told.kind == kind && token.number > after => Some(token),
            _ => None,
        };
        self.tells(&what, granted).await
    }

    /// Waits until it has given up what it held by this token; whether it said after a moment that it holds it.
    pub(crate) async fn has_lost(&mut self, token: Token, after: u64) -> bool {
        let lost = |told: &Told| (told.what == What::Lost(token)).then_some(told.kind);
        let kind = self.tells("that it has lost", lost).await;
        // What it holds later comes later.
        let until_then = self
            .told
            .iter()
            .take_while(|told| told.what != What::Lost(token));
        let mut since = until_then.filter(|told| told.kind == kind && told.call >= after);
        since.any(|told| told.what == What::Saw(Standing::Live))
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
        while self.heard.recv().await.is_some() {}
    }

    fn notes(&self, what: &str) {
        let what = format!("the process of {} {what}", self.name);
        self.recorder.fault(what, Effect::Disturbs);
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

/// Writes down every line that is a word of a rival, and passes it on.
async fn listen(
    mut lines: Lines<BufReader<ChildStdout>>,
    mut scribe: Scribe,
    teller: mpsc::UnboundedSender<Told>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        let told = Told::from_text(&line);
        scribe.writes(&told);
        // Nobody may wait for it any more.
        let _ = teller.send(told);
    }
    scribe.closes();
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
