//! The state of everything at one moment.
//!
//! Never decides anything: it is what steps go from and to.

use crate::shards::commit::Commit;
use crate::shards::content::{Content, Member, WORKERS};
use crate::shards::scope::{Faults, Scope};
use crate::shards::worker::{Process, Running, Session, Worker};

/// What must never happen, and did in the step before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// The term of the row fell, or its owner changed within one.
    TermFell,
    /// A planner changed something that stood no more as it had seen it, or when it was no planner any more.
    StalePlanner,
    /// Somebody served, and then nobody, though nothing had failed.
    Unserved,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// From the oldest that a member still sees to the newest.
    pub history: Vec<Content>,
    pub backup: Option<Content>,
    pub workers: Vec<Worker>,
    /// Sorted: they arrive in any order.
    pub under_way: Vec<Commit>,
    /// What may go wrong yet.
    pub left: Faults,
    pub broken: Option<Broken>,
}

impl State {
    /// All have joined, one after another, and nobody owns the row.
    pub(crate) fn first(scope: &Scope) -> State {
        let mut content = Content {
            epoch: 1,
            last: scope.workers,
            row: None,
            members: [None; WORKERS],
            claims: [None; WORKERS],
        };
        let mut workers = Vec::new();
        for at in 0..scope.workers {
            let created = at + 1;
            let plans = at < scope.planners;
            content.members[usize::from(at)] = Some(Member {
                created,
                drains: false,
            });
            content.claims[usize::from(at)] = plans.then_some(created);
            workers.push(Worker {
                plans,
                process: Process::Up,
                view: 0,
                epoch: 1,
                joined: Some(created),
                session: Session::Live,
                in_grace: false,
                running: Running::Idle,
            });
        }
        State {
            history: vec![content],
            backup: (scope.faults.restores > 0).then_some(content),
            workers,
            under_way: Vec::new(),
            left: scope.faults,
            broken: None,
        }
    }

    pub(crate) fn ids(&self) -> std::ops::Range<u8> {
        0..self.workers.len() as u8
    }

    pub(crate) fn worker(&self, at: u8) -> &Worker {
        &self.workers[usize::from(at)]
    }

    pub(crate) fn worker_mut(&mut self, at: u8) -> &mut Worker {
        &mut self.workers[usize::from(at)]
    }

    /// What a member sees.
    pub(crate) fn view(&self, at: u8) -> &Content {
        &self.history[usize::from(self.worker(at).view)]
    }

    pub(crate) fn head(&self) -> &Content {
        &self.history[self.history.len() - 1]
    }

    pub(crate) fn end(&self) -> u8 {
        self.history.len() as u8 - 1
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Content)) {
        let mut next = *self.head();
        next.last += 1;
        change(&mut next);
        self.history.push(next);
    }

    /// Whether the record of a member stands, of the session it has.
    pub(crate) fn is_current(&self, at: u8) -> bool {
        let (it, head) = (self.worker(at), self.head());
        it.epoch == head.epoch && it.joined.is_some() && head.created(at) == it.joined
    }

    pub(crate) fn send(&mut self, commit: Commit) {
        let at = self.under_way.partition_point(|other| *other <= commit);
        self.under_way.insert(at, commit);
    }

    /// Numbers the commits anew: only their order counts. It keeps the number of states small.
    pub(crate) fn number_anew(&mut self) {
        let mut numbers: Vec<u8> = self.numbers_mut().map(|number| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        self.numbers_mut()
            .for_each(|number| *number = numbers.partition_point(|other| other < number) as u8);
        self.under_way.sort_unstable();
    }

    fn numbers_mut(&mut self) -> impl Iterator<Item = &mut u8> {
        let contents = self.history.iter_mut().chain(&mut self.backup);
        let joined = self.workers.iter_mut().filter_map(|it| it.joined.as_mut());
        let commits = self.under_way.iter_mut();
        contents
            .flat_map(Content::numbers_mut)
            .chain(joined)
            .chain(commits.flat_map(Commit::numbers_mut))
    }
}

/// The same state with its members in another order: nothing tells one from another but what they did.
pub(crate) fn representative(state: &State) -> State {
    let mut order: Vec<u8> = state.ids().collect();
    order.sort_by_key(|at| {
        let records = |content: &Content| {
            let at = usize::from(*at);
            (content.members[at], content.claims[at])
        };
        let mut stood = [(None, None); 4];
        for (to, content) in stood.iter_mut().zip(state.history.iter().rev()) {
            *to = records(content);
        }
        (
            *state.worker(*at),
            stood,
            state.backup.as_ref().map(records),
        )
    });
    if order.is_sorted() {
        return state.clone();
    }
    let mut now = [0; WORKERS];
    for (to, from) in order.iter().enumerate() {
        now[usize::from(*from)] = to as u8;
    }
    let name = |worker: &mut u8| *worker = now[usize::from(*worker)];
    let mut next = state.clone();
    next.workers = order.iter().map(|at| *state.worker(*at)).collect();
    for content in next.history.iter_mut().chain(&mut next.backup) {
        let (members, claims) = (content.members, content.claims);
        for (to, from) in order.iter().enumerate() {
            content.members[to] = members[usize::from(*from)];
            content.claims[to] = claims[usize::from(*from)];
        }
        let rows = content.row.iter_mut();
        rows.for_each(|(row, _)| row.incs_mut().for_each(|inc| name(&mut inc.worker)));
    }
    for commit in &mut next.under_way {
        let members = commit.members;
        for (to, from) in order.iter().enumerate() {
            commit.members[to] = members[usize::from(*from)];
        }
        commit.rename(name);
    }
    next.under_way.sort_unstable();
    next
}
