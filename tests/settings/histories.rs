//! Histories: what stood, who put it there, and the way back.

use futures::FutureExt;
use globe::settings::Scope;
use globe::{ErrorKind, MemoryLog, Settings};

use crate::rig::{Around, conflicts, fails_with, keyspace, write_many};
use crate::{
    SPACE, a_while, complains, delete, history, limit, one, put, recorded, settings, shows,
};

#[tokio::test(start_paused = true)]
async fn undo_restores_what_stood() {
    let (_log, limit) = one().await;
    for value in [1, 2, 3] {
        limit.publish("global", value).await.unwrap();
    }
    limit.undo("global", 1).await.unwrap();
    assert_eq!(*limit.get(), 2);
    // It is a change itself: once more leads back.
    limit.undo("global", 1).await.unwrap();
    assert_eq!(*limit.get(), 3);
    limit.undo("global", 4).await.unwrap();
    assert_eq!(*limit.get(), 1);
    limit.clear("global").await.unwrap();
    assert_eq!(*limit.get(), 100);
    limit.undo("global", 1).await.unwrap();
    assert_eq!(*limit.get(), 1);
    limit.undo("global", 1).await.unwrap();
    assert_eq!(*limit.get(), 100, "what was cleared is clear again");
}

#[tokio::test(start_paused = true)]
async fn the_history_says_who_and_when() {
    let log = MemoryLog::new();
    let builder = Settings::builder(log.clone(), SPACE, Scope::new("web-7")).by("anna");
    let limit = limit(&builder.open().await.unwrap());
    limit.publish("global", 1).await.unwrap();
    limit.clear("global").await.unwrap();
    put(&log, "global", "3").await;
    shows(&limit, 3).await;
    let past = limit.history("global").unwrap();
    let told: Vec<_> = past
        .iter()
        .map(|past| (past.by(), past.at().is_some()))
        .collect();
    assert_eq!(
        told,
        [(None, false), (Some("anna"), true), (Some("anna"), true)]
    );
    let field = &limit.explain().fields[0];
    assert_eq!(
        (field.by.as_deref(), field.source.to_string()),
        (None, "global".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_put_by_hand_is_in_the_history_and_can_be_undone() {
    let (log, limit) = one().await;
    limit.publish("global", 1).await.unwrap();
    for (value, text) in [(2, "2"), (3, "3")] {
        put(&log, "global", text).await;
        shows(&limit, value).await;
        a_while().await;
    }
    assert_eq!(recorded(&log).await, 3);
    assert_eq!(history(&limit, "global"), [Some(3), Some(2), Some(1)]);
    limit.undo("global", 1).await.unwrap();
    assert_eq!(*limit.get(), 2);
    delete(&log, "global").await;
    shows(&limit, 100).await;
    assert_eq!(history(&limit, "global")[..2], [None, Some(2)]);
    a_while().await;
    assert_eq!(history(&limit, "global")[..3], [None, Some(2), Some(3)]);
    limit.undo("global", 1).await.unwrap();
    assert_eq!(*limit.get(), 2);
}

/// At once, before anybody has put it into the history.
#[tokio::test(start_paused = true)]
async fn who_publishes_over_a_put_by_hand_keeps_it() {
    let (log, limit) = one().await;
    put(&log, "global", "2").await;
    limit.publish("global", 3).await.unwrap();
    assert_eq!(history(&limit, "global"), [Some(3), Some(2)]);
    put(&log, "global", "4").await;
    shows(&limit, 4).await;
    limit.undo("global", 1).await.unwrap();
    assert_eq!(
        history(&limit, "global"),
        [Some(3), Some(4), Some(3), Some(2)]
    );
    delete(&log, "global").await;
    shows(&limit, 100).await;
    limit.publish("global", 5).await.unwrap();
    assert_eq!(history(&limit, "global")[..3], [Some(5), None, Some(3)]);
}

/// What was never in force is nothing to go back to.
#[tokio::test(start_paused = true)]
async fn a_bad_value_is_not_in_the_history_and_undo_leads_to_the_last_good_one() {
    for bad in ["nonsense", "1001"] {
        let (log, limit) = one().await;
        put(&log, "global", "1").await;
        shows(&limit, 1).await;
        put(&log, "global", bad).await;
        complains(&limit, "global").await;
        limit.publish("global", 2).await.unwrap();
        assert_eq!(history(&limit, "global"), [Some(2), Some(1)], "{bad}");
        put(&log, "global", bad).await;
        complains(&limit, "global").await;
        a_while().await;
        assert_eq!(history(&limit, "global"), [None, Some(2), Some(1)]);
        limit.undo("global", 1).await.unwrap();
        assert_eq!((*limit.get(), limit.problems().len()), (2, 0));
        put(&log, "global", bad).await;
        complains(&limit, "global").await;
        limit.clear("global").await.unwrap();
        assert_eq!((*limit.get(), limit.problems().len()), (100, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_is_bounded() {
    let log = MemoryLog::new();
    let builder = Settings::builder(log.clone(), SPACE, Scope::new("web-7")).keep(3);
    let limit = limit(&builder.open().await.unwrap());
    for value in 0..20 {
        limit.publish("global", value).await.unwrap();
    }
    assert_eq!(history(&limit, "global"), [Some(19), Some(18), Some(17)]);
    assert_eq!(recorded(&log).await, 3);
    let error = fails_with(limit.undo("global", 3).await, ErrorKind::Invalid);
    assert!(error.to_string().contains("2 are known"), "{error}");
    fails_with(limit.undo("global", 0).await, ErrorKind::Invalid);
    fails_with(limit.undo("region:eu", 1).await, ErrorKind::Invalid);

    // One that keeps more, and then less again, works it off.
    let other = settings(&log, "web-8").await;
    let other = crate::limit(&other);
    for value in 0..20 {
        other.publish("global", value).await.unwrap();
    }
    assert_eq!(recorded(&log).await, 10);
    shows(&limit, 19).await;
    limit.publish("global", 1).await.unwrap();
    assert_eq!(recorded(&log).await, 3);
}

#[tokio::test(start_paused = true)]
async fn nobody_undoes_what_somebody_else_did_meanwhile() {
    let log = MemoryLog::new();
    let way = Around::new(&log);
    let here = limit(&settings(&way, "web-7").await);
    here.publish("global", 1).await.unwrap();
    here.publish("global", 2).await.unwrap();
    for value in ["3", "4"] {
        let other = log.clone();
        way.before_the_next_commit(move || {
            let by_hand = [("http.limit/global".to_owned(), value)];
            write_many(&other, SPACE, by_hand).now_or_never().unwrap();
        });
        conflicts(here.undo("global", 1).await);
        shows(&here, value.parse().unwrap()).await;
        a_while().await;
    }
    assert_eq!(history(&here, "global"), [4, 3, 2, 1].map(Some));
    let other = log.clone();
    way.before_the_next_commit(move || {
        let gone = globe::log_client::Transaction::new();
        let gone = gone.delete(&keyspace(SPACE), "http.limit/global");
        globe::LogClient::commit(&other, gone)
            .now_or_never()
            .unwrap()
            .unwrap();
    });
    conflicts(here.undo("global", 1).await);
    assert_eq!(*here.get(), 100);
}

#[tokio::test(start_paused = true)]
async fn the_first_change_can_be_undone_as_well() {
    let (_log, limit) = one().await;
    limit.publish("region:eu", 5).await.unwrap();
    assert_eq!(history(&limit, "region:eu"), [Some(5)]);
    limit.undo("region:eu", 1).await.unwrap();
    assert_eq!(*limit.get(), 100, "the layer says nothing, as before");
    limit.undo("region:eu", 1).await.unwrap();
    assert_eq!(*limit.get(), 5, "it was a change itself");
    limit.undo("region:eu", 3).await.unwrap();
    assert_eq!(*limit.get(), 100, "before all of them");
    fails_with(limit.undo("region:eu", 5).await, ErrorKind::Invalid);
}
