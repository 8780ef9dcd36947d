//! A write that many watch, beside a channel that many listen to.
//!
//! Each write is a step of its own: nothing is left out, and nothing comes together.

use globe_bench::{Contest, Unit, either, report_contest, rounds};
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::Done;
use crate::audience::Audience;
use crate::late;
use crate::source::{KINDS, Source};

const ROUNDS: usize = 31;

/// How many watch, and how often is written in a round.
const CROWDS: [(&str, usize, usize); 3] = [("1", 1, 300), ("100", 100, 100), ("10,000", 10_000, 1)];

/// How long deliveries took, and all of them together, in nanoseconds.
#[derive(Default)]
struct Heard {
    waited: Vec<f64>,
    took: f64,
}

impl Heard {
    fn per_second(&self) -> f64 {
        self.waited.len() as f64 / self.took * 1e9
    }
}

pub(crate) async fn compare() -> Done {
    for (name, watchers, writes) in CROWDS {
        for (what, watch) in KINDS {
            let mut source = Source::filled().await?;
            let watches = (0..watchers).map(|_| watch(&source.map)).collect();
            let ours = Audience::of(watches);
            let (sender, _) = broadcast::channel(4);
            let receivers = (0..watchers).map(|_| sender.subscribe()).collect();
            let peer = Audience::of(receivers);
            let names = ["Globe", "`broadcast`"];
            let mut rates = Contest::of(Unit::PerSecond, names);
            let mut times = Contest::of(Unit::Time, names);
            for round in 0..rounds(ROUNDS).max(either(9, 5)) {
                let mut heard = [Heard::default(), Heard::default()];
                for turn in Contest::turns(round, 2) {
                    heard[turn] = match turn {
                        0 => of_globe(&mut source, &ours, writes).await?,
                        _ => of_channel(&sender, &peer, writes).await?,
                    };
                }
                rates.count(heard.iter().map(Heard::per_second).collect());
                times.count(heard.map(|heard| late(heard.waited)).to_vec());
            }
            let figure = format!("{name} watching {what}");
            report_contest("watches", &figure, &rates);
            report_contest("watches_p99", &figure, &times);
        }
    }
    Ok(())
}

async fn of_globe(source: &mut Source, audience: &Audience, writes: usize) -> Done<Heard> {
    let mut heard = Heard::default();
    for _ in 0..writes {
        let begun = Instant::now();
        let (written, waited) = audience.hear(source.write(0)).await;
        heard.took += begun.elapsed().as_secs_f64() * 1e9;
        heard.waited.extend(waited);
        written?;
    }
    Ok(heard)
}

async fn of_channel(
    sender: &broadcast::Sender<u64>,
    audience: &Audience,
    writes: usize,
) -> Done<Heard> {
    let mut heard = Heard::default();
    for number in 0..writes {
        let begun = Instant::now();
        let send = async { sender.send(number as u64) };
        let (sent, waited) = audience.hear(send).await;
        heard.took += begun.elapsed().as_secs_f64() * 1e9;
        heard.waited.extend(waited);
        sent?;
    }
    Ok(heard)
}
