//! The way to a member: which connection is used, and who is at its other end.
//!
//! Never sends what is asked: whatever fails here, that was not sent.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use crate::fault::{Class, Fault};
use crate::members::connection::Connection;
use crate::members::dial::Purpose;
use crate::members::endpoints::{Chosen, Endpoints};
use crate::members::pending::PendingRequest;

impl Endpoints {
    /// A connection to a member that is known to answer. Whatever fails here, the request itself was not sent.
    pub(crate) async fn contact(
        &self,
        chosen: &Chosen,
        purpose: Purpose,
        deadline: Instant,
    ) -> Result<Arc<Connection>, Fault> {
        let connection = chosen.connection(purpose, self)?;
        self.introduce(chosen, &connection, purpose, deadline)
            .await?;
        Ok(connection)
    }

    /// The connection for a purpose. What concerns a lease does not wait behind what has no answer: it goes over another
    /// connection, beside the one that is silent.
    pub(crate) fn connection(
        &self,
        chosen: &Chosen,
        purpose: Purpose,
    ) -> Result<Arc<Connection>, Fault> {
        let connection = chosen.connection(purpose, self)?;
        let is_silent = connection.silence.length() >= self.settings.request_timeout / 2;
        if purpose == Purpose::Lease && is_silent {
            chosen.connections.forget(purpose, &connection);
            return chosen.connection(purpose, self);
        }
        Ok(connection)
    }

    /// Learns who is at the other end of a connection, as far as that is not known.
    pub(crate) async fn introduce(
        &self,
        chosen: &Chosen,
        connection: &Arc<Connection>,
        purpose: Purpose,
        deadline: Instant,
    ) -> Result<(), Fault> {
        if connection.known().is_some() && !self.authenticator.token.is_needed() {
            return Ok(());
        }
        let done = self.log_in_and_handshake(chosen, connection, deadline);
        done.await
            .map_err(|fault| chosen.noted(fault, purpose, connection))
    }

    /// Logs in and learns who is at the other end, as far as that was not done.
    async fn log_in_and_handshake(
        &self,
        chosen: &Chosen,
        connection: &Arc<Connection>,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let time_up = |text| Fault::new(Class::TimeUp, text);
        let log_in = timeout_at(
            deadline,
            self.authenticator
                .log_in(&chosen.endpoint.address, connection),
        )
        .await;
        log_in
            .map_err(|_| time_up("the login did not end in time"))?
            .map_err(|fault| chosen.guess_cause(fault))?;
        let _pending = PendingRequest::new(self, chosen);
        let limit = Instant::now() + self.settings.connect_timeout + self.settings.request_timeout;
        let has_token = self.authenticator.token.is_there();
        let handshake = connection.handshake(self.settings.server_version, has_token);
        match timeout_at(limit.min(deadline), handshake).await {
            Ok(handshake) => {
                let handshake =
                    handshake.map_err(|fault| chosen.guess_cause(fault.never_sent()))?;
                chosen.connections.silence.reset();
                connection.silence.reset();
                chosen.warn_of(handshake.version);
                self.admit(chosen, handshake.cluster).await
            }
            Err(_) if limit > deadline => Err(time_up("it could not be contacted in time")),
            Err(_) => Err(self.why_silent(connection, deadline).await),
        }
    }

    /// Why a member could not be contacted in time. One that was restored from a backup keeps everybody waiting who bears a
    /// token of its old life: a token counts from a moment of the log's, which has yet to come again.
    async fn why_silent(&self, connection: &Connection, deadline: Instant) -> Fault {
        let limit = deadline.min(Instant::now() + self.settings.request_timeout);
        let is_alive = timeout_at(limit, connection.is_alive());
        if self.authenticator.token.is_there() && is_alive.await.is_ok_and(|is_alive| is_alive) {
            return Fault::new(Class::Mute, "it is silent to who bears this token");
        }
        Fault::new(Class::NeverSent, "it could not be contacted in time")
    }
}
