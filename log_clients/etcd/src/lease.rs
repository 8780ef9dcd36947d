//! Leases: granted, renewed, revoked.
//!
//! Never keeps one alive by itself.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use etcd_client::{LeaseGrantOptions, LeaseGrantResponse};
use globe_log_client::{Epoch, Error, ErrorKind, Lease, LeaseId, Result};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::life::{Judgement, Known, Signs, judge};
use crate::members::call::{CallOptions, Repeat};
use crate::members::calls::Calls;
use crate::members::dial::Purpose;
use crate::records::lease_number;

/// The longest lease etcd grants.
pub(crate) const MAX_TTL: Duration = Duration::from_secs(9_000_000_000);

/// The numbers a lease can have. A server that is told 0 draws one itself, which a lost reply takes with it.
const NAMES: Range<u64> = 1..1 << 63;

/// A lease that is asked for: by a name drawn here, under which it is asked for again when a reply was lost, so that no
/// second one is left behind.
struct Wanted {
    id: LeaseId,
    /// In which life of the log.
    epoch: Epoch,
    seconds: i64,
    /// How many copies of the request were sent.
    copies: AtomicU32,
}

/// What came of asking for a lease.
enum Answer {
    Granted(Duration),
    /// Nobody knows, or in another life of the log: look again which that is.
    Unsure,
    /// It cannot be had under this name.
    Taken,
}

impl Wanted {
    fn new(epoch: Epoch, ttl: Duration) -> Wanted {
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        Wanted {
            id: LeaseId::new(fastrand::u64(NAMES)),
            epoch,
            seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
            copies: AtomicU32::new(0),
        }
    }

    async fn ask(&self, client: Arc<Calls>) -> Result<LeaseGrantResponse, etcd_client::Error> {
        self.copies.fetch_add(1, Ordering::Relaxed);
        let options = LeaseGrantOptions::new().with_id(lease_number(self.id));
        let mut leases = client.lease_client();
        leases.grant(self.seconds, Some(options)).await
    }

    /// Whether a lease of its name may be its own, granted to a copy whose reply was lost. At the first asking it is
    /// somebody else's, who drew the same: such as a process that was copied with all it had in memory.
    fn may_stand(&self) -> bool {
        self.copies.load(Ordering::Relaxed) > 1
    }
}

impl Cluster {
    /// A lease for a caller, after a look at how long it may be.
    pub(crate) async fn grant(&self, ttl: Duration) -> Result<Lease> {
        if ttl.is_zero() || ttl > MAX_TTL {
            let context =
                format!("a lease lives longer than zero and at most {MAX_TTL:?}, not {ttl:?}");
            return Err(Error::new(ErrorKind::Invalid, context));
        }
        let granted = self.grant_by(ttl, self.endpoints.deadline()).await;
        granted.map_err(|fault| fault.into_error().while_doing("granting a lease"))
    }

    /// Grants a lease in the present life of the log, in whole seconds, rounded up. One that was granted in a life that
    /// had just ended, or to who gave up before, belongs to nobody and ends by itself.
    pub(crate) async fn grant_by(&self, ttl: Duration, deadline: Instant) -> Result<Lease, Fault> {
        let mut asked = None;
        loop {
            let Some(known) = self.life.known() else {
                self.look(Purpose::Unary, deadline).await?;
                continue;
            };
            let epoch = known.epoch;
            let lease = asked.filter(|asked: &Wanted| asked.epoch == epoch);
            let lease = lease.unwrap_or_else(|| Wanted::new(epoch, ttl));
            asked = match self.ask_for(&lease, &known, deadline).await? {
                Answer::Granted(ttl) => return Ok(Lease::new(lease.id, ttl, epoch)),
                Answer::Taken => None,
                Answer::Unsure => {
                    self.look(Purpose::Unary, deadline).await?;
                    Some(lease)
                }
            };
        }
    }

    /// Asks for a lease once, in the known life of the log.
    async fn ask_for(
        &self,
        wanted: &Wanted,
        known: &Known,
        deadline: Instant,
    ) -> Result<Answer, Fault> {
        let call_options = CallOptions {
            within: Some(wanted.epoch),
            ..self.endpoints.call_options(Repeat::Harmless, deadline)
        };
        let asked = self
            .endpoints
            .call(call_options, |client| wanted.ask(client));
        let fault = match asked.await {
            Ok(answer) => {
                let signs = Signs::of(answer.0.header.as_ref());
                let is_same = judge(Some(known), &signs) == Judgement::Same;
                if is_same && self.life.raise(known.epoch, &signs) {
                    return Ok(Answer::Granted(seconds_of(answer.ttl())));
                }
                return Ok(Answer::Unsure);
            }
            Err(fault) => fault,
        };
        match fault.class {
            Class::Unchecked => Ok(Answer::Unsure),
            Class::LeaseExists if wanted.may_stand() => self.own(wanted, deadline).await,
            Class::LeaseExists => Ok(Answer::Taken),
            _ => Err(fault),
        }
    }

    /// A lease that a copy of the request was granted. Some of its time has gone by, so it is renewed.
    async fn own(&self, wanted: &Wanted, deadline: Instant) -> Result<Answer, Fault> {
        match self.renew_within(wanted.epoch, wanted.id, deadline).await {
            Ok(ttl) => Ok(Answer::Granted(ttl)),
            Err(fault) if fault.class == Class::LeaseGone => Ok(Answer::Taken),
            Err(fault) => Err(fault),
        }
    }

    /// Renews a caller's lease.
    pub(crate) async fn renew(&self, lease: Lease) -> Result<Lease> {
        let deadline = self.endpoints.deadline();
        let renewed = self.renew_within(lease.epoch, lease.id, deadline).await;
        let ttl = renewed.map_err(|fault| lease_error(fault, lease.id, "renewing"))?;
        Ok(Lease::new(lease.id, ttl, lease.epoch))
    }

    /// Renews a lease in the life of the log that granted it. In another one it is gone, whatever a restore brought back;
    /// but only an answer of the log says which life this is.
    async fn renew_within(
        &self,
        epoch: Epoch,
        lease: LeaseId,
        deadline: Instant,
    ) -> Result<Duration, Fault> {
        loop {
            if self.life.known_of(epoch).is_none() {
                self.look(Purpose::Lease, deadline).await?;
            }
            let known = self.life.known_of(epoch).ok_or_else(of_another_life)?;
            let renewed = self.renew_by(Some(epoch), lease, deadline).await;
            let (ttl, signs) = match renewed {
                Err(fault) if fault.class == Class::Unchecked => {
                    self.look(Purpose::Lease, deadline).await?;
                    continue;
                }
                renewed => renewed?,
            };
            // A member that lags behind shows an older revision as well.
            if judge(Some(&known), &signs) != Judgement::Same {
                self.look(Purpose::Lease, deadline).await?;
            }
            // Others may have found meanwhile that it is another.
            let known = self.life.known_of(epoch);
            return known.map(|_| ttl).ok_or_else(of_another_life);
        }
    }

    /// Renews a lease, each time on a stream of its own that ends with the answer. A stream that is kept would have to
    /// be watched: on a lease that was revoked it stays open, and answers a time to live of 0.
    pub(crate) async fn renew_by(
        &self,
        within: Option<Epoch>,
        lease: LeaseId,
        deadline: Instant,
    ) -> Result<(Duration, Signs), Fault> {
        let call_options = CallOptions {
            purpose: Purpose::Lease,
            within,
            ..self.endpoints.call_options(Repeat::Harmless, deadline)
        };
        let renewed = self
            .endpoints
            .call_member(call_options, |client| async move {
                client.renew(lease_number(lease)).await
            })
            .await?;
        let Some(answer) = renewed.answer else {
            return Err(Fault::new(Class::Unknown, "the stream of renewals ended"));
        };
        let is_true = renewed.connection.version().renews_truthfully();
        if answer.ttl > 0 && (is_true || self.lease_exists(lease, deadline).await?) {
            let signs = Signs::of(answer.header.as_ref());
            return Ok((seconds_of(answer.ttl), signs));
        }
        Err(Fault::new(Class::LeaseGone, "the lease has ended"))
    }

    /// Whether a lease exists: servers below 3.5.23, 3.4.38 and 3.6.5 may report the renewal of one that is revoked as
    /// done.
    pub(crate) async fn lease_exists(
        &self,
        lease: LeaseId,
        deadline: Instant,
    ) -> Result<bool, Fault> {
        let call_options = self.endpoints.call_options(Repeat::Harmless, deadline);
        let asked = self
            .endpoints
            .call(call_options, |client| async move {
                client
                    .lease_client()
                    .time_to_live(lease_number(lease), None)
                    .await
            })
            .await;
        match asked {
            // Under a second left is told as 0; only what is gone is told as -1.
            Ok(answer) => Ok(answer.ttl() >= 0),
            Err(fault) if fault.class == Class::LeaseGone => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Ends a caller's lease.
    pub(crate) async fn revoke(&self, lease: LeaseId) -> Result<()> {
        let revoked = self.revoke_by(lease, self.endpoints.deadline()).await;
        revoked.map_err(|fault| lease_error(fault, lease, "revoking"))
    }

    /// Ends a lease; one that has ended already is no error.
    pub(crate) async fn revoke_by(&self, lease: LeaseId, deadline: Instant) -> Result<(), Fault> {
        let call_options = self.endpoints.call_options(Repeat::Harmless, deadline);
        let revoked = self
            .endpoints
            .call(call_options, |client| async move {
                client.lease_client().revoke(lease_number(lease)).await
            })
            .await;
        match revoked {
            Err(fault) if fault.class != Class::LeaseGone => Err(fault),
            _ => Ok(()),
        }
    }
}

fn of_another_life() -> Fault {
    let text = "it was granted in another life of the log";
    Fault::new(Class::LeaseGone, text)
}

fn seconds_of(ttl: i64) -> Duration {
    Duration::from_secs(u64::try_from(ttl).unwrap_or(0))
}

fn lease_error(fault: Fault, lease: LeaseId, doing: &str) -> Error {
    fault
        .into_error()
        .while_doing(format_args!("{doing} lease {lease}"))
}
