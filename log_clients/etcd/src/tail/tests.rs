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
    course: Course,
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
            course: Course::new(start(head, progress), LIMIT, now),
            now,
            keys: Keys::new(""),
            keyspace: Keyspace::new("flags").unwrap(),
        }
    }

    fn step(&mut self) -> Step {
        self.course.step(self.now)
    }

    fn passes(&mut self, time: Duration) -> &mut Rig {
        self.now += time;
        self
    }

    fn take(&mut self, delivery: Delivery) -> &mut Rig {
        let (keys, keyspace) = (&self.keys, &self.keyspace);
        self.course.take(delivery, keys, keyspace, self.now);
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
        while let Step::Give(whole) = self.step() {
            given.push((whole.batch.revision.0, whole.batch.changes.len()));
        }
        given
    }

    /// Lets time pass until there is something to do, answering that the member lives.
    fn until_more(&mut self) -> Step {
        loop {
            match self.step() {
                Step::Wait(Some(until)) => self.now = until,
                Step::Ask(Question::Life) => self.course.lives(true),
                step => return step,
            }
        }
    }

    fn compared(&mut self, quiet: bool, took: Duration) {
        let to = self.course.goal;
        self.course.asked = Some(Question::Quiet(self.course.cursor, to));
        self.course.compared(to, Ok(quiet), took, self.now);
    }
}

fn is_over(step: &Step, class: Class) -> bool {
    matches!(step, Step::Fail(fault) if fault.class == class)
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
    assert!(is_over(&rig.step(), Class::Compacted));
}

#[test]
fn progress_is_wanted_once_for_each_goal_and_never_of_a_server_that_lies() {
    let mut rig = Rig::new(12, Progress::Ordered);
    assert!(matches!(rig.step(), Step::Want(12)));
    assert!(matches!(rig.step(), Step::Wait(Some(_))));
    rig.course.aim(at(15), rig.now);
    assert!(matches!(rig.step(), Step::Want(15)));
    rig.take(Delivery::Progress(15));
    assert_eq!(rig.given(), [(15, 0)]);
    assert!(matches!(rig.step(), Step::Wait(None)));

    let mut rig = Rig::new(12, Progress::Unordered);
    assert!(matches!(rig.step(), Step::Wait(Some(_))));
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
    assert!(matches!(rig.step(), Step::Want(12)));
    rig.passes(LIMIT / 4);
    assert!(matches!(rig.step(), Step::Ask(Question::Life)));
    rig.course.lives(false);
    assert!(matches!(rig.step(), Step::Break(_)));

    let mut rig = Rig::new(12, Progress::Ordered);
    assert!(matches!(rig.step(), Step::Want(12)));
    let began = rig.now;
    assert!(matches!(
        rig.until_more(),
        Step::Ask(Question::Quiet(10, 12))
    ));
    assert_eq!(rig.now - began, LIMIT, "it had its time");
    rig.compared(true, MS);
    assert_eq!(rig.given(), [(12, 0)]);
    // That is remembered: the next time needs no patience.
    assert_eq!(rig.course.progress_is(), Progress::Mute);
    rig.passes(LIMIT);
    rig.course.aim(at(14), rig.now);
    let began = rig.now;
    assert!(matches!(rig.step(), Step::Want(14)));
    assert!(matches!(
        rig.until_more(),
        Step::Ask(Question::Quiet(12, 14))
    ));
    assert_eq!(rig.now - began, FIRST_COMPARISON);
    // And forgotten as soon as an answer comes.
    rig.take(Delivery::Progress(14));
    assert_eq!(rig.course.progress_is(), Progress::Ordered);
}

#[test]
fn an_answer_about_life_that_comes_after_news_says_nothing() {
    let mut rig = Rig::new(12, Progress::Ordered);
    assert!(matches!(rig.step(), Step::Want(12)));
    rig.passes(LIMIT / 4);
    assert!(matches!(rig.step(), Step::Ask(Question::Life)));
    rig.events(&[11], false).course.lives(false);
    assert_eq!(rig.given(), [(11, 1)]);
    assert!(matches!(rig.step(), Step::Wait(Some(_))));
}

#[test]
fn a_comparison_that_took_long_is_not_repeated_soon() {
    let mut rig = Rig::new(12, Progress::Unordered);
    assert!(matches!(
        rig.until_more(),
        Step::Ask(Question::Quiet(10, 12))
    ));
    rig.passes(LIMIT);
    let unknown = Err(Fault::new(Class::Unknown, "too slow"));
    rig.course.compared(12, unknown, LIMIT, rig.now);
    let ended = rig.now;
    assert!(matches!(
        rig.until_more(),
        Step::Ask(Question::Quiet(10, 12))
    ));
    assert_eq!(rig.now - ended, LIMIT * COMPARISON_PACE);
    let refused = Err(Fault::new(Class::NeverSent, "nobody is there"));
    rig.course.compared(12, refused, LIMIT, rig.now);
    let ended = rig.now;
    assert!(matches!(
        rig.until_more(),
        Step::Ask(Question::Quiet(10, 12))
    ));
    assert_eq!(rig.now - ended, COMPARE_AGAIN);
}

#[test]
fn what_the_log_has_and_the_watch_never_brings_breaks_it() {
    for progress in [Progress::Ordered, Progress::Mute, Progress::Unordered] {
        let mut rig = Rig::new(10, progress);
        assert!(matches!(rig.step(), Step::Wait(None)), "it has arrived");
        rig.course.aim(at(12), rig.now);
        let began = rig.now;
        let broken = loop {
            match rig.until_more() {
                Step::Want(_) => {}
                Step::Ask(Question::Quiet(..)) => rig.compared(false, MS),
                step => break step,
            }
        };
        assert!(matches!(broken, Step::Break(_)), "{progress:?}: {broken:?}");
        assert!(rig.now - began <= LIMIT * 3, "{progress:?}");
    }
}

#[test]
fn a_member_that_answers_and_falls_behind_is_left_and_one_that_catches_up_is_not() {
    let falls_behind = |mut rig: Rig| {
        let began = rig.now;
        while rig.now < began + LIMIT * 5 {
            match rig.step() {
                Step::Break(_) => return true,
                Step::Ask(Question::Life) => rig.course.lives(true),
                Step::Wait(Some(until)) => rig.now = until,
                _ => {}
            }
            rig.take(Delivery::Progress(10));
        }
        false
    };
    assert!(!falls_behind(Rig::new(12, Progress::Ordered)));
    let mut arrived = Rig::new(10, Progress::Ordered);
    assert!(matches!(arrived.step(), Step::Wait(None)));
    arrived.course.aim(at(12), arrived.now);
    assert!(falls_behind(arrived));
}

#[test]
fn a_watch_left_behind_is_replaced_after_what_it_brought_whole() {
    let mut rig = Rig::new(20, Progress::Ordered);
    rig.events(&[11, 12], true).take(Delivery::Moved);
    assert!(!rig.course.is_hungry());
    assert_eq!(rig.given(), [(11, 1)]);
    // `given` has taken the step that asks, and asks no second time.
    assert_eq!(rig.course.asked, Some(Question::Watch(11, true)));
    assert!(matches!(rig.step(), Step::Wait(None)));
    let next = Start {
        after: at(11),
        ..start(21, Progress::Ordered)
    };
    rig.course.opened(Ok(next), rig.now);
    assert!(rig.course.stands_still() && rig.course.is_hungry());
    assert!(matches!(rig.step(), Step::Want(21)));
    rig.events(&[12], false);
    assert_eq!(rig.given(), [(12, 1)]);
}

#[test]
fn a_tail_told_to_move_gives_out_what_it_has_and_goes_on_elsewhere() {
    let mut rig = Rig::new(10, Progress::Ordered);
    rig.events(&[11], false);
    rig.course.move_over();
    assert_eq!(rig.given(), [(11, 1)]);
    assert_eq!(rig.course.asked, Some(Question::Watch(11, false)));
    assert!(!rig.course.is_hungry());
}

#[test]
fn only_a_snapshot_passes_what_is_forgotten_or_too_large() {
    let mut rig = Rig::new(10, Progress::Ordered);
    let fault = Fault::new(Class::TooLargeToDecode, "decoded message length too large");
    rig.take(Delivery::Ended(fault));
    assert!(is_over(&rig.step(), Class::Compacted));

    let mut rig = Rig::new(10, Progress::Ordered);
    rig.take(Delivery::Message(PbWatchResponse {
        compact_revision: 30,
        canceled: true,
        ..PbWatchResponse::default()
    }));
    assert!(is_over(&rig.step(), Class::Compacted));

    let mut rig = Rig::new(10, Progress::Ordered);
    rig.take(Delivery::Ended(Fault::new(Class::Unknown, "it is gone")));
    assert!(matches!(rig.step(), Step::Break(_)));
}

#[test]
fn another_epoch_ends_it_before_anything_else_is_given_out() {
    let mut rig = Rig::new(10, Progress::Ordered);
    rig.events(&[11], false);
    let elsewhere = Position::new(Epoch::new(2), Revision::ZERO);
    rig.course.aim(elsewhere, rig.now);
    assert!(is_over(&rig.step(), Class::Future));
}

#[test]
fn what_an_old_server_brings_first_is_held_back_until_its_history_is_known_to_be_there() {
    let old = Start {
        keeps_deletes: false,
        ..start(11, Progress::Unordered)
    };
    let mut rig = Rig::new(11, Progress::Unordered);
    rig.course = Course::new(old, LIMIT, rig.now);
    rig.events(&[11], false);
    assert!(matches!(rig.step(), Step::Ask(Question::History(10))));
    assert!(matches!(rig.step(), Step::Wait(None)));
    rig.course.history(Ok(()));
    assert_eq!(rig.given(), [(11, 1)]);

    rig.course = Course::new(old, LIMIT, rig.now);
    rig.events(&[11], false);
    assert!(matches!(rig.step(), Step::Ask(Question::History(10))));
    let gone = Fault::new(Class::Compacted, "compacted");
    rig.course.history(Err(gone));
    assert!(is_over(&rig.step(), Class::Compacted));
}
