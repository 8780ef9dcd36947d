//! The one thread that writes: what is asked at the same time is committed together.
//!
//! Never answers before it is on the disk, and never leaves an answer out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use globe_log_client::{Error, ErrorKind, Result};
use tokio::sync::{oneshot, watch};

use crate::begun::Begun;
use crate::error::{explain, is_busy, is_of_sqlite};
use crate::opened::{Held, Opened};
use crate::seen::{Seen, tell};
use crate::stand::Stand;
use crate::time::{now, sleep};
use crate::waking::wake;
use crate::writes::{Ask, Done, History, Writing};

/// How many are committed together at most.
const TOGETHER: usize = 256;

/// A pause before the lock is tried again that another process holds: a commit takes about as long.
const PAUSE: Duration = Duration::from_micros(500);

/// How long a commit that failed is fought for, until it is settled.
const SETTLING: Duration = Duration::from_millis(500);

/// How often it is looked whether history is too old.
const LOOK_FOR_OLD: Duration = Duration::from_secs(60);

/// Whoever takes it first, has it: the writer, who then carries it out; or the one who asked, who then knows that it never is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket(Arc<AtomicBool>);

impl Ticket {
    pub(crate) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    fn is_taken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

pub(crate) struct Request {
    ask: Ask,
    ticket: Ticket,
    answer: oneshot::Sender<Result<Done>>,
    is_begun: bool,
}

impl Request {
    pub(crate) fn new(ask: Ask, ticket: Ticket, answer: oneshot::Sender<Result<Done>>) -> Request {
        Request {
            ask,
            ticket,
            answer,
            is_begun: false,
        }
    }

    fn is_withdrawn(&self) -> bool {
        !self.is_begun && self.ticket.is_taken()
    }

    /// Whether it is to be carried out; from now on it cannot be withdrawn.
    fn begin(&mut self) -> bool {
        self.is_begun = self.is_begun || self.ticket.take();
        self.is_begun
    }

    fn answer(self, answer: Result<Done>) {
        // Whoever asked may have gone.
        wake(|| drop(self.answer.send(answer)));
    }
}

pub(crate) struct Writer {
    opened: Opened,
    history: History,
    seen: watch::Sender<Seen>,
    looked_for_old: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(opened: Opened, history: History, seen: watch::Sender<Seen>) -> Writer {
        Writer {
            opened,
            history,
            seen,
            looked_for_old: None,
        }
    }

    /// Until nobody is left who could ask.
    pub(crate) fn run(mut self, requests: &Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            let mut group = vec![first];
            group.extend(requests.try_iter().take(TOGETHER - 1));
            self.serve(group, requests);
        }
    }

    /// Waits for the lock, takes along whoever comes meanwhile, and carries out what has not been withdrawn by then.
    fn serve(&mut self, mut group: Vec<Request>, requests: &Receiver<Request>) {
        loop {
            group.retain(|request| !request.is_withdrawn());
            if group.is_empty() {
                return;
            }
            match self.attempt(&mut group) {
                Ok(again) => return self.one_by_one(again, requests),
                Err(error) if is_busy(&error) => {
                    sleep(PAUSE);
                    let room = TOGETHER.saturating_sub(group.len());
                    group.extend(requests.try_iter().take(room));
                }
                Err(error) => {
                    let begun = group.into_iter().filter_map(begun);
                    return answer_all(begun.collect(), &error);
                }
            }
        }
    }

    /// What cannot be written together: one of them may be why.
    fn one_by_one(&mut self, again: Vec<Request>, requests: &Receiver<Request>) {
        for request in again {
            self.serve(vec![request], requests);
        }
    }

    /// Carries a group out, and answers; or fails before it has begun. Returns those that have to be tried one by one.
    fn attempt(&mut self, group: &mut Vec<Request>) -> Result<Vec<Request>> {
        let held = self.opened.hold()?;
        let transaction = Begun::to_write(held.connection)?;
        let (found, stand) = held.stand(&transaction)?;
        let group: Vec<Request> = group.drain(..).filter_map(begun).collect();
        let mut writing = Writing::new(&transaction, stand);
        let carried = carry_out(&mut writing, &group).and_then(|answers| {
            keep(&mut writing, self.history, &mut self.looked_for_old)?;
            Ok((answers, writing.stand))
        });
        let (answers, after) = match carried {
            Ok(carried) => carried,
            Err(error) => {
                drop(transaction);
                if group.len() > 1 {
                    return Ok(group);
                }
                answer_all(group, &error);
                return Ok(Vec::new());
            }
        };
        match commit(&held, transaction, found, after) {
            Ok(()) if self.opened.is_replaced() => answer_all(group, &replaced()),
            Ok(()) => {
                for (request, answer) in group.into_iter().zip(answers) {
                    request.answer(answer);
                }
                tell(&self.seen, Some(after.position()));
            }
            Err(error) => answer_all(group, &error),
        }
        Ok(Vec::new())
    }
}

fn begun(mut request: Request) -> Option<Request> {
    request.begin().then_some(request)
}

/// What each of them is to be told, once it is committed.
///
/// # Errors
/// When SQLite itself fails: then none of them is to be committed.
fn carry_out(writing: &mut Writing<'_>, group: &[Request]) -> Result<Vec<Result<Done>>> {
    let each = group.iter().map(|request| {
        let done = writing.carry_out(&request.ask);
        match done {
            Err(error) if is_of_sqlite(&error) => Err(error),
            done => Ok(done),
        }
    });
    each.collect()
}

/// Forgets a part of what is more than is to be kept.
fn keep(
    writing: &mut Writing<'_>,
    history: History,
    looked_for_old: &mut Option<Instant>,
) -> Result<()> {
    writing.keep(history)?;
    if looked_for_old.is_none_or(|looked| looked.elapsed() >= LOOK_FOR_OLD) {
        *looked_for_old = Some(now());
        writing.keep_young(history)?;
    }
    Ok(())
}

/// # Errors
/// `Indeterminate` only if it may be on the disk.
fn commit(held: &Held<'_>, transaction: Begun<'_>, before: Stand, after: Stand) -> Result<()> {
    if after == before {
        // Nobody changed anything.
        return Ok(());
    }
    after.write(&transaction).map_err(explain)?;
    match transaction.commit() {
        Ok(()) => {
            held.mark(&after);
            Ok(())
        }
        Err(error) => settle(held, before, error),
    }
}

/// A commit that failed may be on the disk all the same, and be found there when the file is recovered. The next commit takes its
/// place in the file; so, once there was one, it is not.
fn settle(held: &Held<'_>, before: Stand, error: Error) -> Result<()> {
    if *error.kind() == ErrorKind::Full {
        // It was not written to its end.
        return Err(error);
    }
    let began = now();
    while began.elapsed() < SETTLING {
        if let Ok(now) = displace(held) {
            return match now == before {
                true => Err(error),
                false => Err(unknown(&error)),
            };
        }
        sleep(10 * PAUSE);
    }
    Err(unknown(&error))
}

/// Commits what stands there once more, and says what that is.
fn displace(held: &Held<'_>) -> Result<Stand> {
    let transaction = Begun::to_write(held.connection)?;
    let stand = Stand::read(&transaction)?;
    stand.write(&transaction).map_err(explain)?;
    transaction.commit()?;
    Ok(stand)
}

fn unknown(error: &Error) -> Error {
    let why = format!("it may be on the disk, which fails: {}", error.context());
    Error::new(ErrorKind::Indeterminate, why)
}

fn replaced() -> Error {
    let why = "another file took the place of the log while it was written";
    Error::new(ErrorKind::EpochChanged, why)
}

fn answer_all(group: Vec<Request>, error: &Error) {
    for request in group {
        request.answer(Err(error.clone()));
    }
}
