//! The processes that follow, all of them together.
//!
//! It never asks them what they take: the system counts that.

use globe_bench::{Done, Onlooker};
use globe_test_support::{EtcdServer, usage};

use crate::follower::{Load, Who, order};

/// Killed when it is dropped.
pub(crate) struct Crowd(Vec<Onlooker>);

impl Crowd {
    /// Starts them, all at once, and waits until each follows.
    pub(crate) fn start(who: Who, load: Load, server: &EtcdServer) -> Done<Crowd> {
        let order = order(who, load, &server.address().to_string());
        let start = || Onlooker::start(&order).map_err(|error| error.to_string());
        std::thread::scope(|scope| {
            let starting: Vec<_> = (0..load.processes).map(|_| scope.spawn(start)).collect();
            let started = starting.into_iter().map(|starting| {
                let started = starting.join().map_err(|_| "a thread panicked")?;
                Ok(started?)
            });
            Ok(Crowd(started.collect::<Done<_>>()?))
        })
    }

    /// What they have taken of the processors, in nanoseconds.
    pub(crate) fn processor(&self) -> f64 {
        let times = self.0.iter();
        let times = times.map(|process| usage::processor_time(process.id()).as_secs_f64());
        times.sum::<f64>() * 1e9
    }

    /// What each has of the memory for itself alone, in bytes: the program is there once for all.
    pub(crate) fn memory(&self) -> f64 {
        let each = self.0.iter();
        each.map(|process| usage::memory(process.id(), "RssAnon") as f64)
            .sum()
    }

    /// Waits until each has been shown the last write.
    pub(crate) fn saw_last(&self) -> Done {
        self.0
            .iter()
            .try_for_each(|process| process.saw("last").map(drop))
    }
}
