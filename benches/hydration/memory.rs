//! What an entry takes of the memory once it is at hand, and at most on the way there.
//!
//! Each is measured in a process of its own, by the pages that process has got: never by what it asked its allocator for.

use globe_bench::{Contest, Done, Target, Unit, print_head, report_contest, report_contest_for};
use tokio::runtime::Runtime;
use tokio::time::{Duration, sleep};

use crate::alone;
use crate::subject::{Source, Subject};

const SUBJECTS: [Subject; 3] = [Subject::Globe, Subject::HashMap, Subject::Store];

/// What is freed by and by is gone after this.
const SETTLING: Duration = Duration::from_millis(200);

/// The records that are measured: a number each.
pub(crate) const KEYSPACE: &str = "memory";

/// So many bytes of an entry, at most and in the end.
struct Taken {
    peak: f64,
    last: f64,
}

/// Measures all so often.
pub(crate) fn compare(endpoint: &str, entries: usize, rounds: usize) -> Done {
    let contest = || Contest::of(Unit::Bytes, SUBJECTS.map(Subject::name));
    let (mut peaks, mut lasts) = (contest(), contest());
    let mut ours = Contest::of(Unit::Bytes, ["Globe at its peak", "Globe in the end"]);
    for round in 0..rounds {
        let mut taken = vec![[f64::NAN; 2]; SUBJECTS.len()];
        for turn in Contest::turns(round, SUBJECTS.len()) {
            let Taken { peak, last } = ask(turn, entries, endpoint)?;
            taken[turn] = [peak, last];
        }
        peaks.count(taken.iter().map(|[peak, _]| *peak).collect());
        lasts.count(taken.iter().map(|[_, last]| *last).collect());
        ours.count(
            taken
                .first()
                .map(|taken| taken.to_vec())
                .unwrap_or_default(),
        );
    }
    let group = "hydration_bytes";
    print_head(lasts.names());
    let figure = format!("one of {entries}, in the end");
    report_contest_for(group, &figure, &lasts, Target::Under(250.0));
    report_contest(group, &format!("one of {entries}, at the peak"), &peaks);
    let figure = format!("one of {entries}, at the peak beside the end");
    report_contest_for(group, &figure, &ours, Target::Times(1.5));
    Ok(())
}

/// What another process has taken for each.
fn ask(subject: usize, entries: usize, endpoint: &str) -> Done<Taken> {
    let [before, peak, last] = alone::ask(&format!("memory {subject} {entries} {endpoint}"))?;
    let each = |after: u64| after.saturating_sub(before) as f64 / entries as f64;
    Ok(Taken {
        peak: each(peak),
        last: each(last),
    })
}

/// Hydrates, in the process for that, and says what it took.
pub(crate) fn hydrate<'a>(runtime: &Runtime, mut told: impl Iterator<Item = &'a str>) -> Done {
    let mut next = || told.next().ok_or("not told what to hydrate");
    let (subject, entries, endpoint) = (next()?.parse::<usize>()?, next()?.parse()?, next()?);
    let subject = *SUBJECTS.get(subject).ok_or("no such subject")?;
    let source = runtime.block_on(connected(endpoint, entries))?;
    // From here on the peak is one of hydrating.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = status("VmRSS:")?;
    let kept = runtime.block_on(source.take::<u64>(subject))?;
    runtime.block_on(async { sleep(SETTLING).await });
    let (peak, last) = (status("VmHWM:")?, status("VmRSS:")?);
    runtime.block_on(source.leave(kept))?;
    alone::say([before, peak, last]);
    Ok(())
}

/// Both have asked something already: what a connection takes is none of an entry.
async fn connected(endpoint: &str, entries: usize) -> Done<Source> {
    let source = Source::connect(endpoint, KEYSPACE, entries).await?;
    let nothing = Source {
        keyspace: "nothing",
        entries: 0,
        ..source.clone()
    };
    for subject in SUBJECTS {
        let kept = nothing.take::<u64>(subject).await?;
        nothing.leave(kept).await?;
    }
    Ok(source)
}

/// What the system says of this process, in bytes.
fn status(of: &str) -> Done<u64> {
    let told = std::fs::read_to_string("/proc/self/status")?;
    let line = told.lines().find_map(|line| line.strip_prefix(of));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kilobytes.ok_or("not told")?.parse::<u64>()? * 1_024)
}
