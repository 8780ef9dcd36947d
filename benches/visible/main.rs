//! From the call of a put until another process has seen it, beside puts and watches of etcd-client: prints rows of a Markdown
//! table.
//!
//! It starts a server of its own, and itself once more as the other process; it leaves neither behind.

mod noise;
mod put;
mod writer;

use globe_bench::{
    Contest, Done, Onlooker, Target, Unit, at_most, either, key, nanoseconds, print_head,
    report_contest, report_contest_for, rounds,
};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::noise::Noise;
use crate::put::{BY_HAND, PUTS, Put};
use crate::writer::Writer;

/// How many puts of a kind follow each other, how many before them are not measured, and how often that is done.
const SAMPLES: (usize, usize) = (3_000, 400);
const WARM_UP: usize = 20;
const ROUNDS: usize = 7;

/// How many keys are put in turn.
const KEYS: usize = 100;

/// What is told of them: so many of 1,000 took at most, and what that has to be beside a transaction by hand. Of the last there
/// are too few in a quick run.
const PERCENTILES: [(&str, usize, Target); 3] = [
    ("p50", 500, Target::Over(50_000.0)),
    ("p99", 990, Target::Over(200_000.0)),
    ("p99.9", 999, Target::None),
];

fn main() -> Done {
    let runtime = Runtime::new()?;
    if let Some(looking_on) = globe_bench::looks_on(&runtime) {
        return looking_on;
    }
    let server = runtime.block_on(EtcdServer::start(EtcdVersion::Reference));
    let endpoint = server.endpoint();
    let writer = runtime.block_on(Writer::open(&endpoint))?;
    let other = writer.other();
    let mut stand = Stand {
        runtime: &runtime,
        onlooker: Onlooker::start(&endpoint)?,
        writer,
        other: Some(other),
    };
    let mut idle = Figures::of("nothing else is written");
    let mut busy = Figures::of("1,000 others a second are put the same way");
    for round in 0..rounds(ROUNDS) {
        stand.round(round, &mut idle, false)?;
        stand.round(round, &mut busy, true)?;
    }
    print_head(&PUTS.map(|put| put.name().to_owned()));
    for figures in [&idle, &busy] {
        figures.report();
    }
    report_contest("visible_noise", "others put in a second", &busy.rates);
    print_head(&[Put::Ours, Put::ByHand].map(|put| put.name().to_owned()));
    for figures in [&idle, &busy] {
        figures.report_targets();
    }
    Ok(())
}

/// What came of a state of the server.
struct Figures {
    while_what: &'static str,
    percentiles: Vec<Contest>,
    /// How often others were put.
    rates: Contest,
}

impl Figures {
    fn of(while_what: &'static str) -> Figures {
        let names = || PUTS.map(Put::name);
        let told = PERCENTILES.iter().take(either(3, 2));
        Figures {
            while_what,
            percentiles: told.map(|_| Contest::of(Unit::Time, names())).collect(),
            rates: Contest::of(Unit::PerSecond, names()),
        }
    }

    fn count(&mut self, took: &[Vec<f64>]) {
        for (contest, (_, permille, _)) in self.percentiles.iter_mut().zip(PERCENTILES) {
            let all = took.iter().map(|took| at_most(permille, took.clone()));
            contest.count(all.collect());
        }
    }

    fn report(&self) {
        for (contest, (name, ..)) in self.percentiles.iter().zip(PERCENTILES) {
            let figure = format!("{name} while {}", self.while_what);
            report_contest("visible", &figure, contest);
        }
    }

    fn report_targets(&self) {
        for (contest, (name, _, target)) in self.percentiles.iter().zip(PERCENTILES) {
            let figure = format!("{name} while {}", self.while_what);
            report_contest_for("visible", &figure, &contest.beside(BY_HAND), target);
        }
    }
}

/// Who puts, and who looks on.
struct Stand<'a> {
    runtime: &'a Runtime,
    onlooker: Onlooker,
    writer: Writer,
    /// Who makes the noise, while he does not.
    other: Option<Writer>,
}

impl Stand<'_> {
    /// All ways to put, each in a block of its own.
    fn round(&mut self, round: usize, figures: &mut Figures, is_busy: bool) -> Done {
        let mut took = vec![Vec::new(); PUTS.len()];
        let mut rates = vec![0.0; PUTS.len()];
        for turn in Contest::turns(round, PUTS.len()) {
            let put = PUTS[turn];
            let other = self.other.take_if(|_| is_busy);
            let noise = other.map(|other| Noise::start(self.runtime, other, put));
            took[turn] = self.block(put)?;
            if let Some(noise) = noise {
                let (other, rate) = noise.stop(self.runtime)?;
                (self.other, rates[turn]) = (Some(other), rate);
            }
        }
        figures.count(&took);
        figures.rates.count(rates);
        Ok(())
    }

    /// How long puts of one kind took, one after the other.
    fn block(&mut self, put: Put) -> Done<Vec<f64>> {
        let mut took = Vec::new();
        for number in 0..WARM_UP + either(SAMPLES.0, SAMPLES.1) {
            let key = key(number % KEYS);
            let seen_as = put.seen_as(&key, number);
            let begun = Instant::now();
            self.runtime.block_on(self.writer.put(put, &key, number))?;
            let seen = self.onlooker.saw(&seen_as)? - begun;
            if number >= WARM_UP {
                took.push(nanoseconds(seen));
            }
        }
        Ok(took)
    }
}
