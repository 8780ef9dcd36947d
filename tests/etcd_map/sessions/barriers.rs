//! A double barrier of as many as there can be, on a real server.
//!
//! Never more than etcd takes in one transaction as it is set up by itself: 128 operations.

use futures::future::join_all;
use globe::{DoubleBarrier, ErrorKind};
use globe_test_support::{EtcdServer, EtcdVersion};

use super::rival::Rival;
use crate::node::{BOUND, within};

/// The most that can be in together.
const MOST: usize = 126;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_and_twenty_six_enter_together_and_leave_together() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let rivals = [
        Rival::patient(&server.url()).await,
        Rival::patient(&server.url()).await,
    ];
    let barrier = |number: usize| {
        let rival = &rivals[number % rivals.len()];
        DoubleBarrier::new(&rival.claims, &rival.session, "training", MOST).unwrap()
    };
    let entering = (1..MOST).map(|number| {
        let barrier = barrier(number);
        tokio::spawn(async move { barrier.enter(BOUND).await })
    });
    let entering: Vec<_> = entering.collect();
    rivals[0].counts(MOST - 1).await;
    assert!(entering.iter().all(|one| !one.is_finished()));
    let last = within("the last comes", barrier(0).enter(BOUND)).await;
    let mut inside = vec![last.unwrap()];
    for one in within("all are in", join_all(entering)).await {
        inside.push(one.unwrap().unwrap());
    }
    // All but one leave, and wait for it in vain; once it has left nobody is inside.
    let last = inside.pop().unwrap();
    let bound = BOUND / 20;
    let leaving = inside.into_iter().map(|one| one.leave(bound));
    for left in within("they wait", join_all(leaving)).await {
        assert_eq!(*left.unwrap_err().kind(), ErrorKind::Busy);
    }
    within("the last leaves", last.leave(BOUND)).await.unwrap();
    rivals[1].counts(0).await;
}
