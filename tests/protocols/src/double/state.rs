//! The state of everything at one moment.
//!
//! Never decides anything: it is what steps go from and to.

use std::sync::Arc;

use crate::double::scope::{Faults, Scope};
use crate::recipes::claim::{Claim, Mode};
use crate::recipes::order::queue;
use crate::{Entry, View};

/// How many are in together.
pub const TOGETHER: usize = 2;

/// A claim, by its client and how often that one had come before. No key is used twice.
pub type Key = (u8, u8);

/// Those who are in together.
pub type Round = [Key; TOGETHER];

/// What stood at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Content {
    /// The newest commit that created something.
    pub last: u8,
    /// The claims, each with the commit that created it, in that order.
    pub claims: Vec<(u8, Key)>,
    /// Who is in, and the commit that wrote it down.
    pub round: Option<(u8, Round)>,
}

impl Content {
    pub(crate) fn stands(&self, key: Key) -> bool {
        self.claims.iter().any(|(_, other)| *other == key)
    }

    /// Those who would be in, if enough have come.
    pub(crate) fn first(&self) -> Option<Round> {
        let text = |(client, number): Key| format!("double/a/{client}-{number}");
        let entries = self.claims.iter().map(|(created, key)| {
            let claim = Claim {
                mode: Mode::Write,
                weight: 1,
            };
            (text(*key), Entry::new(claim, u64::from(*created)))
        });
        let places = queue(&View::new(entries), "double/a/")?;
        let keys = places.iter().take(TOGETHER).filter_map(|place| {
            let mut claims = self.claims.iter();
            let claim = claims.find(|(_, key)| text(*key) == place.key);
            claim.map(|(_, key)| *key)
        });
        keys.collect::<Vec<Key>>().try_into().ok()
    }
}

/// What a client is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    Idle,
    Waiting(Key),
    /// It has waited long enough.
    GivingUp(Key),
    Inside(Key, Round),
    /// It has left, and waits for the others.
    Leaving(Key, Round),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// Where in the history its view is.
    pub view: u8,
    pub phase: Phase,
    /// How often it has come.
    pub come: u8,
}

/// What is under way to the log, guarded by what its sender saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Commit {
    /// If nobody is in and all of them stand: they are in.
    Begin { round: Round },
    /// If that very round was written down: nobody is in.
    End { written: u8 },
    /// If what was written down is as it was seen: its claim goes.
    GiveUp { key: Key, seen: Option<u8> },
}

/// What must never happen, and did in the step before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    RejectedAndIn,
    InTwice,
    InWithoutStanding,
    LeftBeforeAnother,
    BegunBeforeTheEnd,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// From the oldest that a client still sees to the newest.
    pub history: Vec<Arc<Content>>,
    pub clients: Vec<Client>,
    /// Sorted: they arrive in any order.
    pub under_way: Vec<Commit>,
    /// Who has ever been in, and who was told that it is not. Sorted.
    pub been_in: Vec<Key>,
    pub rejected: Vec<Key>,
    /// What may go wrong yet.
    pub left: Faults,
    /// Each once.
    pub broken: Vec<Broken>,
}

impl State {
    pub(crate) fn first(scope: &Scope) -> State {
        let content = Content {
            last: 0,
            claims: Vec::new(),
            round: None,
        };
        let client = Client {
            view: 0,
            phase: Phase::Idle,
            come: 0,
        };
        State {
            history: vec![Arc::new(content)],
            clients: vec![client; usize::from(scope.clients)],
            under_way: Vec::new(),
            been_in: Vec::new(),
            rejected: Vec::new(),
            left: scope.faults,
            broken: Vec::new(),
        }
    }

    pub(crate) fn ids(&self) -> std::ops::Range<u8> {
        0..self.clients.len() as u8
    }

    pub(crate) fn client(&self, at: u8) -> &Client {
        &self.clients[usize::from(at)]
    }

    pub(crate) fn client_mut(&mut self, at: u8) -> &mut Client {
        &mut self.clients[usize::from(at)]
    }

    /// What a client sees.
    pub(crate) fn view(&self, at: u8) -> &Content {
        &self.history[usize::from(self.client(at).view)]
    }

    pub(crate) fn head(&self) -> &Content {
        &self.history[self.history.len() - 1]
    }

    pub(crate) fn end(&self) -> u8 {
        self.history.len() as u8 - 1
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Content)) {
        let mut next = self.head().clone();
        change(&mut next);
        if next != *self.head() {
            self.history.push(Arc::new(next));
        }
    }

    /// Whether its owner wants a claim to stand.
    pub(crate) fn is_wanted(&self, key: Key) -> bool {
        match self.client(key.0).phase {
            Phase::Idle | Phase::Leaving(..) => false,
            Phase::Waiting(own) | Phase::GivingUp(own) | Phase::Inside(own, _) => own == key,
        }
    }

    pub(crate) fn breaks(&mut self, broken: Broken) {
        if !self.broken.contains(&broken) {
            self.broken.push(broken);
        }
    }

    /// Forgets what no view shows any more, and what can have no effect, and numbers the commits anew: only their order
    /// counts. It keeps the number of states small.
    pub(crate) fn settle(&mut self) {
        let end = self.end();
        for client in &mut self.clients {
            if client.phase == Phase::Idle {
                client.view = end;
            }
        }
        let views = self.clients.iter().map(|client| client.view);
        let oldest = views.min().unwrap_or_default();
        self.history.drain(..usize::from(oldest));
        self.clients
            .iter_mut()
            .for_each(|client| client.view -= oldest);
        self.forget_keys();
        self.number_anew();
    }

    /// Forgets what became of claims that nobody can write down any more.
    fn forget_keys(&mut self) {
        let (history, under_way) = (&self.history, &self.under_way);
        let matters = |key: &Key| {
            let mut contents = history.iter();
            let mut commits = under_way.iter();
            contents.any(|content| content.stands(*key))
                || commits.any(|commit| match commit {
                    Commit::Begin { round } => round.contains(key),
                    Commit::GiveUp { key: own, .. } => own == key,
                    Commit::End { .. } => false,
                })
        };
        self.rejected.retain(matters);
        let clients = &self.clients;
        self.been_in.retain(|key| {
            let phase = clients[usize::from(key.0)].phase;
            matters(key) || matches!(phase, Phase::GivingUp(own) if own == *key)
        });
    }

    fn number_anew(&mut self) {
        let mut numbers: Vec<u8> = vec![0];
        for content in &self.history {
            numbers.extend(content.claims.iter().map(|(created, _)| *created));
            numbers.extend(content.round.map(|(written, _)| written));
        }
        for commit in &self.under_way {
            match commit {
                Commit::End { written } => numbers.push(*written),
                Commit::GiveUp { seen, .. } => numbers.extend(seen),
                Commit::Begin { .. } => {}
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        let anew = |number: &mut u8| {
            *number = numbers.partition_point(|other| other < number) as u8;
        };
        for content in &mut self.history {
            let content = Arc::make_mut(content);
            content
                .claims
                .iter_mut()
                .for_each(|(created, _)| anew(created));
            content
                .round
                .iter_mut()
                .for_each(|(written, _)| anew(written));
            content.last = numbers.len() as u8 - 1;
        }
        for commit in &mut self.under_way {
            match commit {
                Commit::End { written } => anew(written),
                Commit::GiveUp { seen, .. } => seen.iter_mut().for_each(anew),
                Commit::Begin { .. } => {}
            }
        }
        self.under_way.sort_unstable();
    }
}

/// The same state with its clients in another order: nothing tells one from another but what they did.
pub(crate) fn representative(state: &State) -> State {
    let own = |phase: Phase| match phase {
        Phase::Idle => (0, 0),
        Phase::Waiting(key) => (1, key.1),
        Phase::GivingUp(key) => (2, key.1),
        Phase::Inside(key, _) => (3, key.1),
        Phase::Leaving(key, _) => (4, key.1),
    };
    let mut order: Vec<u8> = state.ids().collect();
    order.sort_by_cached_key(|at| {
        let client = state.client(*at);
        let stands = |content: &Arc<Content>| {
            let claims = content.claims.iter();
            let its = claims.filter(|(_, key)| key.0 == *at);
            its.map(|(created, key)| (*created, key.1)).collect()
        };
        let stood: Vec<Vec<(u8, u8)>> = state.history.iter().map(stands).collect();
        (own(client.phase), client.come, client.view, stood)
    });
    if order.is_sorted() {
        return state.clone();
    }
    let mut now = vec![0; order.len()];
    for (to, from) in order.iter().enumerate() {
        now[usize::from(*from)] = to as u8;
    }
    let rename = |key: &mut Key| key.0 = now[usize::from(key.0)];
    let mut next = state.clone();
    next.clients = order.iter().map(|at| state.client(*at).clone()).collect();
    for client in &mut next.clients {
        match &mut client.phase {
            Phase::Idle => {}
            Phase::Waiting(key) | Phase::GivingUp(key) => rename(key),
            Phase::Inside(key, round) | Phase::Leaving(key, round) => {
                rename(key);
                round.iter_mut().for_each(rename);
            }
        }
    }
    for content in &mut next.history {
        let content = Arc::make_mut(content);
        content.claims.iter_mut().for_each(|(_, key)| rename(key));
        let rounds = content.round.iter_mut();
        rounds.for_each(|(_, round)| round.iter_mut().for_each(rename));
    }
    for commit in &mut next.under_way {
        match commit {
            Commit::Begin { round } => round.iter_mut().for_each(rename),
            Commit::GiveUp { key, .. } => rename(key),
            Commit::End { .. } => {}
        }
    }
    next.under_way.sort_unstable();
    for keys in [&mut next.been_in, &mut next.rejected] {
        keys.iter_mut().for_each(rename);
        keys.sort_unstable();
    }
    next
}

/// The rules that are in force.
pub type Rules = crate::search::Rules<Scope>;
