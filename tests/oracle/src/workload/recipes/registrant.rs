//! A process that registers members of services, changes them, and ends in every way there is; and one that looks at them.
//!
//! Neither judges what is listed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use globe::registry::{Member, Registration, State, Vanish};
use globe::{Registry, Result, Session};
use tokio::time::{Duration, sleep, timeout};

use super::life::Life;
use super::way::Way;
use super::{Book, Registered, SERVICES, Stage};
use crate::history::{Event, LifeDid, Listed};

/// The services that there are.
pub(crate) const NAMES: [&str; 2] = ["api", "billing/eu"];
/// Who goes within this, with more than half of the others, is held back,
const WITHIN: Duration = Duration::from_secs(2);
/// for so long.
const HELD: Duration = Duration::from_secs(3);

/// A member that is registered.
struct Mine {
    life: Life,
    service: &'static str,
    registration: Registration<u64>,
}

/// One process, with its own way to the log.
struct Process {
    way: Way,
    session: Session,
    registry: Book,
    mine: Vec<Mine>,
}

/// Registers members, process after process.
pub(crate) struct Registrant {
    stage: Stage,
    registered: Registered,
    rng: Rng,
}

impl Registrant {
    pub(crate) fn new(stage: Stage, registered: Registered, rng: Rng) -> Registrant {
        Registrant {
            stage,
            registered,
            rng,
        }
    }

    pub(crate) async fn run(mut self) {
        let played = self.stage.playing();
        for _ in 0..self.stage.recipes.lives {
            if self.stage.stop.is_cancelled() {
                break;
            }
            if let Some(process) = self.begin().await {
                self.live(process).await;
            }
            self.stage.rests(&mut self.rng).await;
        }
        let mut last = loop {
            if let Some(process) = self.begin().await {
                break process;
            }
        };
        while last.mine.len() < 2 {
            self.register(&mut last).await;
        }
        drop(played);
        self.stage.over.cancelled().await;
        while let Some(mine) = last.mine.pop() {
            self.deregister(mine).await;
        }
        let _ = timeout(Duration::from_secs(1), last.session.close()).await;
    }

    async fn begin(&self) -> Option<Process> {
        let recipes = &self.stage.recipes;
        let way = Way::to(&self.stage.log, recipes.lengthens);
        let registry = Registry::builder(way.clone(), SERVICES)
            .vanish(Vanish::Follow)
            .open_timeout(recipes.ttl * 3);
        let session = Session::builder(way.clone())
            .name(format!("services-{}", self.stage.recorder.number()))
            .ttl(recipes.ttl)
            .open_timeout(recipes.ttl * 3);
        Some(Process {
            registry: registry.open().await.ok()?,
            session: session.open().await.ok()?,
            way,
            mine: Vec::new(),
        })
    }

    /// Lives for a while, and ends.
    async fn live(&mut self, mut process: Process) {
        let recipes = self.stage.recipes.clone();
        loop {
            self.stage.rests(&mut self.rng).await;
            if self.stage.stop.is_cancelled() {
                return self.end(process, LifeDid::Ended).await;
            }
            let count = process.mine.len();
            match self.rng.u8(..20) {
                0..6 if count < 3 => self.register(&mut process).await,
                6..11 if count > 0 => {
                    let at = self.rng.usize(..count);
                    self.change(&process.mine[at]).await;
                }
                11..13 if count > 0 => {
                    let mine = process.mine.swap_remove(self.rng.usize(..count));
                    self.deregister(mine).await;
                }
                13 if count > 0 => {
                    let mine = process.mine.swap_remove(self.rng.usize(..count));
                    self.is_over(&mine, LifeDid::Ended);
                }
                14..16 if recipes.cuts => {
                    let call = self.stage.recorder.now();
                    process.way.cut(true);
                    let lasts = recipes.ttl.mul_f64(self.rng.f64() * 2.5);
                    process.tells(&LifeDid::CutOff, call);
                    let _ = timeout(lasts, self.stage.stop.cancelled()).await;
                    let call = self.stage.recorder.now();
                    process.way.cut(false);
                    process.tells(&LifeDid::Back, call);
                }
                16 | 17 if recipes.kills => return self.end(process, LifeDid::Killed).await,
                18 => return self.end(process, LifeDid::Ended).await,
                _ => {}
            }
        }
    }

    async fn register(&mut self, process: &mut Process) {
        let service = NAMES[self.rng.usize(..NAMES.len())];
        let recorder = &self.stage.recorder;
        // What has a slash in it is one name all the same.
        let id = format!("i{}/{}", recorder.number(), self.stage.node);
        let life = Life::new(
            recorder,
            self.stage.node,
            SERVICES,
            &format!("{service} {id}"),
        );
        let member = Member::new(id.as_str(), u64::from(recorder.number()));
        let patience = self.stage.recipes.ttl.mul_f64(self.rng.f64() * 2.0);
        let call = life.now();
        let registering = process.registry.register(&process.session, service, member);
        match timeout(patience, registering).await {
            Ok(Ok(registration)) => {
                let is_listed = process.registry.members(service).get(&id).is_some();
                // Asked afterwards: it may end at any moment, and does not begin again by itself.
                let is_sure = registration.is_registered();
                life.did(LifeDid::Began { is_sure, is_listed }, call);
                self.registered.add(service, 1);
                process.mine.push(Mine {
                    life,
                    service,
                    registration,
                });
            }
            _ => life.did(LifeDid::NotBegun, call),
        }
    }

    async fn change(&mut self, mine: &Mine) {
        let data = u64::from(self.stage.recorder.number());
        let state = [State::Up, State::Down, State::Draining][self.rng.usize(..3)];
        let patience = self.stage.recipes.ttl.mul_f64(self.rng.f64() * 2.0);
        let is_state = self.rng.bool();
        let setting = mine.registration.set(|me| match is_state {
            true => me.state = state,
            false => me.data = Arc::new(data),
        });
        let _ = timeout(patience, setting).await;
    }

    fn is_over(&self, mine: &Mine, did: LifeDid) {
        mine.life.does(did);
        self.registered.add(mine.service, -1);
    }

    async fn deregister(&mut self, mine: Mine) {
        self.is_over(&mine, LifeDid::Leaves);
        let (call, bound) = (mine.life.now(), self.stage.recipes.ttl * 3);
        let left = timeout(bound, mine.registration.deregister()).await;
        mine.life
            .did(LifeDid::Left(matches!(left, Ok(Ok(())))), call);
    }

    /// Ends the whole process: as one that is killed, or in order.
    async fn end(&mut self, process: Process, did: LifeDid) {
        let is_killed = did == LifeDid::Killed;
        process.way.cut(is_killed);
        process
            .mine
            .iter()
            .for_each(|mine| self.is_over(mine, did.clone()));
        if !is_killed {
            let _ = timeout(Duration::from_secs(1), process.session.close()).await;
        }
    }
}

impl Process {
    fn tells(&self, did: &LifeDid, call: crate::history::At) {
        self.mine
            .iter()
            .for_each(|mine| mine.life.did(did.clone(), call));
    }
}

/// Looks at all services, on the log of a node.
#[derive(Clone)]
pub(crate) struct Reader {
    stage: Stage,
    registry: Book,
    seen: Arc<Mutex<BTreeSet<String>>>,
}

impl Reader {
    pub(crate) async fn open(stage: &Stage, follows: bool) -> Result<Reader> {
        let vanish = match follows {
            true => Vanish::Follow,
            false => Vanish::hold(0.5, WITHIN, HELD),
        };
        let registry = Registry::builder(Arc::clone(&stage.log), SERVICES).vanish(vanish);
        Ok(Reader {
            stage: stage.clone(),
            registry: registry.open().await?,
            seen: Arc::default(),
        })
    }

    pub(crate) async fn run(self) {
        while !self.stage.over.is_cancelled() {
            self.look(false);
            sleep(self.stage.recipes.look_rest).await;
        }
    }

    /// Looks at each service, and writes down what is new.
    pub(crate) fn look(&self, is_last: bool) {
        for service in NAMES {
            let call = self.stage.recorder.now();
            let members = self.registry.members(service);
            let ret = self.stage.recorder.now();
            let all = members.iter();
            let ids = members.iter().map(|member| member.id.clone());
            let listed = Listed {
                node: self.stage.node,
                service: service.to_owned(),
                position: members.position(),
                members: all
                    .map(|member| {
                        (
                            member.id.clone(),
                            format!("{} {}", member.state, member.data),
                        )
                    })
                    .collect(),
                held_back: ids.filter(|id| members.is_held_back(id)).collect(),
                is_last,
                call,
                ret,
            };
            let text = format!("{service} {:?} {:?}", listed.members, listed.held_back);
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if is_last || seen.insert(text) {
                self.stage.recorder.record(Event::Listed(listed));
            }
        }
    }

    /// Whether it lists as many as are registered, and holds nobody back.
    pub(crate) fn shows(&self, registered: &Registered) -> bool {
        NAMES.into_iter().all(|service| {
            let members = self.registry.members(service);
            members.len() == registered.count(service) && members.held_back() == 0
        })
    }
}
