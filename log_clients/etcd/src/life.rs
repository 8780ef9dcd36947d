//! What is known of the log's present life, and how an answer from another life is told.
//!
//! Never talks to a server, and never holds its lock while it wakes anybody.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use etcd_client::proto::PbResponseHeader;
use globe_log_client::{Epoch, Keyspace, Position, Revision};
use tokio::sync::watch;

use crate::records::marker::Marker;
use crate::records::witness::{LastChange, Testimony, Witness};

/// All this client remembers of its log. Forgotten as a whole when the log begins another life.
#[derive(Default)]
pub(crate) struct Life {
    facts: Mutex<Facts>,
    /// Held while a new life is agreed on, so that it is done once.
    pub(crate) changing: tokio::sync::Mutex<()>,
}

/// Everything under one lock, so that a new life replaces all of it at once.
#[derive(Default)]
struct Facts {
    known: Option<Known>,
    keyspaces: HashMap<Keyspace, Followed>,
    /// One in which this role could read.
    readable: Option<Keyspace>,
    /// The role does not allow this log's own records.
    is_blind: bool,
}

/// What every later answer must agree with.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) epoch: Epoch,
    pub(crate) cluster: u64,
    /// The highest revision of a linearizable answer.
    pub(crate) revision: u64,
    pub(crate) term: u64,
    pub(crate) marker: Option<Marker>,
    pub(crate) witness: Option<Witness>,
}

/// What is remembered of one keyspace.
struct Followed {
    /// What tails of this keyspace must reach.
    target: Position,
    /// Where they look for it.
    shown: watch::Sender<Position>,
    seen: Option<Seen>,
}

/// What was last seen of a keyspace.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Everything up to here was seen.
    pub(crate) at: u64,
    /// Nothing changed after this, up to there.
    pub(crate) changed: u64,
    /// What changed last, unless that was not seen.
    pub(crate) last: Option<LastChange>,
}

impl Seen {
    /// Whether the keyspace was, at this revision, as it was last seen.
    pub(crate) fn covers(&self, revision: u64) -> bool {
        (self.changed..=self.at).contains(&revision)
    }
}

/// What a linearizable answer shows of the life it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Signs {
    pub(crate) cluster: u64,
    pub(crate) revision: u64,
    pub(crate) term: u64,
    /// `None` when it could not be read.
    pub(crate) marker: Option<Option<Marker>>,
    pub(crate) testimony: Option<Testimony>,
}

impl Signs {
    /// What the header of an answer shows. The rest has to be asked for.
    pub(crate) fn of(header: Option<&PbResponseHeader>) -> Signs {
        let revision = header.map_or(0, |header| header.revision);
        Signs {
            cluster: header.map_or(0, |header| header.cluster_id),
            revision: u64::try_from(revision).unwrap_or(0),
            term: header.map_or(0, |header| header.raft_term),
            marker: None,
            testimony: None,
        }
    }
}

/// What the signs mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Nothing was known before.
    First,
    Same,
    /// Another client has seen a new life begin, and named it.
    Named(Marker),
    /// The log is not the one that was known: why.
    Changed(&'static str),
}

/// Whether an answer comes from the life known when the request was sent. Only of linearizable answers: a member that
/// lags behind shows an older revision of the same life, and so may the message that creates a watch.
///
/// A restored cluster need not have another id, nor a lower revision once it has been written for a while. Then the
/// term tells, or the marker, or the witness.
pub(crate) fn judge(known: Option<&Known>, signs: &Signs) -> Judgement {
    let Some(known) = known else {
        return Judgement::First;
    };
    let named = known.marker.map(|marker| (marker.id, marker.counter));
    let (known_id, known_counter) = named.unzip();
    if let Some(Some(marker)) = signs.marker
        && Some(marker.id) != known_id
        && marker.counter > known_counter.unwrap_or(0)
    {
        return Judgement::Named(marker);
    }
    if signs.cluster != known.cluster {
        return Judgement::Changed("another cluster answers");
    }
    if signs.revision < known.revision {
        return Judgement::Changed("its revision went back");
    }
    // A member that has just been given a whole backup says 0 until it applies something.
    if signs.term != 0 && signs.term < known.term {
        return Judgement::Changed("its raft term went back");
    }
    if let Some(found) = signs.marker
        && found.map(|marker| marker.id) != known_id
    {
        return Judgement::Changed("its epoch marker went back");
    }
    if signs.testimony == Some(Testimony::OtherHistory) {
        return Judgement::Changed("a record seen before is not in its history");
    }
    Judgement::Same
}

impl Life {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn known(&self) -> Option<Known> {
        self.facts().known.clone()
    }

    /// Whether the role does not allow the epoch marker: it is not asked for again.
    pub(crate) fn is_blind(&self) -> bool {
        self.facts().is_blind
    }

    pub(crate) fn set_blind(&self) {
        self.facts().is_blind = true;
    }

    /// A keyspace that this role could read in: the first one since there was none.
    pub(crate) fn readable(&self) -> Option<Keyspace> {
        self.facts().readable.clone()
    }

    pub(crate) fn set_readable(&self, keyspace: &Keyspace) {
        let mut facts = self.facts();
        if facts.readable.is_none() {
            facts.readable = Some(keyspace.clone());
        }
    }

    pub(crate) fn set_unreadable(&self, keyspace: &Keyspace) {
        let mut facts = self.facts();
        facts.readable.take_if(|readable| readable == keyspace);
    }

    /// What is known of this life, if it is the present one.
    pub(crate) fn known_of(&self, epoch: Epoch) -> Option<Known> {
        self.known().filter(|known| known.epoch == epoch)
    }

    /// Starts another life, unless it is not `before` any more that is known. Everything remembered is forgotten, and
    /// every tail learns of it.
    pub(crate) fn begin(&self, before: Option<Epoch>, known: Known) {
        let mut facts = self.facts();
        if facts.known.as_ref().map(|known| known.epoch) != before {
            return;
        }
        let start = Position::new(known.epoch, Revision::ZERO);
        let mut aimed = Vec::new();
        for (keyspace, followed) in &mut facts.keyspaces {
            followed.seen = None;
            followed.target = start;
            aimed.push((keyspace.clone(), followed.shown.clone()));
        }
        facts.known = Some(known);
        drop(facts);
        for (keyspace, shown) in aimed {
            self.show(&keyspace, &shown);
        }
    }

    /// Remembers how far a linearizable answer was. False when the life has changed meanwhile: then the answer may be
    /// of either.
    pub(crate) fn raise(&self, epoch: Epoch, signs: &Signs) -> bool {
        let mut facts = self.facts();
        match &mut facts.known {
            Some(known) if known.epoch == epoch => {
                known.revision = known.revision.max(signs.revision);
                known.term = known.term.max(signs.term);
                true
            }
            _ => false,
        }
    }

    /// What tails of a keyspace must reach.
    pub(crate) fn target(&self, keyspace: &Keyspace) -> watch::Receiver<Position> {
        let mut facts = self.facts();
        facts.followed(keyspace).shown.subscribe()
    }

    /// Tails of the keyspace must reach this position now.
    pub(crate) fn aim(&self, keyspace: &Keyspace, position: Position) {
        let mut facts = self.facts();
        if facts.known.as_ref().map(|known| known.epoch) != Some(position.epoch) {
            return;
        }
        let followed = facts.followed(keyspace);
        if !followed.target.covers(position) {
            followed.target = position;
        }
        let shown = followed.shown.clone();
        drop(facts);
        self.show(keyspace, &shown);
    }

    /// Shows tails what they must reach: not what it was when that was decided, which may have been overtaken since, but
    /// what it is now.
    fn show(&self, keyspace: &Keyspace, shown: &watch::Sender<Position>) {
        shown.send_if_modified(|shown| {
            let target = self.facts().followed(keyspace).target;
            std::mem::replace(shown, target) != target
        });
    }

    pub(crate) fn seen(&self, keyspace: &Keyspace) -> Option<Seen> {
        self.facts().followed(keyspace).seen.clone()
    }

    /// Remembers what was seen of a keyspace, unless more was seen already, or in another life.
    pub(crate) fn saw(&self, keyspace: &Keyspace, epoch: Epoch, seen: Seen) {
        let mut facts = self.facts();
        let Some(known) = facts.known.as_mut().filter(|known| known.epoch == epoch) else {
            return;
        };
        if let Some(LastChange::Put(last)) = &seen.last {
            known.testify_by(last);
        }
        let followed = facts.followed(keyspace);
        if followed.seen.as_ref().is_none_or(|old| old.at <= seen.at) {
            followed.seen = Some(seen);
        }
    }

    /// Remembers a put, unless a later one is known, or it was in another life.
    pub(crate) fn witnessed(&self, epoch: Epoch, witness: &Witness) {
        let mut facts = self.facts();
        if let Some(known) = facts.known.as_mut().filter(|known| known.epoch == epoch) {
            known.testify_by(witness);
        }
    }

    /// The history at this witness's revision is forgotten: ask it about the present from now on.
    pub(crate) fn weaken(&self, witness: &Witness) {
        self.with_witness(witness, |slot| {
            if let Some(witness) = slot {
                witness.is_forgotten = true;
            }
        });
    }

    /// This witness has nothing to say any more.
    pub(crate) fn dismiss(&self, witness: &Witness) {
        self.with_witness(witness, |slot| *slot = None);
    }

    fn with_witness(&self, witness: &Witness, change: impl FnOnce(&mut Option<Witness>)) {
        let mut facts = self.facts();
        if let Some(known) = &mut facts.known
            && known.witness.as_ref() == Some(witness)
        {
            change(&mut known.witness);
        }
    }
}

impl Known {
    fn testify_by(&mut self, witness: &Witness) {
        let newer = |old: &Witness| old.revision < witness.revision;
        if self.witness.as_ref().is_none_or(newer) {
            self.witness = Some(witness.clone());
        }
    }
}

impl Facts {
    fn followed(&mut self, keyspace: &Keyspace) -> &mut Followed {
        let epoch = self.known.as_ref().map(|known| known.epoch);
        self.keyspaces.entry(keyspace.clone()).or_insert_with(|| {
            let target = Position::new(epoch.unwrap_or_default(), Revision::ZERO);
            Followed {
                target,
                shown: watch::Sender::new(target),
                seen: None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn marker(counter: u64, id: u64) -> Marker {
        Marker { counter, id }
    }

    fn known() -> Known {
        Known {
            epoch: Epoch::new(1),
            cluster: 7,
            revision: 100,
            term: 3,
            marker: Some(marker(2, 22)),
            witness: None,
        }
    }

    fn signs() -> Signs {
        Signs {
            cluster: 7,
            revision: 100,
            term: 3,
            marker: Some(Some(marker(2, 22))),
            testimony: Some(Testimony::SameHistory),
        }
    }

    #[test]
    fn whatever_went_back_is_another_life() {
        assert_eq!(judge(None, &signs()), Judgement::First);
        let known = known();
        let judged = |change: fn(&mut Signs)| {
            let mut signs = signs();
            change(&mut signs);
            judge(Some(&known), &signs)
        };
        let same = [
            judged(|_| ()),
            judged(|signs| signs.revision = 101),
            judged(|signs| signs.term = 0),
            judged(|signs| signs.marker = None),
            judged(|signs| signs.testimony = Some(Testimony::Silent)),
            judged(|signs| signs.testimony = None),
        ];
        for judgement in same {
            assert_eq!(judgement, Judgement::Same);
        }
        let changed = [
            judged(|signs| signs.cluster = 8),
            judged(|signs| signs.revision = 99),
            judged(|signs| signs.term = 2),
            judged(|signs| signs.marker = Some(None)),
            judged(|signs| signs.marker = Some(Some(marker(1, 11)))),
            judged(|signs| signs.marker = Some(Some(marker(2, 23)))),
            judged(|signs| signs.testimony = Some(Testimony::OtherHistory)),
        ];
        for judgement in changed {
            assert!(matches!(judgement, Judgement::Changed(_)), "{judgement:?}");
        }
    }

    #[test]
    fn a_life_named_by_another_client_is_taken_over_whatever_else_changed() {
        let mut signs = signs();
        signs.marker = Some(Some(marker(3, 33)));
        signs.revision = 4;
        let judgement = judge(Some(&known()), &signs);
        assert_eq!(judgement, Judgement::Named(marker(3, 33)));
    }

    #[test]
    fn what_tails_must_reach_never_goes_back_whoever_shows_it() {
        const LAST: u64 = 20_000;
        let (life, keyspace) = (Life::default(), Keyspace::new("flags").unwrap());
        life.begin(None, known());
        let target = life.target(&keyspace);
        let next = AtomicU64::new(1);
        std::thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| {
                    loop {
                        let revision = next.fetch_add(1, Ordering::Relaxed);
                        if revision > LAST {
                            break;
                        }
                        life.aim(&keyspace, Position::new(Epoch::new(1), Revision(revision)));
                        let shown = target.borrow().revision;
                        assert!(shown >= Revision(revision), "{shown} is shown");
                    }
                });
            }
        });
        assert_eq!(target.borrow().revision, Revision(LAST));
        let next = Known {
            epoch: Epoch::new(2),
            ..known()
        };
        life.begin(Some(Epoch::new(1)), next);
        life.aim(&keyspace, Position::new(Epoch::new(1), Revision(LAST + 1)));
        let start = Position::new(Epoch::new(2), Revision::ZERO);
        assert_eq!(*target.borrow(), start, "of another life");
    }
}
