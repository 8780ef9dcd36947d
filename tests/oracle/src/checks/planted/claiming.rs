//! A small history of claims in which all is well: two sessions, who take turns at a lock and share a share and permits.
//!
//! Nothing is planted in it. A tick is a millisecond, a lease lives for ten.

use globe::Token;

use super::scribe::*;
use super::*;

impl Scribe {
    pub(super) fn session(&mut self, session: u32, did: SessionDid) {
        let (call, ret) = (self.now(), self.now());
        self.events.push(Event::SessionStep(SessionStep {
            session,
            node: session,
            did,
            call,
            ret,
        }));
    }

    /// Both sessions are seen to be live.
    fn both_live(&mut self) {
        for session in [0, 1] {
            let seen = SessionDid::Seen {
                standing: Standing::Live,
                was_away: false,
            };
            self.session(session, seen);
        }
    }

    fn asks(&mut self, claim: u32, session: u32, root: &str, share: Share, is_patient: bool) {
        let at = self.now();
        self.events.push(Event::ClaimAsked(ClaimAsked {
            claim,
            session,
            node: session,
            root: root.into(),
            share,
            is_patient,
            at,
        }));
    }

    fn did(&mut self, claim: u32, did: ClaimDid) {
        let (call, ret) = (self.now(), self.now());
        self.events.push(step(claim, did, call, ret));
    }

    fn seen(&mut self, claim: u32, standing: Standing) {
        self.did(claim, ClaimDid::Seen(standing));
    }

    fn granted(&mut self, claim: u32, number: u64) {
        self.did(claim, ClaimDid::Granted(token(number)));
        self.seen(claim, Standing::Live);
    }

    /// A claim lands.
    fn lands(&mut self, key: &str, record: &str, revision: u64) {
        let stored = stored(record, revision, revision);
        self.truth("claims", revision, &[(key, Some(stored))]);
    }

    /// What is done under a claim: a write, and something at a gate.
    fn effects(&mut self, claim: u32, number: u64, tag: &str, revision: u64) {
        let at = self.now();
        self.events.push(Event::Fenced(Fenced {
            claim,
            tag: tag.into(),
            at,
        }));
        let place = Place {
            keyspace: "guarded".into(),
            key: "lock/a".into(),
        };
        let done = Outcome::Done(Some(position(revision)));
        self.op(transact(vec![], vec![place]), tag, done);
        let stored = stored(tag, 4, revision);
        self.truth("guarded", revision, &[("lock/a", Some(stored))]);
        self.admitted(claim, number);
    }

    pub(super) fn admitted(&mut self, claim: u32, number: u64) {
        let at = self.now();
        self.events.push(Event::Admission(Admission {
            claim,
            gate: "lock/a".into(),
            token: token(number),
            verdict: Verdict::Admitted,
            at,
        }));
    }

    pub(super) fn entry(&mut self, is_put: bool, outcome: Outcome) {
        let (call, ret) = (self.now(), self.now());
        let place = Place {
            keyspace: "present".into(),
            key: "s0-0".into(),
        };
        self.events.push(Event::EntryStep(EntryStep {
            session: 0,
            place,
            is_put,
            call,
            ret: Some(ret),
            outcome,
        }));
    }
}

pub(super) fn token(number: u64) -> Token {
    Token::new(Epoch::new(1), number)
}

pub(super) fn step(claim: u32, did: ClaimDid, call: At, ret: At) -> Event {
    Event::ClaimStep(ClaimStep {
        claim,
        did,
        call,
        ret,
    })
}

fn record(by: &str, mode: &str, weight: u32) -> String {
    format!(r#"{{"by":"{by}","mode":"{mode}","weight":{weight}}}"#)
}

fn runs() -> [Event; 2] {
    let none = Limits {
        min_writes: 0,
        min_samples: 0,
        min_deliveries: 0,
        ..Limits::default()
    };
    let run = Run {
        seed: 1,
        nodes: 0,
        fenced: true,
        honest: true,
        limits: none,
    };
    let limits = ClaimLimits {
        outlive_micros: 3_000,
        settle_micros: 20_000,
        lag_micros: 2_000,
        min_grants: 7,
        min_looks: 8,
        min_losses: 1,
        min_effects: 4,
    };
    let claims = ClaimRun {
        ttl_micros: 10_000,
        limits,
    };
    [Event::Run(run), Event::ClaimRun(claims)]
}

/// One holds a lock, is suspended for a while, and lets the other in.
fn lock(scribe: &mut Scribe) {
    scribe.asks(0, 0, "lock/a", Share::Alone, false);
    scribe.lands("lock/a/0-0", &record("s0", "write", 1), 3);
    scribe.granted(0, 3);
    scribe.effects(0, 3, "w0", 4);
    scribe.asks(1, 1, "lock/a", Share::Alone, false);
    scribe.lands("lock/a/1-0", &record("s1", "write", 1), 5);
    scribe.seen(0, Standing::Suspended);
    scribe.both_live();
    scribe.seen(0, Standing::Live);
    scribe.did(0, ClaimDid::Released(true));
    scribe.truth("claims", 6, &[("lock/a/0-0", None)]);
    scribe.granted(1, 5);
    scribe.effects(1, 5, "w1", 7);
    scribe.did(1, ClaimDid::Released(true));
    scribe.truth("claims", 8, &[("lock/a/1-0", None)]);
}

/// Two share something, each is seen to hold it while the other does.
fn share(scribe: &mut Scribe, claims: [u32; 2], root: &str, shares: [Share; 2], first: u64) {
    let keys = [format!("{root}/0-{first}"), format!("{root}/1-{first}")];
    let mut revision = first;
    for (index, session) in [0, 1].into_iter().enumerate() {
        let (mode, weight) = match shares[index] {
            Share::Permits(weight, _) => ("write", weight),
            _ => ("read", 1),
        };
        scribe.asks(claims[index], session, root, shares[index], false);
        let by = format!("s{session}");
        scribe.lands(&keys[index], &record(&by, mode, weight), revision);
        scribe.granted(claims[index], revision);
        revision += 1;
    }
    scribe.seen(claims[0], Standing::Live);
    scribe.seen(claims[1], Standing::Live);
    for index in [0, 1] {
        scribe.did(claims[index], ClaimDid::LetGo);
        scribe.truth("claims", revision, &[(&keys[index], None)]);
        revision += 1;
    }
}

pub(super) fn claiming() -> History {
    let mut scribe = Scribe::default();
    scribe.events.extend(runs());
    for keyspace in ["first", "claims", "present", "guarded"] {
        scribe.base(keyspace);
    }
    for session in [0, 1] {
        scribe.session(session, SessionDid::Opened(format!("s{session}")));
    }
    scribe.entry(true, Outcome::Done(Some(position(2))));
    let entry = stored("s0-0", 2, 2);
    scribe.truth("present", 2, &[("s0-0", Some(entry))]);
    scribe.both_live();
    lock(&mut scribe);
    let reads = [Share::Reads; 2];
    share(&mut scribe, [2, 3], "rw_lock/a", reads, 9);
    let note = r#"{"by":"s0","mode":"write","weight":1,"value":{"permits":3}}"#;
    scribe.lands("semaphore/a", note, 13);
    let permits = [Share::Permits(2, 3), Share::Permits(1, 3)];
    share(&mut scribe, [4, 5], "semaphore/a", permits, 14);
    scribe.fault(Effect::HealsAll);
    scribe.health("first");
    scribe.asks(6, 0, "lock/a", Share::Alone, true);
    scribe.lands("lock/a/0-1", &record("s0", "write", 1), 18);
    scribe.granted(6, 18);
    scribe.did(6, ClaimDid::Released(true));
    scribe.truth("claims", 19, &[("lock/a/0-1", None)]);
    for _ in 0..10 {
        scribe.both_live();
    }
    scribe.session(0, SessionDid::Closed(true));
    scribe.truth("present", 20, &[("s0-0", None)]);
    scribe.session(1, SessionDid::Dropped);
    for keyspace in ["claims", "present", "guarded"] {
        scribe.truth(keyspace, 20 + u64::from(keyspace != "present"), &[]);
    }
    History {
        events: scribe.events,
    }
}
