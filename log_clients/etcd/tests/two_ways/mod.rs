//! A server that can be reached in two ways, each of which can be broken, and a client that goes straight to it.
//!
//! Never connects the client under test: each test says how patient that is.
#![allow(dead_code, reason = "each test file uses a part of it")]

use globe_etcd::EtcdLog;
use globe_log_client::Position;
use globe_test_support::{EtcdServer, Proxy};

use crate::rig::{connect, history, put, puts_of};

pub(crate) struct TwoWays {
    pub(crate) server: EtcdServer,
    pub(crate) first: Proxy,
    pub(crate) second: Proxy,
    pub(crate) straight: EtcdLog,
    /// What was written before anything else.
    start: Position,
}

impl TwoWays {
    pub(crate) async fn to(server: EtcdServer) -> TwoWays {
        let straight = connect([server.endpoint()]).await;
        TwoWays {
            first: Proxy::start(server.port()).await,
            second: Proxy::start(server.port()).await,
            start: put(&straight, "start", "1").await,
            straight,
            server,
        }
    }

    /// The endpoints of both.
    pub(crate) fn both(&self) -> [String; 2] {
        [self.first.endpoint(), self.second.endpoint()]
    }

    /// Makes a client use the first way, and leaves it no other.
    pub(crate) async fn go_the_first(&self, log: &EtcdLog) {
        self.second.cut();
        put(log, "on the way", "1").await;
    }

    /// Delivers what waits in the first way, and waits until the server has dealt with it.
    pub(crate) async fn deliver(&self) {
        self.first.heal();
        let late = connect([self.first.endpoint()]).await;
        for number in 0..20 {
            put(&late, &format!("after-{number}"), "1").await;
        }
    }

    /// Each of these keys was written so often.
    pub(crate) async fn were_written(&self, keys: &[String], times: usize) {
        let history = history(&self.straight, self.start).await;
        for key in keys {
            assert_eq!(puts_of(&history, key), times, "{key}: {history:?}");
        }
    }

    /// How often a key was written.
    pub(crate) async fn times_written(&self, key: &str) -> usize {
        puts_of(&history(&self.straight, self.start).await, key)
    }
}
