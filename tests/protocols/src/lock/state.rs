//! The state of everything at one moment.
//!
//! Never decides anything: it is what steps go from and to.

use std::sync::Arc;

use crate::lock::client::{Answer, Client, Request, stands};
use crate::lock::commit::Commit;
use crate::lock::log::{Content, Log, Record};
use crate::lock::resource::Resource;
use crate::lock::scope::{Faults, Scope};

/// How many lives the log can have, and one for none.
const LIVES: usize = 4;

/// What must never happen, and did in the step before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Broken {
    /// One was let in after another who came later.
    GrantedOutOfOrder,
    /// A resource took something of a holder after something of a later one, or of a life it has left.
    TokenFell,
    /// A resource refused somebody who holds.
    HolderRefused,
    /// A transaction landed after that of a later holder.
    RequiredFell,
    /// A transaction landed in another life of the log than its claim is of.
    RequiredElsewhere,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub log: Log,
    pub clients: Vec<Client>,
    /// Sorted: they arrive in any order.
    pub under_way: Vec<Commit>,
    pub resource: Resource,
    /// What may go wrong yet.
    pub left: Faults,
    /// The last one that was let in alone, in each life of the log.
    pub granted: [u8; LIVES],
    /// The last one under whose claim a transaction was committed, in each life of the log.
    pub required: [u8; LIVES],
    pub broken: Option<Broken>,
}

impl State {
    pub(crate) fn first(scope: &Scope) -> State {
        State {
            log: Log::new(scope.clients),
            clients: (0..scope.clients).map(|_| Client::new()).collect(),
            under_way: Vec::new(),
            resource: Resource::default(),
            left: scope.faults,
            granted: [0; LIVES],
            required: [0; LIVES],
            broken: None,
        }
    }

    pub(crate) fn client(&self, at: u8) -> &Client {
        &self.clients[usize::from(at)]
    }

    pub(crate) fn client_mut(&mut self, at: u8) -> &mut Client {
        &mut self.clients[usize::from(at)]
    }

    pub(crate) fn ids(&self) -> std::ops::Range<u8> {
        0..self.clients.len() as u8
    }

    /// What a client sees.
    pub(crate) fn view(&self, at: u8) -> &Content {
        &self.log.history[usize::from(self.client(at).view)]
    }

    pub(crate) fn sees_all(&self, at: u8) -> bool {
        self.client(at).view == self.log.end()
    }

    /// Whether a guard says at this moment that it is held.
    pub(crate) fn is_held(&self, at: u8, by_key: bool) -> bool {
        let client = self.client(at);
        let Request::Held(made) = client.request else {
            return false;
        };
        client.grants() && stands(self.view(at), at, made, by_key)
    }

    pub(crate) fn send(&mut self, commit: Commit) {
        let at = self.under_way.partition_point(|other| *other <= commit);
        self.under_way.insert(at, commit);
    }

    /// The log has answered a commit, and whoever sent it waits for that.
    pub(crate) fn answer(&mut self, commit: Commit, told: Answer) {
        let Commit::Create {
            client,
            attempt,
            is_copy: false,
            ..
        } = commit
        else {
            return;
        };
        if let Request::Sending {
            attempt: of,
            answer,
            ..
        } = &mut self.client_mut(client).request
            && *of == attempt
        {
            *answer = told;
        }
    }

    /// Whether somebody wants a record, or is just making it.
    pub(crate) fn is_wanted(&self, record: &Record) -> bool {
        let client = self.client(record.client);
        let wanted = client.wanted();
        client.is_sending(record.number) || wanted.is_some_and(|made| made.number == record.number)
    }

    /// Forgets what no view shows any more.
    pub(crate) fn forget(&mut self) {
        let views = self.clients.iter().map(|client| client.view);
        let oldest = views.min().unwrap_or_default();
        if oldest > 0 {
            self.log.forget_before(oldest);
            self.clients
                .iter_mut()
                .for_each(|client| client.view -= oldest);
        }
    }
}

/// The same state with its clients in another order: nothing tells one from another but what they did.
pub(crate) fn representative(state: &State) -> State {
    let head = state.log.head();
    let mut order: Vec<u8> = state.ids().collect();
    let traces = |at: u8| {
        let records = head
            .records
            .iter()
            .filter(move |record| record.client == at);
        let records: Vec<Record> = records
            .map(|record| Record {
                client: 0,
                ..*record
            })
            .collect();
        let sent = state.under_way.iter().copied();
        let sent = sent.filter_map(|mut commit| {
            let is_its = std::mem::take(commit.client()) == at;
            is_its.then_some(commit)
        });
        (records, sent.collect::<Vec<Commit>>())
    };
    order.sort_by_cached_key(|at| (state.client(*at).clone(), traces(*at)));
    let mut now = vec![0; order.len()];
    for (to, from) in order.iter().enumerate() {
        now[usize::from(*from)] = to as u8;
    }
    if order.is_sorted() {
        return state.clone();
    }
    let renamed = |content: &Arc<Content>| {
        let mut content = (**content).clone();
        for record in &mut content.records {
            record.client = now[usize::from(record.client)];
        }
        Arc::new(content)
    };
    let mut next = state.clone();
    next.clients = order.iter().map(|at| state.client(*at).clone()).collect();
    next.log.history = next.log.history.iter().map(renamed).collect();
    next.log.backup.0 = renamed(&next.log.backup.0);
    for leases in [&mut next.log.leases, &mut next.log.backup.1] {
        for lease in leases.iter_mut() {
            lease.0 = now[usize::from(lease.0)];
        }
        leases.sort_unstable();
    }
    for commit in &mut next.under_way {
        let client = commit.client();
        *client = now[usize::from(*client)];
    }
    next.under_way.sort_unstable();
    next
}
