//! The state of one tail: what a watch delivers, made whole, ordered and proved to reach the head.
//!
//! Never talks to anybody: it is told what happened, and says what is to be done next.

use std::collections::VecDeque;
use std::time::Duration;

use etcd_client::proto::PbWatchResponse;
use globe_log_client::{Keyspace, Position, Revision};
use tokio::time::Instant;

use crate::fault::{Class, Fault};
use crate::records::keys::Keys;
use crate::streams::mailbox::Delivery;
use crate::tail::action::{Action, Progress, Query, Start};
use crate::tail::fragments::{Fragments, WholeCommit, group};
use crate::tail::watch_handle::refused;

/// Comparing a keyspace at two revisions costs the server a look at all of it, so events get some time first.
const FIRST_COMPARISON: Duration = Duration::from_millis(100);
/// The pause after a comparison is so many times as long as that took, within these bounds.
const COMPARISON_PACE: u32 = 20;
const COMPARE_AGAIN: Duration = Duration::from_millis(250);
const COMPARE_AT_LAST: Duration = Duration::from_secs(30);
/// How many times its usual limit a tail may take for its first catch-up, while its member is known to be alive.
const CATCH_UP_FACTOR: u32 = 60;

/// How its watch stands.
#[derive(Debug)]
enum Watch {
    Open,
    /// Another is needed; whether on a stream of its own.
    Gone {
        alone: bool,
    },
    Broken(Fault),
    Over(Fault),
}

/// The state of one tail. It is asked what to do next ([`next_action`](TailState::next_action)) and told what came of
/// that, so that every order of events can be a test, with no server and no clock.
///
/// What it sees to: batches are whole, and their revisions grow; whatever is known to be committed arrives, or is
/// proved to be nothing of this keyspace, or the tail breaks in bounded time; and of a silent member it is found out
/// first whether it is alive.
pub(crate) struct TailState {
    start: Start,
    /// Everything up to here was received.
    cursor: u64,
    /// What must be reached: a revision that was proved to be committed.
    goal: u64,
    watch: Watch,
    fragments: Fragments,
    ready: VecDeque<WholeCommit>,
    /// How long it may be silent while something is owed.
    limit: Duration,
    /// When its watch was opened.
    opened: Instant,
    /// When it last came closer to the goal, or was given one.
    advanced: Instant,
    /// It has been at a goal once: from then on silence means that it is broken.
    has_arrived: bool,
    history_is_there: bool,
    /// The goal for which progress was last asked.
    wanted: u64,
    /// A progress reply came since it last advanced.
    was_answered: bool,
    /// The member showed that it is alive since it last advanced.
    is_alive: bool,
    asked: Option<Query>,
    next_comparison: Instant,
    /// Something was found that lies before this revision and has not come, and when.
    owed: Option<(u64, Instant)>,
}

impl TailState {
    pub(crate) fn new(start: Start, limit: Duration, now: Instant) -> TailState {
        TailState {
            start,
            cursor: start.after.revision.0,
            goal: start.head.revision.0,
            watch: Watch::Open,
            fragments: Fragments::default(),
            ready: VecDeque::new(),
            limit,
            opened: now,
            advanced: now,
            has_arrived: false,
            history_is_there: start.keeps_deletes,
            wanted: 0,
            was_answered: false,
            is_alive: false,
            asked: None,
            next_comparison: now,
            owed: None,
        }
    }

    /// Everything up to here was received.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Whether it was at a goal once.
    pub(crate) fn has_arrived(&self) -> bool {
        self.has_arrived
    }

    /// What progress of the member is worth, as far as was seen.
    pub(crate) fn progress_is(&self) -> Progress {
        self.start.progress
    }

    /// Whether its watch did not bring it forward at all.
    pub(crate) fn stands_still(&self) -> bool {
        self.cursor == self.start.after.revision.0
    }

    /// Whether more deliveries can be taken.
    pub(crate) fn is_hungry(&self) -> bool {
        matches!(self.watch, Watch::Open) && self.ready.is_empty()
    }

    /// Takes over what was proved to be committed meanwhile.
    pub(crate) fn aim(&mut self, target: Position, now: Instant) {
        if target.epoch != self.start.after.epoch {
            self.ready.clear();
            let text = "the log is in another epoch";
            self.watch = Watch::Over(Fault::new(Class::Future, text));
        } else if target.revision.0 > self.goal {
            if self.cursor >= self.goal {
                self.advances(now);
            }
            self.goal = target.revision.0;
        }
    }

    /// Another member is to be used: a watch there takes over.
    pub(crate) fn move_over(&mut self) {
        if matches!(self.watch, Watch::Open) {
            self.watch = Watch::Gone { alone: false };
        }
    }

    /// What to do next. To be asked again after each input, and when the time has come.
    pub(crate) fn next_action(&mut self, now: Instant) -> Action {
        if !self.has_arrived && self.cursor >= self.goal {
            // Servers with a known fault may have lost a delete to a compaction on the way: if there was one, nobody can
            // tell.
            match self.watch {
                _ if self.history_is_there => {}
                Watch::Over(_) => self.ready.clear(),
                _ => return self.ask(Query::History(self.start.after.revision.0)),
            }
            self.has_arrived = true;
        }
        if let Some(whole) = self.ready.pop_front() {
            return Action::Give(whole);
        }
        match &self.watch {
            Watch::Over(fault) => Action::Fail(fault.clone()),
            Watch::Broken(fault) => Action::Break(fault.clone()),
            Watch::Gone { alone } => self.ask(Query::Watch(self.cursor, *alone)),
            Watch::Open if self.cursor < self.goal => self.hurry(now),
            Watch::Open => Action::Wait(None),
        }
    }

    /// Asks once: the same question is not repeated before it is answered.
    fn ask(&mut self, query: Query) -> Action {
        if self.asked == Some(query) {
            return Action::Wait(None);
        }
        self.asked = Some(query);
        Action::Ask(query)
    }

    /// It is behind: has progress asked for, and gives up when nothing comes.
    fn hurry(&mut self, now: Instant) -> Action {
        let is_ordered = self.start.progress != Progress::Unordered;
        if is_ordered && self.wanted < self.goal {
            self.wanted = self.goal;
            return Action::Want(self.goal);
        }
        if let Some((owed, since)) = self.owed
            && now >= since + self.limit
            && !self.may_be_catching_up(now)
        {
            return self.silent(format!(
                "what was committed before revision {owed} did not come"
            ));
        }
        if self.asked.is_some() {
            return Action::Wait(None);
        }
        let compare_at = match self.start.progress {
            Progress::Ordered if !self.is_alive || self.was_answered => None,
            Progress::Ordered => Some(self.next_comparison.max(self.advanced + self.limit)),
            _ => Some(self.next_comparison.max(self.advanced + FIRST_COMPARISON)),
        };
        if compare_at.is_some_and(|at| now >= at) {
            return self.ask(Query::Quiet(self.cursor, self.goal));
        }
        let alive_until = self.advanced
            + if self.is_alive {
                self.limit
            } else {
                self.limit / 4
            };
        if now < alive_until {
            return Action::Wait(Some(
                compare_at.map_or(alive_until, |at| at.min(alive_until)),
            ));
        }
        if !self.is_alive {
            return self.ask(Query::Alive);
        }
        self.outlast(now)
    }

    /// Nothing came for too long, from a member that is alive.
    fn outlast(&mut self, now: Instant) -> Action {
        // Who answers and does not go on has lost touch with its leader.
        if self.was_answered && !self.may_be_catching_up(now) {
            return self.silent(format!("revision {} is committed", self.goal));
        }
        self.advances(now);
        self.hurry(now)
    }

    /// A long first catch-up is forgiven.
    fn may_be_catching_up(&self, now: Instant) -> bool {
        !self.has_arrived && now < self.opened + self.limit * CATCH_UP_FACTOR
    }

    /// The watch is given up. Nothing is missing: the next one goes on from the cursor.
    fn silent(&self, although: String) -> Action {
        let text = format!("nothing new came for {:?}: {although}", self.limit);
        Action::Break(Fault::new(Class::Unknown, text))
    }

    /// It came closer: what was found out about the silence before counts no more.
    fn advances(&mut self, now: Instant) {
        self.advanced = now;
        self.was_answered = false;
        self.is_alive = false;
        if self.asked == Some(Query::Alive) {
            self.asked = None;
        }
    }

    /// Takes what the watch brought.
    pub(crate) fn take(
        &mut self,
        delivery: Delivery,
        keys: &Keys,
        keyspace: &Keyspace,
        now: Instant,
    ) {
        match delivery {
            Delivery::Opened => {}
            Delivery::Message(message) => self.receive(message, keys, keyspace, now),
            Delivery::Progress(revision) => {
                self.was_answered = true;
                if self.start.progress == Progress::Mute {
                    self.start.progress = Progress::Ordered;
                }
                self.progress(revision, now);
            }
            Delivery::Moved => self.watch = Watch::Gone { alone: true },
            Delivery::Ended(fault) if fault.class == Class::TooLargeToDecode => {
                let text = format!("only a snapshot can pass over it: {fault}");
                self.watch = Watch::Over(Fault::new(Class::Compacted, text));
            }
            Delivery::Ended(fault) => self.watch = Watch::Broken(fault),
        }
    }

    /// Takes a message of the watch: the end of it, events, or progress. What is cancelled goes on elsewhere; what is
    /// compacted cannot.
    fn receive(
        &mut self,
        message: PbWatchResponse,
        keys: &Keys,
        keyspace: &Keyspace,
        now: Instant,
    ) {
        if message.compact_revision > 0 {
            self.watch = Watch::Over(refused(&message));
        } else if message.canceled {
            self.watch = Watch::Broken(refused(&message));
        } else if !message.events.is_empty() || message.fragment {
            let events = self.fragments.join(message.events, message.fragment);
            for whole in group(keys, keyspace, events) {
                self.queue(whole, now);
            }
            // A part of a commit is a sign of life as well.
            self.advances(now);
        } else if self.start.progress != Progress::Unordered {
            let revision = message.header.map_or(0, |header| header.revision);
            self.progress(u64::try_from(revision).unwrap_or(0), now);
        }
    }

    /// Takes a whole commit. One that does not come after what was delivered ends the tail: servers below 3.5.8 may
    /// repeat, reorder, or lose events.
    fn queue(&mut self, whole: WholeCommit, now: Instant) {
        let revision = whole.batch.revision.0;
        if revision <= self.cursor {
            // It may be a repetition, but it may also have been missing: only a snapshot can tell.
            let text = format!(
                "revision {revision} came after everything up to {} was delivered",
                self.cursor
            );
            self.watch = Watch::Over(Fault::new(Class::Compacted, text));
            return;
        }
        self.cursor = revision;
        self.owed = self.owed.filter(|(owed, _)| *owed > revision);
        self.advances(now);
        self.ready.push_back(whole);
    }

    /// Everything up to `revision` was delivered.
    fn progress(&mut self, revision: u64, now: Instant) {
        let is_open = self.fragments.is_open();
        if revision > self.cursor && !is_open {
            self.queue(WholeCommit::empty(Revision(revision)), now);
        }
    }

    /// The answer to [`Query::Alive`].
    pub(crate) fn set_alive(&mut self, is_alive: bool) {
        if self.asked != Some(Query::Alive) {
            // Something came meanwhile.
            return;
        }
        self.asked = None;
        self.is_alive = is_alive;
        if !is_alive && matches!(self.watch, Watch::Open) {
            let text = format!("it is silent although revision {} is committed", self.goal);
            self.watch = Watch::Broken(Fault::new(Class::Unknown, text));
        }
    }

    /// The answer to [`Query::Quiet`]: whether nothing differs between the cursor of then and `to`. Says whether it is there
    /// with that.
    pub(crate) fn compared(
        &mut self,
        to: u64,
        quiet: Result<bool, Fault>,
        took: Duration,
        now: Instant,
    ) -> bool {
        // What has come since may have been undone before `to`: no difference in all, and one from here on.
        let is_of_now = self.asked.take() == Some(Query::Quiet(self.cursor, to));
        // What was never carried out has cost the server nothing.
        let is_free = |fault: &Fault| matches!(fault.class, Class::NeverSent | Class::NotExecuted);
        let cost = if quiet.as_ref().is_err_and(is_free) {
            Duration::ZERO
        } else {
            took
        };
        self.next_comparison = now + (cost * COMPARISON_PACE).clamp(COMPARE_AGAIN, COMPARE_AT_LAST);
        let is_final = |class| matches!(class, Class::Compacted | Class::Future | Class::Denied);
        match quiet {
            Ok(true) if is_of_now => {
                if self.start.progress == Progress::Ordered && !self.was_answered {
                    self.start.progress = Progress::Mute;
                }
                self.wanted = to;
                self.progress(to, now);
                return true;
            }
            Ok(false) if self.cursor < to => {
                self.owed.get_or_insert((to, now));
            }
            Err(fault) if is_final(fault.class) => self.watch = Watch::Over(fault),
            // Nobody could be asked, or it is to be asked anew.
            Ok(_) | Err(_) => {}
        }
        false
    }

    /// The answer to [`Query::History`].
    pub(crate) fn history(&mut self, there: Result<(), Fault>) {
        self.asked = None;
        match there {
            Ok(()) => self.history_is_there = true,
            Err(fault) => self.watch = Watch::Over(fault),
        }
    }

    /// The answer to [`Query::Watch`].
    pub(crate) fn opened(&mut self, start: Result<Start, Fault>, now: Instant) {
        match start {
            Ok(start) => {
                let next_comparison = self.next_comparison;
                let goal = self.goal.max(start.head.revision.0);
                *self = TailState {
                    goal,
                    next_comparison,
                    ..TailState::new(start, self.limit, now)
                };
            }
            Err(fault) => {
                self.asked = None;
                self.watch = Watch::Over(fault);
            }
        }
    }
}

#[cfg(test)]
mod tests;
