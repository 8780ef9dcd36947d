//! The state of a tail, fed by hand: the orders no real server keeps to among them.
//!
//! Never waits: the time is what the test says it is.

use etcd_client::proto::{PbEvent, PbKeyValue, PbResponseHeader};
use globe_log_client::Epoch;

use super::*;

const LIMIT: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A tail after revision 10, and its clock.
struct Rig {
    state: TailState,
    now: Instant,
    keys: Keys,
    keyspace: Keyspace,
}

fn at(revision: u64) -> Position {
    Position::new(Epoch::new(1), Revision(revision))
}

fn start(head: u64, progress: Progress) -> Start {
    Start {
        after: at(10),
        head: at(head),
        progress,
        keeps_deletes: true,
    }
}

impl Rig {
    fn new(head: u64, progress: Progress) -> Rig {
        let now = Instant::now();
        Rig {
            state: TailState::new(start(head, progress), LIMIT, now),
            now,
            keys: Keys::new(""),
            keyspace: Keyspace::new("flags").unwrap(),
        }
    }

    fn next_action(&mut self) -> Action {
        self.state.next_action(self.now)
    }

    fn passes(&mut self, time: Duration) -> &mut Rig {
        self.now += time;
        self
    }

    fn take(&mut self, delivery: Delivery) -> &mut Rig {
        let (keys, keyspace) = (&self.keys, &self.keyspace);
        self.state.take(delivery, keys, keyspace, self.now);
        self
    }

    fn events(&mut self, revisions: &[i64], fragment: bool) -> &mut Rig {
        let events = revisions.iter().map(|revision| PbEvent {
            kv: Some(PbKeyValue {
                key: b"flags/a".to_vec(),
                mod_revision: *revision,
                ..PbKeyValue::default()
            }),
            ..PbEvent::default()
        });
        self.take(Delivery::Message(PbWatchResponse {
            events: events.collect(),
            fragment,
            ..PbWatchResponse::default()
        }))
    }

    /// The revisions given out now, and how many changes each has.
    fn given(&mut self) -> Vec<(u64, usize)> {
        let mut given = Vec::new();
        while let Action::Give(whole) = self.next_action() {
            given.push((whole.batch.revision.0, whole.batch.changes.len()));
        }
        given
    }

    /// Lets time pass until there is something to do, answering that the member is alive.
    fn until_more(&mut self) -> Action {
        loop {
            match self.next_action() {
                Action::Wait(Some(until)) => self.now = until,
                Action::Ask(Query::Alive) => self.state.set_alive(true),
                action => return action,
            }
        }
    }

    fn compared(&mut self, quiet: bool, took: Duration) {
        let to = self.state.goal;
        self.state.asked = Some(Query::Quiet(self.state.cursor, to));
        self.state.compared(to, Ok(quiet), took, self.now);
    }
}

fn is_over(action: &Action, class: Class) -> bool {
    matches!(action, Action::Fail(fault) if fault.class == class)
}

#[test]
fn a_commit_split_over_messages_is_given_out_whole_and_in_order() {
    let mut rig = Rig::new(10, Progress::Ordered);
    rig.events(&[11, 12, 12], true);
    assert_eq!(rig.given(), [(11, 1)]);
    rig.events(&[12], true);
    assert_eq!(rig.given(), []);
    rig.events(&[12, 13], false);
    assert_eq!(rig.given(), [(12, 4), (13, 1)]);
}

#[test]
fn progress_is_not_believed_while_a_part_of_a_commit_is_held_back() {
    let mut rig = Rig::new(20, Progress::Ordered);
    rig.events(&[11], true).take(Delivery::Progress(20));
    assert_eq!(rig.given(), []);
    rig.events(&[11], false);
    assert_eq!(rig.given(), [(11, 2)]);
    rig.take(Delivery::Progress(20));
    assert_eq!(rig.given(), [(20, 0)]);
}

#[test]
fn what_comes_out_of_order_ends_in_a_snapshot_after_what_came_before() {
    let mut rig = Rig::new(10, Progress::Ordered);
    rig.events(&[11], false)
        .take(Delivery::Progress(15))
        .events(&[14], false);
    assert_eq!(rig.given(), [(11, 1), (15, 0)]);
    assert!(is_over(&rig.next_action(), Class::Compacted));
}

#[test]
fn progress_is_wanted_once_for_each_goal_and_never_of_a_server_that_lies() {
    let mut rig = Rig::new(12, Progress::Ordered);
    assert!(matches!(rig.next_action(), Action::Want(12)));
    assert!(matches!(rig.next_action(), Action::Wait(Some(_))));
    rig.state.aim(at(15), rig.now);
    assert!(matches!(rig.next_action(), Action::Want(15)));
    rig.take(Delivery::Progress(15));
    assert_eq!(rig.given(), [(15, 0)]);
    assert!(matches!(rig.next_action(), Action::Wait(None)));

    let mut rig = Rig::new(12, Progress::Unordered);
    assert!(matches!(rig.next_action(), Action::Wait(Some(_))));
    let header = Some(PbResponseHeader {
        revision: 12,
        ..PbResponseHeader::default()
    });
    rig.take(Delivery::Message(PbWatchResponse {
        header,
        ..PbWatchResponse::default()
    }));
    assert_eq!(rig.given(), []);
}

#[test]
fn silence_of_a_dead_member_breaks_the_watch_and_that_of_a_mute_one_is_compared() {
    let mut rig = Rig::new(12, Progress::Ordered);
    assert!(matches!(rig.next_action(), Action::Want(12)));
    rig.passes(LIMIT / 4);
    assert!(matches!(rig.next_action(), Action::Ask(Query::Alive)));
    rig.state.set_alive(false);
    assert!(matches!(rig.next_action(), Action::Break(_)));

    let mut rig = Rig::new(12, Progress::Ordered);
    assert!(matches!(rig.next_action(), Action::Want(12)));
    let began = rig.now;
    assert!(matches!(
        rig.until_more(),
        Action::Ask(Query::Quiet(10, 12))
    ));
    assert_eq!(rig.now - began, LIMIT, "it had its time");
    rig.compared(true, MS);
    assert_eq!(rig.given(), [(12, 0)]);
    // That is remembered: the next time needs no patience.
    assert_eq!(rig.state.progress_is(), Progress::Mute);
    rig.passes(LIMIT);
    rig.state.aim(at(14), rig.now);
    let began = rig.now;
    assert!(matches!(rig.next_action(), Action::Want(14)));
    assert!(matches!(
        rig.until_more(),
        Action::Ask(Query::Quiet(12, 14))
    ));
    assert_eq!(rig.now - began, FIRST_COMPARISON);
    // And forgotten as soon as an answer comes.
    rig.take(Delivery::Progress(14));
    assert_eq!(rig.state.progress_is(), Progress::Ordered);
}

#[test]
fn an_answer_about_life_that_comes_after_news_says_nothing() {
    let mut rig = Rig::new(12, Progress::Ordered);
    assert!(matches!(rig.next_action(), Action::Want(12)));
    rig.passes(LIMIT / 4);
    assert!(matches!(rig.next_action(), Action::Ask(Query::Alive)));
    rig.events(&[11], false).state.set_alive(false);
    assert_eq!(rig.given(), [(11, 1)]);
    assert!(matches!(rig.next_action(), Action::Wait(Some(_))));
}

#[test]
fn a_comparison_that_took_long_is_not_repeated_soon() {
    let mut rig = Rig::new(12, Progress::Unordered);
    assert!(matches!(
        rig.until_more(),
        Action::Ask(Query::Quiet(10, 12))
    ));
    rig.passes(LIMIT);
    let unknown = Err(Fault::new(Class::Unknown, "too slow"));
    rig.state.compared(12, unknown, LIMIT, rig.now);
    let ended = rig.now;
    assert!(matches!(
        rig.until_more(),
        Action::Ask(Query::Quiet(10, 12))
    ));
    assert_eq!(rig.now - ended, LIMIT * COMPARISON_PACE);
    let refused = Err(Fault::new(Class::NeverSent, "nobody is there"));
    rig.state.compared(12, refused, LIMIT, rig.now);
    let ended = rig.now;
    assert!(matches!(
        rig.until_more(),
        Action::Ask(Query::Quiet(10, 12))
    ));
    assert_eq!(rig.now - ended, COMPARE_AGAIN);
}

#[test]
fn a_comparison_proves_nothing_from_where_the_watch_has_come_since_it_was_asked_for() {
    let mut rig = Rig::new(18, Progress::Mute);
    assert!(matches!(rig.next_action(), Action::Want(18)));
    let asked = rig.until_more();
    assert!(matches!(asked, Action::Ask(Query::Quiet(10, 18))));
    // A key comes, and goes before 18: nothing differs between 10 and that.
    rig.events(&[12], false);
    assert_eq!(rig.given(), [(12, 1)]);
    assert!(!rig.state.compared(18, Ok(true), MS, rig.now));
    assert_eq!(rig.given(), [], "it would be there at 18");
    rig.events(&[15], false);
    assert_eq!(rig.given(), [(15, 1)]);
    // From there it is asked anew, and told.
    let asked = rig.until_more();
    assert!(matches!(asked, Action::Ask(Query::Quiet(15, 18))));
    assert!(rig.state.compared(18, Ok(true), MS, rig.now));
    assert_eq!(rig.given(), [(18, 0)]);
}

#[test]
fn what_the_log_has_and_the_watch_never_brings_breaks_it() {
    for progress in [Progress::Ordered, Progress::Mute, Progress::Unordered] {
        let mut rig = Rig::new(10, progress);
        assert!(
            matches!(rig.next_action(), Action::Wait(None)),
            "it has arrived"
        );
        rig.state.aim(at(12), rig.now);
        let began = rig.now;
        let broken = loop {
            match rig.until_more() {
                Action::Want(_) => {}
                Action::Ask(Query::Quiet(..)) => rig.compared(false, MS),
                action => break action,
            }
        };
        assert!(
            matches!(broken, Action::Break(_)),
            "{progress:?}: {broken:?}"
        );
        assert!(rig.now - began <= LIMIT * 3, "{progress:?}");
    }
}

#[test]
fn a_member_that_answers_and_falls_behind_is_left_and_one_that_catches_up_is_not() {
    let falls_behind = |mut rig: Rig| {
        let began = rig.now;
        while rig.now < began + LIMIT * 5 {
            match rig.next_action() {
                Action::Break(_) => return true,
                Action::Ask(Query::Alive) => rig.state.set_alive(true),
                Action::Wait(Some(until)) => rig.now = until,
                _ => {}
            }
            rig.take(Delivery::Progress(10));
        }
        false
    };
    assert!(!falls_behind(Rig::new(12, Progress::Ordered)));
    let mut arrived = Rig::new(10, Progress::Ordered);
    assert!(matches!(arrived.next_action(), Action::Wait(None)));
    arrived.state.aim(at(12), arrived.now);
    assert!(falls_behind(arrived));
}

#[test]
fn a_watch_left_behind_is_replaced_after_what_it_brought_whole() {
    let mut rig = Rig::new(20, Progress::Ordered);
    rig.events(&[11, 12], true).take(Delivery::Moved);
    assert!(!rig.state.is_hungry());
    assert_eq!(rig.given(), [(11, 1)]);
    // `given` has taken the step that asks, and asks no second time.
    assert_eq!(rig.state.asked, Some(Query::Watch(11, true)));
    assert!(matches!(rig.next_action(), Action::Wait(None)));
    let next = Start {
        after: at(11),
        ..start(21, Progress::Ordered)
    };
    rig.state.opened(Ok(next), rig.now);
    assert!(rig.state.stands_still() && rig.state.is_hungry());
    assert!(matches!(rig.next_action(), Action::Want(21)));
    rig.events(&[12], false);
    assert_eq!(rig.given(), [(12, 1)]);
}

#[test]
fn a_tail_told_to_move_gives_out_what_it_has_and_goes_on_elsewhere() {
    let mut rig = Rig::new(10, Progress::Ordered);
    rig.events(&[11], false);
    rig.state.move_over();
    assert_eq!(rig.given(), [(11, 1)]);
    assert_eq!(rig.state.asked, Some(Query::Watch(11, false)));
    assert!(!rig.state.is_hungry());
}

#[test]
fn only_a_snapshot_passes_what_is_forgotten_or_too_large() {
    let mut rig = Rig::new(10, Progress::Ordered);
    let fault = Fault::new(Class::TooLargeToDecode, "decoded message length too large");
    rig.take(Delivery::Ended(fault));
    assert!(is_over(&rig.next_action(), Class::Compacted));

    let mut rig = Rig::new(10, Progress::Ordered);
    rig.take(Delivery::Message(PbWatchResponse {
        compact_revision: 30,
        canceled: true,
        ..PbWatchResponse::default()
    }));
    assert!(is_over(&rig.next_action(), Class::Compacted));

    let mut rig = Rig::new(10, Progress::Ordered);
    rig.take(Delivery::Ended(Fault::new(Class::Unknown, "it is gone")));
    assert!(matches!(rig.next_action(), Action::Break(_)));
}

#[test]
fn another_epoch_ends_it_before_anything_else_is_given_out() {
    let mut rig = Rig::new(10, Progress::Ordered);
    rig.events(&[11], false);
    let elsewhere = Position::new(Epoch::new(2), Revision::ZERO);
    rig.state.aim(elsewhere, rig.now);
    assert!(is_over(&rig.next_action(), Class::Future));
}

#[test]
fn what_an_old_server_brings_first_is_held_back_until_its_history_is_known_to_be_there() {
    let old = Start {
        keeps_deletes: false,
        ..start(11, Progress::Unordered)
    };
    let mut rig = Rig::new(11, Progress::Unordered);
    rig.state = TailState::new(old, LIMIT, rig.now);
    rig.events(&[11], false);
    assert!(matches!(rig.next_action(), Action::Ask(Query::History(10))));
    assert!(matches!(rig.next_action(), Action::Wait(None)));
    rig.state.history(Ok(()));
    assert_eq!(rig.given(), [(11, 1)]);

    rig.state = TailState::new(old, LIMIT, rig.now);
    rig.events(&[11], false);
    assert!(matches!(rig.next_action(), Action::Ask(Query::History(10))));
    let gone = Fault::new(Class::Compacted, "compacted");
    rig.state.history(Err(gone));
    assert!(is_over(&rig.next_action(), Class::Compacted));
}
