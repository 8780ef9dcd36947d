//! One round of one subject: its readers start together, each on a thread of its own, beside a writer; only the time counts in
//! which all of them run.
//!
//! It never makes or fills anything: that would be heard by who is measured next.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use globe_bench::either;
use tokio::time::{Duration, Instant};

use crate::subject::{Done, Read, Subject};

/// How long readers read before it counts, how long it counts, and for how long each read is timed by itself afterwards.
const WARM_UP: Duration = Duration::from_millis(8);
const TOGETHER: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(15));
const ALONE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(8));

/// How many reads of a thread are timed by themselves at most.
const SAMPLES: usize = 100_000;

/// How long a writer sleeps that is early, or that readers must catch up with.
const NAP: Duration = Duration::from_micros(200);

/// After how many writes it looks how many readers are still to be shown, and how many that may be: what is measured is how
/// fast they are shown, not how fast a log takes them.
const LOOK: u64 = 64;
const BEHIND: u64 = 512;

/// How long the last of them may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How fast somebody writes meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Load {
    /// Nobody does.
    Idle,
    /// So often in a second.
    Rate(f64),
    /// As fast as it goes.
    Full,
}

/// What came of it.
pub(crate) struct Round {
    /// How long a read takes, in nanoseconds: the time of a thread, divided by its reads.
    pub(crate) read: f64,
    /// How long single reads took, of all threads, the shortest first; with a look at the clock in each.
    pub(crate) alone: Vec<u32>,
    /// How many writes in a second readers were shown.
    pub(crate) writes: f64,
}

impl Round {
    /// The time that so large a part of single reads were done in.
    pub(crate) fn within(&self, part: f64) -> f64 {
        let place = (self.alone.len() as f64 * part) as usize;
        let found = self.alone.get(place).or(self.alone.last());
        found.map_or(f64::NAN, |time| f64::from(*time))
    }
}

/// How far the threads of a round are.
struct Course {
    readers: usize,
    warm: AtomicUsize,
    /// Whether the first of them has read together, and alone, for long enough: then all have.
    together: AtomicBool,
    alone: AtomicBool,
}

/// Lets readers read, and the subject be written.
pub(crate) fn run(subject: &mut dyn Subject, readers: &mut [Read], load: Load) -> Done<Round> {
    let course = Course {
        readers: readers.len(),
        warm: AtomicUsize::new(0),
        together: AtomicBool::new(false),
        alone: AtomicBool::new(false),
    };
    let came_out = course.run(subject, readers, load)?;
    catch_up(subject)?;
    Ok(came_out)
}

/// Waits until readers have been shown all that was written: whoever is measured next would hear the rest.
fn catch_up(subject: &dyn Subject) -> Done {
    let begun = Instant::now();
    while subject.behind() > 0 {
        if begun.elapsed() > PATIENCE {
            return Err("it does not show what was written".into());
        }
        thread::park_timeout(NAP);
    }
    Ok(())
}

impl Course {
    fn run(&self, subject: &mut dyn Subject, readers: &mut [Read], load: Load) -> Done<Round> {
        let batch = subject.batch();
        thread::scope(|scope| {
            let reading = readers.iter_mut();
            let reading = reading.map(|read| scope.spawn(move || self.read(read, batch)));
            let reading: Vec<_> = reading.collect();
            let written = self.write(subject, load);
            let mut took = Vec::new();
            let mut alone = Vec::new();
            for thread in reading {
                let (read, samples) = thread.join().map_err(|_| "a reader panicked")??;
                took.push(read);
                alone.extend(samples);
            }
            alone.sort_unstable();
            Ok(Round {
                read: took.iter().sum::<f64>() / took.len() as f64,
                alone,
                writes: written?,
            })
        })
    }

    fn all_are_warm(&self) -> bool {
        self.warm.load(Ordering::Acquire) == self.readers
    }

    /// How long a read took, and how long each did that was timed by itself.
    fn read(&self, read: &mut Read, batch: usize) -> Done<(f64, Vec<u32>)> {
        // Made before: it costs something.
        let mut samples = Vec::with_capacity(SAMPLES);
        let begun = Instant::now();
        while begun.elapsed() < WARM_UP {
            read(batch);
        }
        self.warm.fetch_add(1, Ordering::AcqRel);
        while !self.all_are_warm() {
            read(batch);
        }
        let (begun, window) = (Instant::now(), either(TOGETHER.0, TOGETHER.1));
        let (mut reads, mut found) = (0, 0);
        // Once at least: who was kept from running finds the others done.
        while reads == 0 || !self.together.load(Ordering::Relaxed) {
            found += read(batch);
            reads += batch;
            if begun.elapsed() >= window {
                self.together.store(true, Ordering::Relaxed);
            }
        }
        let took = begun.elapsed().as_secs_f64() * 1e9;
        self.time_alone(read, &mut samples);
        if found < reads {
            return Err(format!("{found} of {reads} reads found something").into());
        }
        Ok((took / reads as f64, samples))
    }

    fn time_alone(&self, read: &mut Read, samples: &mut Vec<u32>) {
        let (begun, window) = (Instant::now(), either(ALONE.0, ALONE.1));
        while !self.alone.load(Ordering::Relaxed) {
            let before = Instant::now();
            read(1);
            let after = Instant::now();
            if samples.len() < SAMPLES {
                samples.push(u32::try_from((after - before).as_nanos()).unwrap_or(u32::MAX));
            }
            if after - begun >= window {
                self.alone.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Writes until the readers are done, and says how many writes in a second readers were shown while all read together.
    fn write(&self, subject: &mut dyn Subject, load: Load) -> Done<f64> {
        if load == Load::Idle {
            return Ok(0.0);
        }
        // Each with a pace of its own: what was late in the one is not made up for in the next.
        let write = |subject: &mut dyn Subject, is_over: &dyn Fn() -> bool| {
            Pace::of(load).write(subject, is_over)
        };
        write(subject, &|| self.all_are_warm())?;
        let (begun, before) = (Instant::now(), subject.shown());
        write(subject, &|| self.together.load(Ordering::Relaxed))?;
        let rate = (subject.shown() - before) as f64 / begun.elapsed().as_secs_f64();
        write(subject, &|| self.alone.load(Ordering::Relaxed))?;
        Ok(rate)
    }
}

/// A writer that keeps to its load.
struct Pace {
    load: Load,
    begun: Instant,
    writes: u64,
}

impl Pace {
    fn of(load: Load) -> Pace {
        Pace {
            load,
            begun: Instant::now(),
            writes: 0,
        }
    }

    fn is_early(&self) -> bool {
        match self.load {
            Load::Rate(rate) => self.writes as f64 > self.begun.elapsed().as_secs_f64() * rate,
            _ => false,
        }
    }

    /// A look now and then is enough: it is not for nothing.
    fn is_ahead(&self, subject: &dyn Subject) -> bool {
        self.writes.is_multiple_of(LOOK) && subject.behind() > BEHIND
    }

    fn write(&mut self, subject: &mut dyn Subject, is_over: impl Fn() -> bool) -> Done {
        while !is_over() {
            if self.is_early() || self.is_ahead(subject) {
                thread::park_timeout(NAP);
            } else {
                subject.write()?;
                self.writes += 1;
            }
        }
        Ok(())
    }
}
