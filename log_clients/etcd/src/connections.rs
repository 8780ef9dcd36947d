//! The connections to one member, dialled when they are first needed.
//!
//! Never retries: who uses them decides what a failure means.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use etcd_client::Client;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use crate::fault::{Class, Fault};
use crate::settings::Settings;
use crate::silence::Silence;
use crate::version::Version;

/// What a connection is for. Each has its own, so that none waits behind another: a catch-up of megabytes must not hold
/// up a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Unary,
    Watch,
    Lease,
}

/// The connections to one member from one failure to the next.
#[derive(Default)]
pub(crate) struct Connections {
    version: OnceCell<Version>,
    // Cloning a client clones what it holds for each service, which costs more than the rest of sending a request.
    unary: OnceCell<Arc<Client>>,
    watch: OnceCell<Arc<Client>>,
    lease: OnceCell<Arc<Client>>,
    /// When the member was last asked for its term. Held while it is.
    pub(crate) term_asked: Mutex<Option<Instant>>,
    /// How long it has been silent to unary requests.
    pub(crate) silence: Silence,
    given_up: AtomicBool,
}

impl Connections {
    /// Makes those who still wait for them fail at once, instead of dialling one after another.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// The client of a line, which is logged in. Its first request dials.
    pub(crate) async fn client(
        &self,
        line: Line,
        address: &str,
        settings: &Settings,
    ) -> Result<Arc<Client>, Fault> {
        let client = self.cell(line).get_or_try_init(|| async {
            self.check()?;
            connect(address, settings).await.map(Arc::new)
        });
        client.await.cloned()
    }

    /// The client of a line that is logged in already, of a member that has answered.
    pub(crate) fn ready(&self, line: Line) -> Option<Arc<Client>> {
        self.version.get()?;
        self.cell(line).get().cloned()
    }

    fn cell(&self, line: Line) -> &OnceCell<Arc<Client>> {
        match line {
            Line::Unary => &self.unary,
            Line::Watch => &self.watch,
            Line::Lease => &self.lease,
        }
    }

    /// The member's version. Asking for it shows, before anything is sent that must not be sent twice, that the member
    /// is there and answers.
    pub(crate) async fn version(
        &self,
        address: &str,
        settings: &Settings,
    ) -> Result<Version, Fault> {
        let client = self.client(Line::Unary, address, settings).await?;
        let version = self.version.get_or_try_init(|| async {
            self.check()?;
            match client.maintenance_client().status().await {
                Ok(status) => Ok(Version::parse(status.version())),
                Err(error) => {
                    let fault = Fault::from(error);
                    match fault.class {
                        Class::Denied | Class::StaleToken | Class::Refused => Ok(Version::UNKNOWN),
                        _ => Err(fault),
                    }
                }
            }
        });
        version.await.copied()
    }

    fn check(&self) -> Result<(), Fault> {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(Fault::new(Class::NeverSent, "the connection was given up"));
        }
        Ok(())
    }
}

async fn connect(address: &str, settings: &Settings) -> Result<Client, Fault> {
    match Client::connect([address], Some(settings.connect_options(true)?)).await {
        Err(etcd_client::Error::GRpcStatus(status))
            if status.message().contains("authentication is not enabled") =>
        {
            // Who has a user name may use a server that asks for none.
            let options = settings.connect_options(false)?;
            Ok(Client::connect([address], Some(options)).await?)
        }
        // Logging in writes nothing, so whatever became of it, the request itself was not sent.
        Err(error) => {
            let mut fault = Fault::from(error);
            if fault.class == Class::Unknown {
                fault.class = Class::NeverSent;
            }
            Err(fault)
        }
        Ok(client) => Ok(client),
    }
}
