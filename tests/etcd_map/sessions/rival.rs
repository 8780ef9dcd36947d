//! One of those who want a lock, or to lead: a way of its own to the server, a session, a map of claims and one of what is done
//! under them.
//!
//! Never shares any of them with another one.

use std::time::Duration;

use globe::{Claims, Election, EtcdLog, Globe, Lock, Session};
use globe_test_support::wait_until;

use super::{LONG, SHORT};
use crate::node::{BOUND, within};

pub(super) struct Rival {
    pub(super) claims: Claims,
    pub(super) state: Globe<String, u64>,
    pub(super) session: Session,
}

impl Rival {
    /// Whose lease ends soon by itself.
    pub(super) async fn new(url: &str) -> Rival {
        Rival::with(url, SHORT).await
    }

    /// Whose lease does not end while a test lasts.
    pub(super) async fn patient(url: &str) -> Rival {
        Rival::with(url, LONG).await
    }

    async fn with(url: &str, ttl: Duration) -> Rival {
        let log = EtcdLog::from_url(url).await.unwrap();
        let claims = within("the claims", Globe::open(log.clone(), "claims")).await;
        let state = within("the state", Globe::open(log.clone(), "state")).await;
        let session = Session::builder(log).ttl(ttl).open();
        Rival {
            claims: claims.unwrap(),
            state: state.unwrap(),
            session: within("a session", session).await.unwrap(),
        }
    }

    pub(super) fn lock(&self) -> Lock {
        Lock::new(&self.claims, &self.session, "invoices").unwrap()
    }

    pub(super) fn election(&self) -> Election {
        Election::new(&self.claims, &self.session, "compactor").unwrap()
    }

    pub(super) async fn counts(&self, expected: usize) {
        let what = format!("{expected} claims");
        wait_until(&what, BOUND, || async { self.claims.len() == expected }).await;
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.claims.view().keys().cloned().collect()
    }

    /// Asks the log for something, on the connection of all its requests: what it asked for before has been answered.
    pub(super) async fn is_answered(&self) {
        within("an answer", self.state.put("asked", 1))
            .await
            .unwrap();
    }

    /// Waits until something was written.
    pub(super) async fn reads(&self, key: &str) -> u64 {
        wait_until(&format!("{key} is written"), BOUND, || async {
            self.state.contains_key(key)
        })
        .await;
        *self.state.get(key).expect("nobody deletes it")
    }
}
