//! A linearizable read: `sync`, after which the map shows all that was committed before, beside a linearizable range of
//! etcd-client; by one caller, and by many at once. Prints rows of a Markdown table.
//!
//! It starts a server of its own, and leaves none behind.

use etcd_client::Client;
use globe::{EtcdLog, Globe};
use globe_bench::{
    Contest, Done, Target, Unit, at_most, either, nanoseconds, print_head, report_contest,
    report_contest_for, rounds,
};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

/// How often one caller asks in a round, and how many ask at once.
const ALONE: usize = 200;
const CROWD: (usize, usize) = (10_000, 2_000);
const ROUNDS: usize = 15;

/// How long the last of many may wait on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who is asked.
const NAMES: [&str; 2] = ["Globe", "linearizable range"];

/// The key that is asked for by hand.
const KEY: &str = "numbers/one";

#[tokio::main]
async fn main() -> Done {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = EtcdLog::connect([server.endpoint()]).await?;
    let opening = Globe::builder(log, "numbers").deadline(PATIENCE);
    let stand = Stand {
        globe: opening.open().await?,
        client: Client::connect([server.endpoint()], None).await?,
    };
    let crowd = either(CROWD.0, CROWD.1);
    let [mut alone, mut tail, mut all] = [(); 3].map(|()| Contest::of(Unit::Time, NAMES));
    let mut messages = Contest::of(Unit::Messages, NAMES);
    for round in 0..rounds(ROUNDS) {
        stand.shows_what_was_written(round as u64).await?;
        let mut took = [(); NAMES.len()].map(|()| Took::default());
        for turn in Contest::turns(round, NAMES.len()) {
            let is_ours = turn == 0;
            let single = stand.one_after_the_other(is_ours).await?;
            let before = received(&server).await;
            let all = stand.at_once(is_ours, crowd).await?;
            took[turn] = Took {
                median: at_most(500, single.clone()),
                tail: at_most(990, single),
                all: nanoseconds(all),
                messages: received(&server).await - before,
            };
        }
        let each = |what: fn(&Took) -> f64| took.iter().map(what).collect();
        alone.count(each(|took| took.median));
        tail.count(each(|took| took.tail));
        all.count(each(|took| took.all));
        messages.count(each(|took| took.messages));
    }
    print_head(&NAMES.map(str::to_owned));
    let most = Target::Over(100_000.0);
    report_contest_for("sync", "by one caller, p50", &alone, most);
    report_contest("sync", "by one caller, p99", &tail);
    let figure = format!("by {crowd} callers at once, until all are answered");
    report_contest("sync", &figure, &all);
    let figure = format!("what etcd is sent for {crowd} callers at once");
    report_contest("sync", &figure, &messages);
    Ok(())
}

/// What one of them took in a round.
#[derive(Default)]
struct Took {
    median: f64,
    tail: f64,
    all: f64,
    messages: f64,
}

/// What clients sent a server so far: of all kinds, so that nothing a caller costs is left out. A map asks twice a second by
/// itself as well.
async fn received(server: &EtcdServer) -> f64 {
    let name = "grpc_server_msg_received_total";
    server.metric(name, "etcdserverpb").await
}

/// Who is asked.
struct Stand {
    globe: Globe<String, u64>,
    client: Client,
}

impl Stand {
    /// Whoever asks after a write of somebody else sees it.
    async fn shows_what_was_written(&self, number: u64) -> Done {
        let mut client = self.client.clone();
        client.put(KEY, number.to_string(), None).await?;
        self.globe.sync().await?;
        match self.globe.get("one").as_deref() {
            Some(shown) if *shown == number => Ok(()),
            shown => Err(format!("shows {shown:?} instead of {number}").into()),
        }
    }

    /// How long each took of one caller.
    async fn one_after_the_other(&self, is_ours: bool) -> Done<Vec<f64>> {
        let mut took = Vec::new();
        let mut client = self.client.clone();
        for _ in 0..ALONE {
            let begun = Instant::now();
            match is_ours {
                true => drop(self.globe.sync().await?),
                false => drop(client.get(KEY, None).await?),
            }
            took.push(nanoseconds(begun.elapsed()));
        }
        Ok(took)
    }

    /// How long it is until so many callers are answered.
    async fn at_once(&self, is_ours: bool, callers: usize) -> Done<Duration> {
        let mut asking = JoinSet::new();
        let begun = Instant::now();
        for _ in 0..callers {
            let (globe, mut client) = (self.globe.clone(), self.client.clone());
            asking.spawn(async move {
                match is_ours {
                    true => globe
                        .sync()
                        .await
                        .map(drop)
                        .map_err(|error| error.to_string()),
                    false => {
                        let answer = client.get(KEY, None).await;
                        answer.map(drop).map_err(|error| error.to_string())
                    }
                }
            });
        }
        while let Some(answered) = asking.join_next().await {
            answered??;
        }
        Ok(begun.elapsed())
    }
}
