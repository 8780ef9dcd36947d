//! What must be true of sessions, claims and tokens: the claims of a history, each with all that is known of it, for the
//! checkers in this folder.
//!
//! All nodes of a run are in one process and have one clock, so what was seen on one of them can be set against what was
//! seen on another: a *look* at a guard, which takes from `call` to `ret`, proves that it stood so at some moment in between,
//! and nothing of any other moment. What a third party ended before its time its owner cannot know at once: of a claim that
//! was meddled with, later looks are left out here, once and for all.

pub(crate) mod enough;
pub(crate) mod fences;
pub(crate) mod gates;
pub(crate) mod holders;
pub(crate) mod late;
pub(crate) mod outlived;
pub(crate) mod presence;
pub(crate) mod resumed;
pub(crate) mod settled;
pub(crate) mod stays;
pub(crate) mod tokens;

use std::collections::BTreeMap;

use globe::{Position, Revision, Token};

use super::timeline::{Moment, Timeline};
use crate::history::{
    At, ClaimAsked, ClaimDid, ClaimRun, History, Meddled, Meddling, SessionDid, Share, Standing,
};
use crate::workload::CLAIMS;
use stays::{Stay, stays};

/// One look at a guard or a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) standing: &'a Standing,
    /// Of a session: something had happened to it since the look before.
    pub(crate) was_away: bool,
    pub(crate) call: At,
    pub(crate) ret: At,
}

impl Look<'_> {
    pub(crate) fn is_live(&self) -> bool {
        *self.standing == Standing::Live
    }
}

/// A session, from when it was opened.
#[derive(Debug)]
pub(crate) struct Tenure<'a> {
    pub(crate) name: &'a str,
    pub(crate) looks: Vec<Look<'a>>,
    /// When it had been ended by its own process, and whether its leases are revoked since.
    pub(crate) ended: Option<(At, bool)>,
    /// When a third party began to end a lease of it.
    pub(crate) meddled: Option<At>,
}

/// A claim, from when it was asked for.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    pub(crate) asked: &'a ClaimAsked,
    /// The name of its session.
    pub(crate) by: &'a str,
    /// When a guard was had, at the latest.
    pub(crate) granted: Option<(Token, At)>,
    /// What is in the log of it.
    pub(crate) stay: Option<&'a Stay>,
    /// How its guard was seen, in the order of time.
    pub(crate) looks: Vec<Look<'a>>,
    /// When nobody had anything to do with it any more.
    pub(crate) over: Option<At>,
}

impl Story<'_> {
    /// The looks that saw it held.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Look<'_>> {
        self.looks.iter().filter(|look| look.is_live())
    }

    /// Between these it was let in, whether it was suspended meanwhile or not.
    pub(crate) fn span(&self) -> Option<(At, At)> {
        let first = self.held().next()?.ret;
        Some((first, self.held().last()?.call))
    }

    pub(crate) fn token(&self) -> Option<Token> {
        self.granted.map(|(token, _)| token)
    }

    /// Whether it could be let in together with another one of its name, as far as these two go.
    pub(crate) fn agrees_with(&self, other: &Story<'_>) -> bool {
        match (self.asked.share, other.asked.share) {
            (Share::Reads, Share::Reads) => true,
            (Share::Permits(one, limit), Share::Permits(another, _)) => one + another <= limit,
            _ => false,
        }
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        let token = self
            .token()
            .map_or_else(|| "no token".to_owned(), |token| token.to_string());
        let ClaimAsked {
            claim, node, root, ..
        } = self.asked;
        format!(
            "claim {claim} of {} on node {node} for {root} with {token}",
            self.by
        )
    }
}

/// The position at which a claim with this token was created.
pub(crate) fn created(token: Token) -> Position {
    Position::new(token.epoch, Revision(token.number))
}

/// All claims and sessions of a history. Nothing, when none were played.
pub(crate) fn read<T>(
    history: &History,
    timeline: &Timeline,
    judge: impl FnOnce(&Book<'_>) -> T,
) -> Option<T> {
    let run = history.claim_runs().next()?;
    let stays = stays(timeline, CLAIMS);
    let book = Book::of(history, timeline, run, &stays);
    Some(judge(&book))
}

/// What is known of the claims of a history.
#[derive(Debug)]
pub(crate) struct Book<'a> {
    pub(crate) history: &'a History,
    pub(crate) timeline: &'a Timeline,
    pub(crate) run: &'a ClaimRun,
    /// What the log held of them.
    pub(crate) stays: &'a [Stay],
    pub(crate) sessions: BTreeMap<u32, Tenure<'a>>,
    pub(crate) claims: BTreeMap<u32, Story<'a>>,
    /// The last moment of the history.
    pub(crate) end: At,
}

impl<'a> Book<'a> {
    fn of(
        history: &'a History,
        timeline: &'a Timeline,
        run: &'a ClaimRun,
        stays: &'a [Stay],
    ) -> Book<'a> {
        let mut book = Book {
            history,
            timeline,
            run,
            stays,
            sessions: BTreeMap::new(),
            claims: BTreeMap::new(),
            end: end(history),
        };
        book.read_sessions();
        book.read_claims();
        book.distrust();
        book
    }

    fn read_sessions(&mut self) {
        for step in self.history.session_steps() {
            let tenure = self.sessions.entry(step.session).or_insert(Tenure {
                name: "",
                looks: Vec::new(),
                ended: None,
                meddled: None,
            });
            match &step.did {
                SessionDid::Opened(name) => tenure.name = name,
                SessionDid::Seen { standing, was_away } => tenure.looks.push(Look {
                    standing,
                    was_away: *was_away,
                    call: step.call,
                    ret: step.ret,
                }),
                SessionDid::Closed(is_revoked) => tenure.ended = Some((step.ret, *is_revoked)),
                SessionDid::Dropped => tenure.ended = Some((step.ret, false)),
            }
        }
        for tenure in self.sessions.values_mut() {
            tenure.looks.sort_by_key(|look| look.call);
        }
    }

    fn read_claims(&mut self) {
        let by_moment: BTreeMap<Moment, &Stay> =
            self.stays.iter().map(|stay| (stay.created, stay)).collect();
        for asked in self.history.claims() {
            let by = self.sessions.get(&asked.session);
            let story = Story {
                asked,
                by: by.map_or("", |tenure| tenure.name),
                granted: None,
                stay: None,
                looks: Vec::new(),
                over: None,
            };
            self.claims.insert(asked.claim, story);
        }
        for step in self.history.claim_steps() {
            let Some(story) = self.claims.get_mut(&step.claim) else {
                continue;
            };
            match &step.did {
                ClaimDid::Granted(token) => {
                    let moment = self.timeline.moment(created(*token));
                    story.granted = Some((*token, step.ret));
                    story.stay = by_moment.get(&moment).copied();
                }
                ClaimDid::Seen(standing) => story.looks.push(Look {
                    standing,
                    was_away: false,
                    call: step.call,
                    ret: step.ret,
                }),
                _ => story.over = story.over.max(Some(step.ret)),
            }
        }
        for story in self.claims.values_mut() {
            story.looks.sort_by_key(|look| look.call);
        }
    }

    /// Leaves out what an owner cannot have known: that a third party has ended what he had.
    fn distrust(&mut self) {
        for Meddled { whose, call, ret } in self.history.meddled() {
            match whose {
                Meddling::Session(name) => {
                    let theirs = self.sessions.values_mut();
                    for tenure in theirs.filter(|tenure| tenure.name == name) {
                        let first = tenure.meddled.unwrap_or(*call);
                        tenure.meddled = Some(first.min(*call));
                    }
                    // Also one that was asked for later, and granted by a record of before.
                    let is_theirs = |story: &&mut Story<'_>| {
                        let record = story.stay.map(|stay| stay.heard);
                        let from = record.map_or(story.asked.at, |heard| heard.min(story.asked.at));
                        story.by == name && ret.is_none_or(|ret| from < ret)
                    };
                    let theirs = self.claims.values_mut().filter(is_theirs);
                    theirs.for_each(|story| story.looks.retain(|look| look.ret < *call));
                }
                Meddling::Record(place) if place.keyspace == CLAIMS => {
                    let is_it = |story: &&mut Story<'_>| match story.stay {
                        Some(stay) => stay.key == place.key,
                        None => place.key.starts_with(story.asked.root.as_str()),
                    };
                    let it = self.claims.values_mut().filter(is_it);
                    it.for_each(|story| story.looks.retain(|look| look.ret < *call));
                }
                Meddling::Record(_) => {}
            }
        }
    }

    /// The claims of each name of which a guard was had.
    pub(crate) fn by_root(&self) -> BTreeMap<&str, Vec<&Story<'a>>> {
        let mut roots: BTreeMap<&str, Vec<&Story<'a>>> = BTreeMap::new();
        for story in self.claims.values().filter(|it| it.granted.is_some()) {
            roots
                .entry(story.asked.root.as_str())
                .or_default()
                .push(story);
        }
        roots
    }

    /// How long a lease may live without its owner.
    pub(crate) fn ttl(&self) -> u64 {
        self.run.ttl_micros
    }
}

/// The last moment that anything happened at.
fn end(history: &History) -> At {
    use crate::history::Event;
    let last = history.events.iter().map(|event| match event {
        Event::ClaimStep(step) => step.ret,
        Event::SessionStep(step) => step.ret,
        Event::Truth(truth) => truth.at,
        Event::Sample(sample) => sample.ret,
        Event::Health(health) => health.ret,
        Event::Fault(fault) => fault.at,
        Event::Ended(ended) => ended.at,
        _ => At::default(),
    });
    last.max().unwrap_or_default()
}
