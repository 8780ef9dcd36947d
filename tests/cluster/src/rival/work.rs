//! What a rival does: it takes a lock and campaigns for a term, writes its tokens down under them again and again, and begins
//! anew when it has lost them.
//!
//! It never lets go by itself, and ends only when it is killed.

use std::io::Write;
use std::ops::Deref;
use std::time::Duration;

use globe::{Claims, Election, ErrorKind, Fenced, Globe, Hold, Lock, Session, SessionState};
use tokio::time::sleep;

use super::order::Orders;
use super::told::{Kind, Told, micros};
use crate::site::{CLAIMED, TTL, WORK};

/// Between two writes of a holder.
const REST: Duration = Duration::from_millis(20);
/// What rivals compete for.
pub(super) const NAME: &str = "rivals";

/// What a holder writes: its token.
type Work = Globe<String, String>;

/// Competes as a process of its own, as it is told by whoever started it, until it is killed.
///
/// # Panics
/// When nobody told it anything, or the cluster is not well when it begins.
pub async fn compete() {
    let orders = Orders::mine();
    let log = orders.connect().await;
    let claims: Claims = Globe::open(log.clone(), CLAIMED).await.expect("the claims");
    let work: Work = Globe::open(log.clone(), WORK).await.expect("the work");
    let session = Session::builder(log).name(&orders.name).ttl(TTL).open();
    let session = session.await.expect("a session on a healthy cluster");
    let lock = Lock::new(&claims, &session, NAME).expect("a lock");
    let election = Election::new(&claims, &session, NAME).expect("an election");
    let locks = async {
        loop {
            match lock.acquire().await {
                Ok(guard) => hold(Kind::Lock, &guard, &work).await,
                Err(_) => sleep(REST).await,
            }
        }
    };
    let terms = async {
        loop {
            match election.campaign(orders.name.as_str()).await {
                Ok(guard) => hold(Kind::Term, &guard, &work).await,
                Err(_) => sleep(REST).await,
            }
        }
    };
    tokio::join!(locks, terms);
}

/// Holds on until it is lost, and tries once more then.
async fn hold<G: Fenced + Deref<Target = Hold>>(kind: Kind, guard: &G, work: &Work) {
    let token = guard.token();
    tell(Told::Granted { kind, token });
    loop {
        look(guard);
        write(kind, guard, work).await;
        if let SessionState::Lost(_) = guard.state() {
            break;
        }
        sleep(REST).await;
    }
    tell(Told::Lost { token });
    look(guard);
    write(kind, guard, work).await;
}

fn look(guard: &impl Fenced) {
    let call = micros();
    let is_held = guard.is_held();
    tell(Told::Looked {
        token: guard.token(),
        call,
        ret: micros(),
        is_held,
    });
}

/// Writes its token down, which may land only while it is held.
async fn write(kind: Kind, guard: &impl Fenced, work: &Work) {
    let token = guard.token();
    let written = work.transact(|txn| {
        txn.require(guard)?;
        txn.put(work, kind.place(), token.to_string())
    });
    match written.await {
        Ok(written) => tell(Told::Wrote {
            kind,
            token,
            position: written.position(),
        }),
        Err(error) if *error.kind() == ErrorKind::NotHeld => tell(Told::Refused { token }),
        // Whether it was written is not known: the log says so to whoever asks.
        Err(_) => {}
    }
}

fn tell(told: Told) {
    let mut output = std::io::stdout().lock();
    // Whoever listens is gone, and this process with it.
    let _ = writeln!(output, "{}", told.to_text());
    let _ = output.flush();
}
