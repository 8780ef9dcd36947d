//! Leases: granted, renewed, revoked.
//!
//! Never keeps one alive by itself.

use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Lease, LeaseId, Result};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::members::call::{CallOptions, Repeat};
use crate::members::dial::Purpose;
use crate::records::{lease_id, lease_number};

/// The longest lease etcd grants.
pub(crate) const MAX_TTL: Duration = Duration::from_secs(9_000_000_000);

impl Cluster {
    /// A lease for a caller, after a look at how long it may be.
    pub(crate) async fn grant(&self, ttl: Duration) -> Result<Lease> {
        if ttl.is_zero() || ttl > MAX_TTL {
            let context =
                format!("a lease lives longer than zero and at most {MAX_TTL:?}, not {ttl:?}");
            return Err(Error::new(ErrorKind::Invalid, context));
        }
        let granted = self.grant_by(ttl, self.endpoints.deadline()).await;
        let granted = granted.map_err(|fault| fault.into_error().while_doing("granting a lease"));
        let (id, ttl) = granted?;
        let epoch = self.life.known().map(|known| known.epoch);
        Ok(Lease::new(id, ttl, epoch.unwrap_or_default()))
    }

    /// Grants a lease in whole seconds, rounded up. A lease whose grant was not answered ends by itself.
    pub(crate) async fn grant_by(
        &self,
        ttl: Duration,
        deadline: Instant,
    ) -> Result<(LeaseId, Duration), Fault> {
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let call_options = self.endpoints.call_options(Repeat::Harmless, deadline);
        let granted = self
            .endpoints
            .call(call_options, |client| async move {
                client.lease_client().grant(seconds, None).await
            })
            .await?;
        Ok((lease_id(granted.id()), seconds_of(granted.ttl())))
    }

    /// Renews a caller's lease.
    pub(crate) async fn renew(&self, lease: Lease) -> Result<Lease> {
        let renewed = self.renew_by(lease.id, self.endpoints.deadline()).await;
        let ttl = renewed.map_err(|fault| lease_error(fault, lease.id, "renewing"))?;
        Ok(Lease::new(lease.id, ttl, lease.epoch))
    }

    /// Renews a lease, each time on a stream of its own that ends with the answer. A stream that is kept would have to
    /// be watched: on a lease that was revoked it stays open, and answers a time to live of 0.
    pub(crate) async fn renew_by(
        &self,
        lease: LeaseId,
        deadline: Instant,
    ) -> Result<Duration, Fault> {
        let call_options = CallOptions {
            purpose: Purpose::Lease,
            ..self.endpoints.call_options(Repeat::Harmless, deadline)
        };
        let renewed = self
            .endpoints
            .call_member(call_options, |client| async move {
                let number = lease_number(lease);
                let (mut keeper, mut answers) = client.lease_client().keep_alive(number).await?;
                // What the first answer says of the time, the client keeps to itself.
                keeper.keep_alive().await?;
                answers.message().await
            })
            .await?;
        let Some(answer) = renewed.answer else {
            return Err(Fault::new(Class::Unknown, "the stream of renewals ended"));
        };
        let is_true = renewed.connection.version().renews_truthfully();
        if answer.ttl() > 0 && (is_true || self.lease_exists(lease, deadline).await?) {
            return Ok(seconds_of(answer.ttl()));
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

fn seconds_of(ttl: i64) -> Duration {
    Duration::from_secs(u64::try_from(ttl).unwrap_or(0))
}

fn lease_error(fault: Fault, lease: LeaseId, doing: &str) -> Error {
    fault
        .into_error()
        .while_doing(format_args!("{doing} lease {lease}"))
}
