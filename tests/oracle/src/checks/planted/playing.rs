//! A small history of recipes in which all is well: a shard is handed over and another taken from who was killed, members of a
//! service come and go, and a setting is published and written over by hand.
//!
//! Nothing is planted in it. A tick is a millisecond, a lease lives for ten.

use globe::Token;

use super::scribe::*;
use super::*;

const TABLES: [&str; 2] = ["strict-shards", "available-shards"];
const KEYSPACES: [&str; 6] = [
    "first",
    "strict-shards",
    "available-shards",
    "sharded",
    "services",
    "tuning",
];

impl Scribe {
    fn life(&mut self, (life, keyspace, id): (u32, &str, &str), did: LifeDid) {
        let (call, ret) = (self.now(), self.now());
        self.events.push(Event::LifeStep(LifeStep {
            life,
            node: 0,
            keyspace: keyspace.into(),
            id: id.into(),
            did,
            call,
            ret,
        }));
    }

    fn begins(&mut self, who: (u32, &str, &str)) {
        let began = LifeDid::Began {
            is_sure: true,
            is_listed: true,
        };
        self.life(who, began);
    }

    fn shard(
        &mut self,
        life: u32,
        (shard, term): (u32, u64),
        did: ShardDid,
        (call, ret): (At, At),
    ) {
        self.events.push(Event::ShardStep(ShardStep {
            life,
            shard,
            token: Token::new(Epoch::new(1), term),
            did,
            call,
            ret,
        }));
    }

    /// It serves from then until now.
    fn served(&mut self, life: u32, shard: u32, term: u64, from: At) {
        let (to, stopped) = (self.now(), self.now());
        self.shard(life, (shard, term), ShardDid::Served(stopped), (from, to));
    }

    /// Records land, each with the revision that created it.
    fn records(&mut self, keyspace: &str, revision: u64, records: &[(&str, &str, u64)]) {
        let changes = records.iter();
        let changes: Vec<_> = changes
            .map(|(key, text, created)| (*key, Some(stored(text, *created, revision))))
            .collect();
        self.truth(keyspace, revision, &changes);
    }

    fn writes(&mut self, (life, shard, term): (u32, u32, u64), tag: &str, revision: u64) {
        let now = self.now();
        let did = ShardDid::Writes(tag.into());
        self.shard(life, (shard, term), did, (now, now));
        let place = Place {
            keyspace: "sharded".into(),
            key: "strict-shards/00000".into(),
        };
        let done = Outcome::Done(Some(position(revision)));
        self.op(good::transact(vec![], vec![place]), tag, done);
        let stored = stored(tag, 15, revision);
        self.truth(
            "sharded",
            revision,
            &[("strict-shards/00000", Some(stored))],
        );
    }

    fn listed(&mut self, revision: u64, members: &[(&str, &str)], is_last: bool) {
        let (call, ret) = (self.now(), self.now());
        let members = members.iter();
        self.events.push(Event::Listed(Listed {
            node: 0,
            service: "billing/eu".into(),
            position: position(revision),
            members: members
                .map(|(id, said)| ((*id).into(), (*said).into()))
                .collect(),
            held_back: Vec::new(),
            is_last,
            call,
            ret,
        }));
    }

    fn setting(&mut self, did: SettingDid) {
        let (call, ret) = (self.now(), self.now());
        self.events.push(Event::SettingStep(SettingStep {
            node: 0,
            did,
            call,
            ret,
        }));
    }
}

fn runs() -> [Event; 2] {
    let run = Run {
        seed: 1,
        nodes: 0,
        fenced: true,
        honest: true,
        limits: Limits {
            min_writes: 0,
            min_samples: 0,
            min_deliveries: 0,
            ..Limits::default()
        },
    };
    let recipes = RecipeRun {
        ttl_micros: 10_000,
        slots: 2,
        is_steady: false,
        limits: RecipeLimits {
            outlive_micros: 3_000,
            min_served: 6,
            min_writes: 2,
            min_listed: 2,
            min_published: 1,
        },
    };
    [Event::Run(run), Event::RecipeRun(recipes)]
}

const UP: &str = r#"{"state":"up","weight":100}"#;
const LEAVING: &str = r#"{"state":"draining","weight":100}"#;

/// In a table `a` gives a shard to `b`, and takes the other from `c`, who is killed; who they are at first is told by the first
/// revision.
fn table(scribe: &mut Scribe, table: usize, first: u64) -> Vec<(u32, u32, u64, At)> {
    let (keyspace, is_strict) = (TABLES[table], table == 0);
    let at = |offset: u64| first + offset;
    let number = u32::try_from(table).unwrap() * 10;
    let [a, b, c] = [(1, "a"), (2, "b"), (3, "c")].map(|(life, id)| (number + life, keyspace, id));
    for (offset, who) in [(0, a), (1, b), (2, c)] {
        let key = format!("member/{}", who.2);
        scribe.records(keyspace, at(offset), &[(&key, UP, at(offset))]);
        scribe.begins(who);
    }
    let row = |owner: &str, offset: u64, term: u64, more: &str| {
        format!(
            r#"{{"owner":"{owner}@{}","term":{term}{more}}}"#,
            at(offset)
        )
    };
    let next = |phase: &str| format!(r#","next":"b@{}","phase":"{phase}""#, at(1));
    let (mine, cs) = (row("a", 0, 1, ""), row("c", 2, 1, ""));
    let created = at(3);
    let rows = [
        ("row/00000", mine.as_str(), created),
        ("row/00001", &cs, created),
    ];
    scribe.records(keyspace, created, &rows);
    let (from, from_c) = (scribe.now(), scribe.now());
    let worked = (scribe.now(), scribe.now());
    scribe.shard(a.0, (0, 1), ShardDid::Worked, worked);
    if is_strict {
        scribe.writes((a.0, 0, 1), "w0", at(4));
    }
    scribe.records(
        keyspace,
        at(5),
        &[("row/00000", &row("a", 0, 1, &next("prepare")), created)],
    );
    if is_strict {
        scribe.records(
            keyspace,
            at(6),
            &[("row/00000", &row("a", 0, 1, &next("drain")), created)],
        );
        scribe.served(a.0, 0, 1, from);
        scribe.records(
            keyspace,
            at(7),
            &[("row/00000", &row("b", 1, 2, ""), created)],
        );
    } else {
        let leaving = row("b", 1, 2, &format!(r#","prev":"a@{}""#, at(0)));
        scribe.records(keyspace, at(6), &[("row/00000", &leaving, created)]);
        scribe.served(a.0, 0, 1, from);
        scribe.records(
            keyspace,
            at(7),
            &[("row/00000", &row("b", 1, 2, ""), created)],
        );
    }
    let from_b = scribe.now();
    if is_strict {
        scribe.writes((b.0, 0, 2), "w1", at(8));
    }
    scribe.served(c.0, 1, 1, from_c);
    scribe.life(c, LifeDid::Killed);
    scribe.truth(keyspace, at(9), &[("member/c", None)]);
    scribe.records(
        keyspace,
        at(10),
        &[("row/00001", &row("b", 1, 2, ""), created)],
    );
    let from_b1 = scribe.now();
    scribe.life(a, LifeDid::Leaves);
    scribe.records(keyspace, at(11), &[("member/a", LEAVING, at(0))]);
    scribe.truth(keyspace, at(12), &[("member/a", None)]);
    scribe.life(a, LifeDid::Left(true));
    vec![(b.0, 0, 2, from_b), (b.0, 1, 2, from_b1)]
}

fn services(scribe: &mut Scribe) {
    let (x, y) = (
        (31, "services", "billing/eu x/1"),
        (32, "services", "billing/eu y"),
    );
    let (at_x, at_y) = ("billing%2Feu/x%2F1", "billing%2Feu/y");
    scribe.records("services", 40, &[(at_x, r#"{"state":"up","data":7}"#, 40)]);
    scribe.begins(x);
    scribe.records("services", 41, &[(at_y, r#"{"state":"up","data":8}"#, 41)]);
    scribe.begins(y);
    scribe.listed(41, &[("x/1", "up 7"), ("y", "up 8")], false);
    scribe.life(y, LifeDid::Leaves);
    scribe.truth("services", 42, &[(at_y, None)]);
    scribe.life(y, LifeDid::Left(true));
}

fn tuning(scribe: &mut Scribe) {
    let layers = ["global", "region:eu", "host:n0"].map(str::to_owned);
    scribe.setting(SettingDid::Opened(layers.to_vec(), "n0".into()));
    scribe.records(
        "tuning",
        43,
        &[
            ("limit/global", "10", 43),
            (
                "limit/global/was/0000000001",
                r#"{"value":10,"by":"n0"}"#,
                43,
            ),
        ],
    );
    scribe.setting(SettingDid::Published {
        layer: "global".into(),
        value: 10,
        outcome: Outcome::Done(Some(position(43))),
        shown: 10,
    });
    scribe.setting(SettingDid::Published {
        layer: "global".into(),
        value: 13,
        outcome: Outcome::Refused("invalid".into()),
        shown: 10,
    });
    scribe.records("tuning", 44, &[("limit/global", "11", 43)]);
    scribe.setting(SettingDid::Shown(10));
}

pub(super) fn playing() -> History {
    let mut scribe = Scribe::default();
    scribe.events.extend(runs());
    for keyspace in KEYSPACES {
        scribe.base(keyspace);
    }
    let strict = table(&mut scribe, 0, 11);
    let available = table(&mut scribe, 1, 24);
    services(&mut scribe);
    tuning(&mut scribe);
    scribe.fault(Effect::HealsAll);
    scribe.health("first");
    scribe.listed(42, &[("x/1", "up 7")], true);
    scribe.setting(SettingDid::Last(10));
    scribe.life((2, TABLES[0], "b"), LifeDid::Over);
    scribe.life((12, TABLES[1], "b"), LifeDid::Over);
    for (life, shard, term, from) in strict.into_iter().chain(available) {
        scribe.served(life, shard, term, from);
    }
    for keyspace in KEYSPACES {
        scribe.truth(keyspace, 44, &[]);
    }
    History {
        events: scribe.events,
    }
}
