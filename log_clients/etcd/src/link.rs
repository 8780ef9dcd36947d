//! One connection to one member, from its dial to its end, and what is known of who is at its other end.
//!
//! Never carries what it knows over to another connection: behind one address there may be many servers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Client, GetOptions};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::dial;
use crate::fault::{Class, Fault};
use crate::order;
use crate::records::number;
use crate::refusal;
use crate::settings::Settings;
use crate::socket::Verdict;
use crate::token::Token;
use crate::transport;
use crate::version::Version;

/// Any key: that reading it is not allowed is an answer as good as another.
const TOKEN_PROBE: &str = ".globe/epoch";

/// One connection.
pub(crate) struct Link {
    // Cloning a client clones what it holds for each service, which costs more than the rest of sending a request.
    client: Arc<Client>,
    /// The same, without a token.
    anonymous: Client,
    /// What TLS said of it.
    verdict: Verdict,
    /// Set once it has answered.
    greeting: OnceCell<Greeting>,
    /// Whether it was seen to order progress. Asked for when its version is not known.
    orders: OnceCell<bool>,
    /// Whether an answer that came through it was seen to be of the known life of the log.
    is_checked: AtomicBool,
    /// When it was last asked for a sign of life. Held while it is.
    asked: tokio::sync::Mutex<Option<Instant>>,
    /// When it last gave one.
    heard: Mutex<Option<Instant>>,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Greeting {
    pub(crate) version: Version,
    /// Whether it said its version itself.
    pub(crate) is_told: bool,
    /// The cluster's id; 0 when it was not said.
    pub(crate) cluster: u64,
}

/// What any member says of itself to anybody, at once, without asking others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pulse {
    pub(crate) cluster: u64,
    /// Its raft term; 0 when it was not said.
    pub(crate) term: u64,
}

impl Link {
    pub(crate) fn new(
        address: &str,
        token: &Arc<Token>,
        settings: &Settings,
    ) -> Result<Link, Fault> {
        let verdict = Verdict::default();
        let (client, anonymous) = dial::clients(address, token, settings, verdict.clone())?;
        Ok(Link {
            verdict,
            client: Arc::new(client),
            anonymous,
            greeting: OnceCell::new(),
            orders: OnceCell::new(),
            is_checked: AtomicBool::new(false),
            asked: tokio::sync::Mutex::default(),
            heard: Mutex::default(),
        })
    }

    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The fault, told for what it is when TLS said why the connection ended.
    pub(crate) fn explained(&self, fault: Fault) -> Fault {
        match self.verdict.get() {
            Some(said) if transport::is_distrust(said) => fault.because(Class::Untrusted, said),
            _ => fault,
        }
    }

    /// Who is there, if it is known already.
    pub(crate) fn known(&self) -> Option<Greeting> {
        self.greeting.get().copied()
    }

    /// The server's version, as far as it is known.
    pub(crate) fn version(&self) -> Version {
        let told = self.known().map_or(Version::UNKNOWN, |known| known.version);
        let is_ordered = self.orders.get() == Some(&true);
        match told {
            Version::UNKNOWN if is_ordered => Version::ORDERED,
            told => told,
        }
    }

    /// The version it said it has, if it did: what is only taken for granted is none.
    pub(crate) fn told_version(&self) -> Option<Version> {
        let known = self.known().filter(|known| known.is_told)?;
        Some(known.version)
    }

    /// Finds out by a watch of this range whether progress is ordered, where no version tells. A try that fails leaves it
    /// unknown.
    pub(crate) async fn watch_order(&self, range: (Vec<u8>, Vec<u8>), revision: u64) {
        if self.version() == Version::UNKNOWN {
            let look = || order::is_kept(&self.client, range, number(revision.max(1)));
            let _ = self.orders.get_or_try_init(look).await;
        }
    }

    /// Who is there. Asking shows, before anything is sent that must not be sent twice, that somebody is and answers.
    pub(crate) async fn greet(
        &self,
        declared: Option<Version>,
        has_token: bool,
    ) -> Result<Greeting, Fault> {
        let greeting = self.greeting.get_or_try_init(|| async {
            let mut maintenance = self.client.maintenance_client();
            let token = async {
                match has_token {
                    true => self.show_token().await,
                    false => Ok(()),
                }
            };
            let (version, pulse, token) = tokio::join!(maintenance.status(), self.pulse(), token);
            let pulse = pulse?;
            token?;
            Ok(Greeting {
                is_told: version.is_ok(),
                version: version_of(version, declared)?,
                cluster: pulse.cluster,
            })
        });
        greeting.await.copied()
    }

    /// Shows the token with a question that costs the member nothing. Some servers tell by their version and their members
    /// whoever asks, and find out only by this that a token is of no use.
    async fn show_token(&self) -> Result<(), Fault> {
        let options = GetOptions::new().with_serializable().with_count_only();
        let mut kv = self.client.kv_client();
        match kv
            .get(TOKEN_PROBE, Some(options))
            .await
            .map_err(Fault::from)
        {
            Err(fault) if fault.class == Class::StaleToken || !is_answer(fault.class) => Err(fault),
            _ => Ok(()),
        }
    }

    /// Asks for a sign of life that no member keeps from anybody and no disk holds up: the list of members as it knows it.
    /// Any answer is one.
    pub(crate) async fn pulse(&self) -> Result<Pulse, Fault> {
        self.pulse_of(&self.client).await
    }

    /// Whether it gives a sign of life to who bears no token.
    pub(crate) async fn lives(&self) -> bool {
        self.pulse_of(&self.anonymous).await.is_ok()
    }

    async fn pulse_of(&self, client: &Client) -> Result<Pulse, Fault> {
        let answer = client.cluster_client().member_list().await;
        let pulse = match answer {
            Ok(list) => {
                let header = list.header();
                Pulse {
                    cluster: header.map_or(0, |header| header.cluster_id()),
                    term: header.map_or(0, |header| header.raft_term()),
                }
            }
            Err(error) => match Fault::from(error) {
                fault if is_answer(fault.class) => Pulse::default(),
                fault => return Err(fault),
            },
        };
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(pulse)
    }

    /// As `pulse`, but once for all who ask within `interval`; the others are told nothing but when it was last heard.
    pub(crate) async fn pulse_every(&self, interval: Duration) -> Option<Pulse> {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|asked| asked.elapsed() < interval) {
            return None;
        }
        let pulse = self.pulse().await;
        *asked = Some(Instant::now());
        pulse.ok()
    }

    /// When it last gave a sign of life.
    pub(crate) fn heard(&self) -> Option<Instant> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer that came through it was of the known life of the log.
    pub(crate) fn is_of_known_life(&self) {
        self.is_checked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_checked(&self) -> bool {
        self.is_checked.load(Ordering::Relaxed)
    }
}

/// Whether it was given by whoever is at the other end, and not by the way there.
fn is_answer(class: Class) -> bool {
    matches!(
        class,
        Class::StaleToken | Class::Denied | Class::Refused | Class::NotEtcd
    )
}

/// The version of a server that answered the question for its status with this.
fn version_of(
    answer: Result<etcd_client::StatusResponse, etcd_client::Error>,
    declared: Option<Version>,
) -> Result<Version, Fault> {
    let error = match answer {
        Ok(status) => return Ok(Version::parse(status.version())),
        Err(error) => error,
    };
    // Only servers from 3.5.28 on keep their status from anybody (etcd-io/etcd#21663), so this tells enough.
    if let etcd_client::Error::GRpcStatus(status) = &error
        && refusal::is_denial(status.code(), status.message())
    {
        return Ok(declared.unwrap_or(Version::RESERVED));
    }
    match Fault::from(error) {
        fault if fault.class == Class::StaleToken => Ok(declared.unwrap_or(Version::RESERVED)),
        fault if is_answer(fault.class) => Ok(declared.unwrap_or(Version::UNKNOWN)),
        fault => Err(fault),
    }
}
