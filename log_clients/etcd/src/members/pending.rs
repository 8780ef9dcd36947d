//! Requests that wait for their answers, and what it means when nobody waits any more.
//!
//! Never decides how long one waits.

use crate::fault::{Class, Fault};
use crate::members::connection::Connection;
use crate::members::endpoints::{Chosen, Endpoints};

/// A request that waits for its answer. Dropped when it does no more: with its answer, at its time limit, or because its
/// caller gave up.
pub(crate) struct PendingRequest<'a> {
    endpoints: &'a Endpoints,
    chosen: &'a Chosen,
}

impl<'a> PendingRequest<'a> {
    pub(crate) fn new(endpoints: &'a Endpoints, chosen: &'a Chosen) -> PendingRequest<'a> {
        chosen.connections.silence.begins();
        PendingRequest { endpoints, chosen }
    }
}

impl Drop for PendingRequest<'_> {
    fn drop(&mut self) {
        let silent = self.chosen.connections.silence.ends();
        let is_long = silent >= self.endpoints.settings.request_timeout;
        if is_long {
            let text = "it answered nobody in time";
            let fault = Fault::new(Class::Unknown, text);
            self.endpoints.put_aside(self.chosen, &fault);
        }
    }
}

/// An attempt that waits for something to come over a connection: so long that is silent.
pub(crate) struct Listening<'a>(&'a Connection);

impl<'a> Listening<'a> {
    pub(crate) fn to(connection: &'a Connection) -> Listening<'a> {
        connection.silence.begins();
        Listening(connection)
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.silence.ends();
    }
}
