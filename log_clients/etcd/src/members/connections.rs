//! The connections to one member from one failure to the next, each made when it is first needed.
//!
//! Never retries: who uses them decides what a failure means.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fault::{Class, Fault};
use crate::members::connection::Connection;
use crate::members::dial::Purpose;
use crate::members::silence::Silence;
use crate::members::token::Token;
use crate::settings::Settings;
use crate::settings::server_version::ServerVersion;

const PURPOSES: [Purpose; 3] = [Purpose::Unary, Purpose::Watch, Purpose::Lease];

/// The connections of one member between two failures. When it is put aside they are given up together, and the next
/// time it is chosen it has others.
#[derive(Default)]
pub(crate) struct Connections {
    unary: Mutex<Option<Arc<Connection>>>,
    watch: Mutex<Option<Arc<Connection>>>,
    lease: Mutex<Option<Arc<Connection>>>,
    /// How long the member has been silent to unary requests.
    pub(crate) silence: Silence,
    given_up: AtomicBool,
}

impl Connections {
    /// Makes those who still wait for them fail at once, instead of dialling one after another. What is under way, and a
    /// watch that is well, keeps the one it is on; the others are closed, however long that watch lasts.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        for purpose in PURPOSES {
            *self.cell(purpose) = None;
        }
    }

    /// Whether one of them is known to lead to somebody.
    pub(crate) fn is_any_known(&self) -> bool {
        PURPOSES.into_iter().any(|purpose| {
            let connection = self.cell(purpose);
            connection.as_ref().is_some_and(|it| it.known().is_some())
        })
    }

    /// The connection for a purpose.
    pub(crate) fn connection(
        &self,
        purpose: Purpose,
        address: &str,
        token: &Arc<Token>,
        settings: &Settings,
    ) -> Result<Arc<Connection>, Fault> {
        let mut connection = self.cell(purpose);
        if let Some(connection) = &*connection {
            return Ok(Arc::clone(connection));
        }
        if self.given_up.load(Ordering::Relaxed) {
            return Err(Fault::new(Class::NeverSent, "the connection was given up"));
        }
        let new = Arc::new(Connection::new(address, token, settings)?);
        *connection = Some(Arc::clone(&new));
        Ok(new)
    }

    /// The version the member said it has, on whichever connection.
    pub(crate) fn told_version(&self) -> Option<ServerVersion> {
        let mut connections = PURPOSES
            .into_iter()
            .filter_map(|purpose| self.cell(purpose).clone());
        connections.find_map(|connection| connection.told_version())
    }

    /// The connection for a purpose has ended: the next request gets another.
    pub(crate) fn forget(&self, purpose: Purpose, ended: &Arc<Connection>) {
        let mut connection = self.cell(purpose);
        if connection
            .as_ref()
            .is_some_and(|connection| Arc::ptr_eq(connection, ended))
        {
            *connection = None;
        }
    }

    /// Whether another connection serves that purpose now.
    pub(crate) fn is_replaced(&self, purpose: Purpose, connection: &Arc<Connection>) -> bool {
        let current = self.cell(purpose);
        let is_other = |current: &Arc<Connection>| !Arc::ptr_eq(current, connection);
        current.as_ref().is_some_and(is_other)
    }

    fn cell(&self, purpose: Purpose) -> MutexGuard<'_, Option<Arc<Connection>>> {
        let cell = match purpose {
            Purpose::Unary => &self.unary,
            Purpose::Watch => &self.watch,
            Purpose::Lease => &self.lease,
        };
        cell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
