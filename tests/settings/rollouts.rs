//! Roll-outs: who is selected, stage by stage, to the end or back.

use globe::settings::{Setting, Source};
use globe::{ErrorKind, MemoryLog};

use crate::rig::{conflicts, fails_with, until};
use crate::{SECOND, complains, history, limit, one, put, scope, settings, settings_of, shows};

/// A fleet of so many processes.
async fn fleet(log: &MemoryLog, size: usize) -> Vec<Setting<u64>> {
    let mut fleet = Vec::new();
    for number in 0..size {
        fleet.push(limit(&settings(log, &format!("web-{number}")).await));
    }
    fleet
}

fn selected(fleet: &[Setting<u64>], value: u64) -> Vec<usize> {
    let with = fleet
        .iter()
        .enumerate()
        .filter(|(_, limit)| *limit.get() == value);
    with.map(|(number, _)| number).collect()
}

#[tokio::test(start_paused = true)]
async fn a_larger_share_keeps_those_in() {
    let log = MemoryLog::new();
    let fleet = fleet(&log, 60).await;
    let admin = limit(&settings(&log, "admin").await);
    admin.publish("global", 1).await.unwrap();
    let mut staged = admin.rollout("global", 2).start().await.unwrap();
    let mut before = Vec::new();
    for percent in [1, 20, 50, 99, 100] {
        staged = staged.advance(percent).await.unwrap();
        crate::a_while().await;
        let now = selected(&fleet, 2);
        assert!(
            before.iter().all(|number| now.contains(number)),
            "{percent}"
        );
        let expected = 60.0 * f64::from(percent) / 100.0;
        assert!(
            (now.len() as f64 - expected).abs() < 14.0,
            "{percent}: {}",
            now.len()
        );
        before = now;
    }
    assert_eq!(before.len(), 60);
    // And back.
    staged = staged.advance(0).await.unwrap();
    until("nobody is selected", || selected(&fleet, 1).len() == 60).await;
    staged.abort().await.unwrap();
    assert_eq!(history(&admin, "global"), [Some(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_selector_takes_only_those_who_have_all_it_asks_for() {
    let log = MemoryLog::new();
    let here = limit(&settings_of(&log, scope("web-7").label("canary", "yes")).await);
    let there = limit(&settings(&log, "web-8").await);
    type Row = (&'static [(&'static str, &'static str)], [u64; 2]);
    let table: [Row; 6] = [
        (&[], [9, 9]),
        (&[("region", "eu")], [9, 9]),
        (&[("region", "us")], [100, 100]),
        (&[("canary", "yes"), ("region", "eu")], [9, 100]),
        (&[("host", "web-8")], [100, 9]),
        (&[("colour", "red")], [100, 100]),
    ];
    for (only, [one, other]) in table {
        let rollout = here.rollout("global", 9).percent(100);
        let rollout = only.iter().fold(rollout, |rollout, (kind, value)| {
            rollout.only(*kind, *value)
        });
        let staged = rollout.start().await.unwrap();
        assert_eq!(*here.get(), one, "{only:?}");
        shows(&there, other).await;
        staged.abort().await.unwrap();
        assert_eq!(*here.get(), 100);
        shows(&there, 100).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollout_counts_instead_of_its_layer_and_a_narrower_layer_hides_it() {
    let (_log, limit) = one().await;
    limit.publish("global", 1).await.unwrap();
    limit.publish("region:eu", 2).await.unwrap();
    let wide = limit
        .rollout("global", 3)
        .percent(100)
        .start()
        .await
        .unwrap();
    assert_eq!(*limit.get(), 2);
    let narrow = limit
        .rollout("region:eu", 4)
        .percent(100)
        .start()
        .await
        .unwrap();
    assert_eq!(*limit.get(), 4);
    assert_eq!(
        *limit.get().source(),
        Source::Rollout("region:eu".to_owned())
    );
    assert_eq!(limit.explain().fields[0].by.as_deref(), Some("web-7"));
    let position = narrow.finish().await.unwrap();
    assert_eq!(
        limit.explain().fields[0]
            .since
            .map(|since| since.position()),
        Some(position)
    );
    wide.finish().await.unwrap();
    assert_eq!(*limit.get(), 4);
    limit.clear("region:eu").await.unwrap();
    assert_eq!(*limit.get(), 3);
    assert_eq!(history(&limit, "region:eu"), [None, Some(4), Some(2)]);
    limit.undo("global", 1).await.unwrap();
    assert_eq!(history(&limit, "global"), [Some(1), Some(3), Some(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_is_written_by_hand_as_well_and_a_bad_one_leaves_what_stands() {
    let (log, limit) = one().await;
    limit.publish("global", 1).await.unwrap();
    put(&log, "global/rollout", r#"{"value":2,"percent":100}"#).await;
    shows(&limit, 2).await;
    put(
        &log,
        "global/rollout",
        r#"{"value":3,"percent":99.99,"where":{"region":"eu"}}"#,
    )
    .await;
    shows(&limit, 3).await;
    put(&log, "global/rollout", r#"{"value":1001,"percent":100}"#).await;
    complains(&limit, "global/rollout").await;
    assert_eq!(*limit.get(), 1);
    let staged = limit.staged("global").unwrap().unwrap();
    fails_with(staged.finish().await, ErrorKind::Invalid);
    limit
        .staged("global")
        .unwrap()
        .unwrap()
        .abort()
        .await
        .unwrap();
    assert!(limit.problems().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_rollout_at_a_time_and_nobody_goes_on_from_a_stage_another_changed() {
    let log = MemoryLog::new();
    let (here, there) = (
        limit(&settings(&log, "web-7").await),
        limit(&settings(&log, "web-8").await),
    );
    let mine = here.rollout("global", 2).start().await.unwrap();
    conflicts(here.rollout("global", 3).start().await.map(drop));
    until("it is seen", || there.staged("global").unwrap().is_some()).await;
    let theirs = there.staged("global").unwrap().unwrap();
    let theirs = theirs.advance(10).await.unwrap();
    conflicts(mine.advance(20).await.map(drop));
    until("it is seen", || {
        here.staged("global")
            .unwrap()
            .is_some_and(|staged| staged.percent() == 10.0)
    })
    .await;
    let mine = here.staged("global").unwrap().unwrap();
    theirs.abort().await.unwrap();
    conflicts(mine.finish().await);
    assert_eq!((*here.get(), history(&here, "global").len()), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_through_its_stages_and_ends_with_all() {
    let (_log, limit) = one().await;
    let (mut asked, begun) = (Vec::new(), tokio::time::Instant::now());
    let check = async |percent: f64| {
        asked.push((percent, begun.elapsed().as_secs()));
        Ok(())
    };
    limit
        .rollout("global", 2)
        .run(&[1, 10, 100], SECOND * 60, check)
        .await
        .unwrap();
    assert_eq!(asked, [(1.0, 60), (10.0, 120), (100.0, 180)]);
    assert_eq!(
        (*limit.get(), history(&limit, "global")),
        (2, vec![Some(2)])
    );
    assert!(limit.staged("global").unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_check_says_no_is_back_where_it_began() {
    let (_log, limit) = one().await;
    limit.publish("global", 1).await.unwrap();
    let check = async |percent: f64| match percent {
        100.0 => Err("too many errors".to_owned()),
        _ => Ok(()),
    };
    let run = limit
        .rollout("global", 2)
        .run(&[10.0, 100.0, 100.0], SECOND, check)
        .await;
    let error = fails_with(run, ErrorKind::Aborted);
    assert!(
        error
            .to_string()
            .contains("at 100 percent: too many errors"),
        "{error}"
    );
    assert_eq!(
        (*limit.get(), history(&limit, "global")),
        (1, vec![Some(1)])
    );
    assert!(limit.staged("global").unwrap().is_none());
}

/// Be it dropped, or dead: whoever comes goes on, or back.
#[tokio::test(start_paused = true)]
async fn a_run_that_dies_leaves_its_stage() {
    let (log, limit) = one().await;
    let check = async |_: f64| Ok(());
    let run = limit
        .rollout("global", 2)
        .run(&[100, 100], SECOND * 10, check);
    assert!(tokio::time::timeout(SECOND * 15, run).await.is_err());
    assert_eq!(*limit.get(), 2);
    let other = crate::limit(&settings(&log, "admin").await);
    other
        .staged("global")
        .unwrap()
        .unwrap()
        .abort()
        .await
        .unwrap();
    shows(&limit, 100).await;
}
