//! What a rival does: it takes a lock and campaigns for a term, writes under them as fast as it can, and begins anew when it
//! has lost them.
//!
//! It never lets go by itself, and ends only when it is killed.

use std::io::Write;
use std::ops::Deref;
use std::time::Duration;

use globe::{Claims, Election, ErrorKind, Fenced, Globe, Hold, Lock, Session, SessionState};
use globe_oracle::{Map, Standing, Value};
use tokio::time::sleep;

use super::orders::Orders;
use super::told::{Kind, Told, What, micros};
use super::{NAME, root};
use crate::site::{CLAIMS, GUARDED, TTL};

/// Between two writes of a holder.
const REST: Duration = Duration::from_millis(20);

/// Competes as a process of its own, as it is told by whoever started it, until it is killed.
///
/// # Panics
/// When nobody told it anything, or the cluster is not well when it begins.
pub async fn compete() {
    let orders = Orders::mine();
    let log = orders.connect().await;
    let claims: Claims = Globe::open(log.clone(), CLAIMS).await.expect("the claims");
    let guarded: Map = Globe::open(log.clone(), GUARDED).await.expect("the work");
    let session = Session::builder(log).name(&orders.name).ttl(TTL).open();
    let session = session.await.expect("a session on a healthy cluster");
    let lock = Lock::new(&claims, &session, NAME).expect("a lock");
    let election = Election::new(&claims, &session, NAME).expect("an election");
    let mut locker = Holder::new(&orders.name, Kind::Lock, &guarded);
    let mut leader = Holder::new(&orders.name, Kind::Term, &guarded);
    let locks = async {
        loop {
            locker.tell(What::Asks, micros());
            match lock.acquire().await {
                Ok(guard) => locker.hold(&guard).await,
                Err(_) => sleep(REST).await,
            }
        }
    };
    let terms = async {
        loop {
            leader.tell(What::Asks, micros());
            match election.campaign(orders.name.as_str()).await {
                Ok(guard) => leader.hold(&guard).await,
                Err(_) => sleep(REST).await,
            }
        }
    };
    tokio::join!(locks, terms);
}

/// One who holds things of one kind, one after the other.
struct Holder {
    name: String,
    kind: Kind,
    guarded: Map,
    written: usize,
}

impl Holder {
    fn new(name: &str, kind: Kind, guarded: &Map) -> Holder {
        Holder {
            name: name.to_owned(),
            kind,
            guarded: guarded.clone(),
            written: 0,
        }
    }

    /// Holds on until it is lost, and tries once more then.
    async fn hold<G: Fenced + Deref<Target = Hold>>(&mut self, guard: &G) {
        self.tell(What::Granted(guard.token()), micros());
        loop {
            self.look(guard);
            self.write(guard).await;
            if let SessionState::Lost(_) = guard.state() {
                break;
            }
            sleep(REST).await;
        }
        self.look(guard);
        self.write(guard).await;
        self.tell(What::Lost(guard.token()), micros());
    }

    fn look(&self, guard: &Hold) {
        let call = micros();
        self.tell(What::Saw(Standing::from(guard.state())), call);
    }

    /// Writes what may land only while it is held.
    async fn write(&mut self, guard: &impl Fenced) {
        self.written += 1;
        let tag = format!("{}-{:?}-{}", self.name, self.kind, self.written);
        let call = micros();
        self.tell(What::Writes(tag.clone()), call);
        let value = Value {
            tag: tag.clone(),
            ..Value::default()
        };
        let written = self.guarded.transact(|txn| {
            txn.require(guard)?;
            txn.put(&self.guarded, root(self.kind), value.clone())
        });
        let what = match written.await {
            Ok(written) => What::Wrote(tag, written.position()),
            Err(error) if *error.kind() == ErrorKind::NotHeld => What::Refused(tag),
            Err(_) => What::Doubts(tag),
        };
        self.tell(what, call);
    }

    fn tell(&self, what: What, call: u64) {
        let told = Told {
            kind: self.kind,
            what,
            call,
        };
        let mut output = std::io::stdout().lock();
        // Whoever listens is gone, and this process with it.
        let _ = writeln!(output, "{}", told.to_text());
        let _ = output.flush();
    }
}
