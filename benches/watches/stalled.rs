//! One watch of many that never looks: what the others notice of it.
//!
//! Both maps are written in the same way, so that it misses ever more.

use globe_bench::{Contest, Unit, report_contest, rounds};

use crate::Done;
use crate::audience::Audience;
use crate::late;
use crate::source::Source;

const ROUNDS: usize = 31;
const WATCHERS: usize = 100;

/// How often is written in a round: each time another entry.
const WRITES: usize = 500;

pub(crate) async fn compare() -> Done {
    let (mut with, mut without) = (Source::filled().await?, Source::filled().await?);
    let stalled = with.map.watch();
    let audience =
        |source: &Source| Audience::of((0..WATCHERS).map(|_| source.map.watch()).collect());
    let (of_with, of_without) = (audience(&with), audience(&without));
    let mut times = Contest::of(Unit::Time, ["one stalled", "none stalled"]);
    for round in 0..rounds(ROUNDS) {
        let mut took = vec![f64::NAN; 2];
        for turn in Contest::turns(round, 2) {
            took[turn] = match turn {
                0 => waited(&mut with, &of_with, round).await?,
                _ => waited(&mut without, &of_without, round).await?,
            };
        }
        times.count(took);
    }
    drop(stalled);
    let figure = format!("{WATCHERS} others watching all");
    report_contest("watches_stalled", &figure, &times);
    Ok(())
}

async fn waited(source: &mut Source, audience: &Audience, round: usize) -> Done<f64> {
    let mut all = Vec::new();
    for number in 0..WRITES {
        let write = source.write(round * WRITES + number);
        let (written, waited) = audience.hear(write).await;
        written?;
        all.extend(waited);
    }
    Ok(late(all))
}
