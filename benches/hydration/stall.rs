//! How long others on the executor wait for a turn while a keyspace is read: the longest gap between two turns of a task that
//! does nothing but yield, on the one worker of a runtime.
//!
//! It never tells what a gap is made of: a page that is parsed at once is one. Each is measured in a process of its own: an
//! allocator may put together what was freed only when it is next asked for something large, which is half a second after a map
//! of a million entries.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use globe_bench::{
    Contest, Done, Target, Unit, nanoseconds, print_head, report_contest, report_contest_for,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Duration, Instant, sleep};

use crate::KEYSPACE;
use crate::alone;
use crate::pages::Ends;
use crate::subject::{Source, Subject};

/// What runs beside that task, if anything does.
const SUBJECTS: [Option<Subject>; 4] = [
    Some(Subject::Globe),
    Some(Subject::Ranges(Ends::Known)),
    Some(Subject::HashMap),
    None,
];

/// As long as nothing runs, before it is known how long ours takes.
const AT_FIRST: Duration = Duration::from_millis(300);

/// Measures all so often, for so many entries at that endpoint.
pub(crate) fn compare(endpoint: &str, entries: usize, rounds: usize) -> Done {
    let name = |subject: Option<Subject>| subject.map_or("nothing", Subject::name);
    let contest = || Contest::of(Unit::Time, SUBJECTS.map(name));
    let (mut busy, mut whole) = (contest(), contest());
    let mut lasts = AT_FIRST;
    for round in 0..rounds {
        let mut longest = [Gaps::default(); SUBJECTS.len()];
        for turn in Contest::turns(round, SUBJECTS.len()) {
            let nothing = lasts.as_micros();
            let what = format!("stall {turn} {entries} {endpoint} {nothing}");
            let [busy, whole, took] = alone::ask(&what)?.map(Duration::from_micros);
            longest[turn] = Gaps { whole, busy };
            if turn == 0 {
                lasts = took;
            }
        }
        busy.count(longest.iter().map(|gaps| nanoseconds(gaps.busy)).collect());
        whole.count(longest.iter().map(|gaps| nanoseconds(gaps.whole)).collect());
    }
    print_head(busy.names());
    let group = "hydration_stall";
    let figure = format!("{entries} entries, while the worker had a processor");
    report_contest_for(group, &figure, &busy, Target::Under(2_000_000.0));
    let figure = format!("{entries} entries, by the clock");
    report_contest(group, &figure, &whole);
    Ok(())
}

/// Looks at the gaps, in the process for that, and says how long they were.
pub(crate) fn yield_beside<'a>(mut told: impl Iterator<Item = &'a str>) -> Done {
    let mut next = || told.next().ok_or("not told what to yield beside");
    let (subject, entries, endpoint) = (next()?.parse::<usize>()?, next()?.parse()?, next()?);
    let nothing = Duration::from_micros(next()?.parse()?);
    let subject = *SUBJECTS.get(subject).ok_or("no such subject")?;
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build()?;
    let source = runtime.block_on(Source::connect(endpoint, KEYSPACE, entries))?;
    let (gaps, took) = gaps_beside(&runtime, source, subject, nothing)?;
    let said = [gaps.busy, gaps.whole, took];
    let [busy, whole, took] = said.map(|time| time.as_micros().try_into());
    alone::say([busy?, whole?, took?]);
    Ok(())
}

/// The longest gaps, and how long there was something beside the task.
fn gaps_beside(
    runtime: &Runtime,
    source: Source,
    subject: Option<Subject>,
    nothing: Duration,
) -> Done<(Gaps, Duration)> {
    let yielding = Yielding::begin(runtime);
    let begun = Instant::now();
    let Some(subject) = subject else {
        runtime.block_on(async { sleep(nothing).await });
        return Ok((yielding.end(runtime)?, begun.elapsed()));
    };
    let reading = source.clone();
    // On the worker: what is blocked on stays on this thread.
    let kept = runtime.spawn(async move {
        let kept = reading.take::<String>(subject).await;
        kept.map_err(|error| error.to_string())
    });
    let kept = runtime.block_on(kept)??;
    let took = begun.elapsed();
    let gaps = yielding.end(runtime)?;
    runtime.block_on(source.leave(kept))?;
    Ok((gaps, took))
}

/// The longest gaps between two turns.
#[derive(Clone, Copy, Default)]
struct Gaps {
    /// By the clock.
    whole: Duration,
    /// Without what the worker waited for a processor that somebody else had.
    busy: Duration,
}

/// A task that yields, and looks at the clock whenever it has its turn.
struct Yielding {
    is_over: Arc<AtomicBool>,
    longest: JoinHandle<std::io::Result<Gaps>>,
}

impl Yielding {
    fn begin(runtime: &Runtime) -> Yielding {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let longest = runtime.spawn(async move {
            let waiting = Waiting::of_this_thread()?;
            let mut longest = Gaps::default();
            let (mut before, mut waited) = waiting.now()?;
            while !told.load(Ordering::Relaxed) {
                yield_now().await;
                let (now, waited_now) = waiting.now()?;
                let gap = now - before;
                longest.whole = longest.whole.max(gap);
                longest.busy = longest.busy.max(gap.saturating_sub(waited_now - waited));
                (before, waited) = (now, waited_now);
            }
            Ok(longest)
        });
        Yielding { is_over, longest }
    }

    fn end(self, runtime: &Runtime) -> Done<Gaps> {
        self.is_over.store(true, Ordering::Relaxed);
        Ok(runtime.block_on(self.longest)??)
    }
}

/// What the system says of how long a thread could have run, and did not.
struct Waiting(File);

impl Waiting {
    /// Of the only worker, when a task asks.
    fn of_this_thread() -> std::io::Result<Waiting> {
        Ok(Waiting(File::open("/proc/thread-self/schedstat")?))
    }

    /// What time it is, and how long it has waited by then: what it waits between the two looks would be told of another gap.
    fn now(&self) -> std::io::Result<(Instant, Duration)> {
        let mut waited = self.so_far()?;
        loop {
            let now = Instant::now();
            let still = self.so_far()?;
            if still == waited {
                return Ok((now, waited));
            }
            waited = still;
        }
    }

    fn so_far(&self) -> std::io::Result<Duration> {
        let mut said = [0; 96];
        let length = self.0.read_at(&mut said, 0)?;
        let said = said
            .get(..length)
            .and_then(|said| str::from_utf8(said).ok());
        // The second of its numbers: the first is how long it ran.
        let waited = said.and_then(|said| said.split_whitespace().nth(1)?.parse().ok());
        let waited = waited.ok_or_else(|| std::io::Error::other("no schedstat"))?;
        Ok(Duration::from_nanos(waited))
    }
}
