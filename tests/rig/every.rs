//! Every way to write, with what each answered.
//!
//! Never decides what is right: the tests say what all of them must answer.

use globe::{ErrorKind, Expected, Globe, Key, Result};

use super::fails_with;

/// The name of a way, and what came of it.
pub(crate) type Outcome = (&'static str, Result<()>);

/// Every way to write a value under a key.
pub(crate) async fn every_put<K: Key, V: Send + Sync + 'static>(
    map: &Globe<K, V>,
    key: impl Fn() -> K,
    value: impl Fn() -> V,
) -> Vec<Outcome> {
    let put = map.transact(|txn| txn.put(map, key(), value()));
    let put_detached = map.transact(|txn| txn.put_detached(map, key(), value()));
    vec![
        ("put in a transaction", put.await.map(drop)),
        ("detached in a transaction", put_detached.await.map(drop)),
        ("put", map.put(key(), value()).await.map(drop)),
        (
            "put_detached",
            map.put_detached(key(), value()).await.map(drop),
        ),
        ("create", map.create(key(), value()).await.map(drop)),
        (
            "put_if",
            map.put_if(key(), value(), Expected::Present)
                .await
                .map(drop),
        ),
        ("update", map.update(key(), |_| value()).await.map(drop)),
        ("put_all", map.put_all([(key(), value())]).await.map(drop)),
    ]
}

/// Every way to delete a key.
pub(crate) async fn every_delete<K: Key, V: Send + Sync + 'static>(
    map: &Globe<K, V>,
    key: impl Fn() -> K,
) -> Vec<Outcome> {
    let delete = map.transact(|txn| txn.delete(map, key()));
    vec![
        ("delete in a transaction", delete.await.map(drop)),
        ("delete", map.delete(key()).await.map(drop)),
        (
            "delete_if",
            map.delete_if(key(), Expected::Present).await.map(drop),
        ),
    ]
}

/// Every way to write a number under a text, and to delete it.
pub(crate) async fn every_write(map: &Globe<String, u64>, key: &str) -> Vec<Outcome> {
    let mut all = every_put(map, || key.to_owned(), || 1).await;
    all.extend(every_delete(map, || key.to_owned()).await);
    all
}

#[track_caller]
pub(crate) fn all_fail_with(outcomes: Vec<Outcome>, kind: &ErrorKind) -> Vec<globe::Error> {
    let failed = |(way, outcome): Outcome| {
        assert!(outcome.is_err(), "{way} should have failed");
        fails_with(outcome, kind.clone())
    };
    outcomes.into_iter().map(failed).collect()
}
