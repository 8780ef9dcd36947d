//! What a member runs of each shard, and what it is told next.
//!
//! Never decides what that is: the table of steps does, of what runs and what the row says.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::recipes::shards::budget::{Budget, bytes_of};
use crate::recipes::shards::change::Change;
use crate::recipes::shards::common::Common;
use crate::recipes::shards::membership::Membership;
use crate::recipes::shards::owned::OwnedShard;
use crate::recipes::shards::post::Post;
use crate::recipes::shards::record::RowId;
use crate::recipes::shards::step::{Next, Role, Running, next, role};
use crate::recipes::shards::steps::{Answer, Drain, Dropped, Prepare, Step, Ticket, Told};
use crate::recipes::shards::table::Table;
use crate::recipes::shards::tenure::Tenure;
use crate::{Error, ErrorKind, Loss, Position, Token};

/// What is to be made of a row, which is as it was seen only in the same term.
#[derive(Clone, Debug)]
pub(crate) struct Say {
    pub(crate) change: Change,
    pub(crate) term: u64,
}

/// How far what is to be said of a row has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Said {
    #[default]
    No,
    /// It is queued, or under way.
    Asked,
    /// It was committed here, or something else was.
    Landed(Position),
}

/// What runs of one row.
#[derive(Debug, Default)]
struct Job {
    running: Running,
    /// The last step it was told.
    number: u64,
    tenure: Option<Arc<Tenure>>,
    /// It was owned until just now, and may be again in the same term.
    is_warm: bool,
    answer: Answer,
    said: Said,
}

/// How this member stands: what decides together with what runs.
pub(crate) struct Standing<'a> {
    pub(crate) table: &'a Table,
    /// Its record, while it is a member.
    pub(crate) membership: Option<&'a Arc<Membership>>,
    /// Whether it may own anything now.
    pub(crate) may_own: bool,
    /// Why it lost what it loses.
    pub(crate) loss: Loss,
}

impl Standing<'_> {
    fn role(&self, row: RowId) -> Role {
        let cell = self.table.cell(row);
        let asked = |membership: &Arc<Membership>| {
            let row = cell.map(|cell| &*cell.row);
            role(self.table.mode(), row, membership.incarnation())
        };
        self.membership.map_or(Role::None, asked)
    }
}

/// What runs of all rows.
#[derive(Debug)]
pub(crate) struct Jobs {
    common: Arc<Common>,
    post: Arc<Post>,
    jobs: HashMap<RowId, Job>,
    steps: mpsc::UnboundedSender<Step>,
    task: mpsc::UnboundedSender<(RowId, u64, Told)>,
    numbers: u64,
    says: BTreeMap<RowId, Say>,
}

impl Jobs {
    pub(crate) fn new(
        common: &Arc<Common>,
        post: &Arc<Post>,
        steps: mpsc::UnboundedSender<Step>,
        task: mpsc::UnboundedSender<(RowId, u64, Told)>,
    ) -> Jobs {
        Jobs {
            common: Arc::clone(common),
            post: Arc::clone(post),
            jobs: HashMap::new(),
            steps,
            task,
            numbers: 0,
            says: BTreeMap::new(),
        }
    }

    /// The rows of which anything runs.
    pub(crate) fn rows(&self) -> impl Iterator<Item = RowId> + '_ {
        self.jobs.keys().copied()
    }

    /// Whether nothing runs.
    pub(crate) fn are_over(&self) -> bool {
        let is_idle = |job: &Job| matches!(job.running, Running::Idle);
        self.jobs.values().all(is_idle)
    }

    /// Whether nobody takes steps any more.
    pub(crate) async fn unheard(&self) {
        self.steps.closed().await;
    }

    /// Takes as much of what is to be said as goes into one transaction.
    pub(crate) fn take_says(&mut self, mut budget: Budget, table: &Table) -> Vec<(RowId, Say)> {
        let mut taken = Vec::new();
        while let Some(says) = self.says.first_entry() {
            let row = table.cell(*says.key()).map(|cell| &*cell.row);
            // Too much alone, it is tried alone.
            if !budget.take(1, bytes_of(row, None)) && !taken.is_empty() {
                break;
            }
            taken.push(says.remove_entry());
        }
        taken
    }

    pub(crate) fn has_says(&self) -> bool {
        !self.says.is_empty()
    }

    /// What was to be said of these rows has landed here, or was passed over there: they are to be looked at again when the
    /// table shows what became of them, be it nothing.
    pub(crate) fn said(&mut self, rows: &[RowId], landed: Position) {
        self.mark(rows, Said::Landed(landed));
    }

    /// What was to be said of these rows has to be said again.
    pub(crate) fn unsaid(&mut self, rows: &[RowId]) {
        self.mark(rows, Said::No);
    }

    fn mark(&mut self, rows: &[RowId], said: Said) {
        for row in rows {
            if let Some(job) = self.jobs.get_mut(row) {
                job.said = said;
            }
        }
    }

    /// Tells what is next of a row.
    pub(crate) fn advance(&mut self, row: RowId, standing: &Standing<'_>) {
        let (mode, role) = (standing.table.mode(), standing.role(row));
        let mut job = match self.jobs.remove(&row) {
            Some(job) => job,
            None if role == Role::None => return,
            None => Job::default(),
        };
        if let (Running::Draining(_), false, Some(tenure)) =
            (job.running, standing.may_own, &job.tenure)
        {
            // It hears of nothing but its end until it has stopped, and another may begin before that.
            tenure.end(standing.loss);
        }
        let says = loop {
            let say = match next(mode, job.running, role, standing.may_own) {
                Next::Nothing => break None,
                Next::Forget => {
                    job.running = Running::Idle;
                    continue;
                }
                Next::SayReady => Change::Ready,
                Next::SayRefused => Change::Refuse,
                Next::SayDone => Change::Done,
                step => {
                    self.tell(row, &mut job, step, role, standing);
                    continue;
                }
            };
            break Some(say);
        };
        match says {
            Some(change) => self.say(row, &mut job, change, standing.table),
            None => {
                self.says.remove(&row);
                job.said = Said::No;
                settle(&mut job, standing);
            }
        }
        if job.running != Running::Idle || role != Role::None {
            self.jobs.insert(row, job);
        }
    }

    /// Queues what is to be said of a row, if that is not under way.
    fn say(&mut self, row: RowId, job: &mut Job, change: Change, table: &Table) {
        let Some(cell) = table.cell(row) else {
            return;
        };
        let is_known = match job.said {
            Said::No => true,
            Said::Asked => false,
            Said::Landed(position) => table.shows(position),
        };
        if is_known {
            job.said = Said::Asked;
            let term = cell.row.term;
            self.says.insert(row, Say { change, term });
        }
    }

    /// Tells a step.
    fn tell(&mut self, row: RowId, job: &mut Job, step: Next, role: Role, standing: &Standing<'_>) {
        let seat = self.post.seat(standing.table.at(row));
        self.numbers += 1;
        job.number = self.numbers;
        let ticket = Ticket::new(row, job.number, &self.task);
        let told = match (step, role, standing.membership) {
            (Next::Own, Role::Own(term), Some(membership)) => {
                let is_warm = job.running == Running::Ready || job.is_warm;
                let token = Token::new(standing.table.epoch(), term);
                let mode = standing.table.mode();
                let tenure = Tenure::new(&self.common.map, membership, row, token, mode, is_warm);
                seat.open(Arc::clone(&tenure));
                job.running = Running::Owned(term);
                job.tenure = Some(Arc::clone(&tenure));
                job.is_warm = false;
                Step::Own(OwnedShard::new(tenure))
            }
            (Next::Drain, Role::Drain(term), _) => {
                seat.close();
                if let Some(tenure) = &job.tenure {
                    tenure.drain();
                }
                job.running = Running::Draining(term);
                Step::Drain(Drain::new(ticket, standing.table.successor(row)))
            }
            (Next::Prepare, ..) => {
                job.running = Running::Preparing;
                Step::Prepare(Prepare::new(ticket))
            }
            _ => {
                seat.close();
                let was = std::mem::replace(&mut job.running, Running::Dropping);
                job.is_warm =
                    matches!((was, role), (Running::Owned(was), Role::Own(now)) if was == now);
                // Where the member stands, and may own, the row is another's.
                let is_its_own = standing.membership.is_none() || !standing.may_own;
                let loss = if is_its_own {
                    standing.loss
                } else {
                    Loss::Displaced
                };
                if let Some(tenure) = job.tenure.take() {
                    tenure.end(loss);
                }
                Step::Drop(Dropped::new(ticket, loss))
            }
        };
        // Who does not listen any more is noticed elsewhere.
        let _ = self.steps.send(told);
    }

    /// A step says something; whether that is news.
    pub(crate) fn hear(&mut self, row: RowId, number: u64, told: Told, at: usize) -> bool {
        let Some(job) = self.jobs.get_mut(&row).filter(|job| job.number == number) else {
            return false;
        };
        match (told, job.running) {
            (Told::Prepared(answer), Running::Preparing) => {
                (job.running, job.answer) = (Running::Ready, answer);
            }
            (Told::Refused(why, answer), Running::Preparing) => {
                tracing::debug!(shard = row.shard, %why, "a shard is refused");
                (job.running, job.answer) = (Running::Refused, answer);
            }
            (Told::Drained(answer), Running::Draining(_)) => {
                job.answer = answer;
                let (seat, task) = (self.post.seat(at), self.task.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = seat.emptied() => {}
                        () = task.closed() => {}
                    }
                    let _ = task.send((row, number, Told::Emptied));
                });
            }
            (Told::Emptied, Running::Draining(term)) => {
                job.running = Running::Drained(term);
                if let Some(tenure) = job.tenure.take() {
                    tenure.end(Loss::Displaced);
                }
            }
            (Told::Undone, Running::Draining(term)) => job.running = Running::Owned(term),
            (Told::Dropped, Running::Dropping) => job.running = Running::Idle,
            _ => return false,
        }
        true
    }

    /// The member is none any more: what it owned it owns no more, whatever it has been told.
    pub(crate) fn lose(&mut self, table: &Table, loss: Loss) {
        for (row, job) in &self.jobs {
            if let Some(tenure) = &job.tenure {
                self.post.seat(table.at(*row)).close();
                tenure.end(loss);
            }
        }
        self.says.clear();
    }
}

/// Answers who waits for what was to be said of a row, when there is nothing to be said any more.
fn settle(job: &mut Job, standing: &Standing<'_>) {
    if matches!(job.running, Running::Preparing | Running::Draining(_)) {
        return;
    }
    let Some(answer) = job.answer.take() else {
        return;
    };
    let lost = || {
        Error::new(
            ErrorKind::NotHeld,
            format!("this member was lost: {}", standing.loss),
        )
    };
    // Who has gone does not want to know.
    let _ = answer.send(standing.membership.map(drop).ok_or_else(lost));
}
