//! One connection to one member, from its dial to its end, and what is known of who is at its other end.
//!
//! Never carries what it knows over to another connection: behind one address there may be many servers.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use etcd_client::{Client, GetOptions};
use globe_log_client::Epoch;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::fault::refusal;
use crate::fault::transport;
use crate::fault::{Class, Fault};
use crate::members::calls::Calls;
use crate::members::dial;
use crate::members::order;
use crate::members::silence::Silence;
use crate::members::socket::TlsFailure;
use crate::members::token::Token;
use crate::records::number;
use crate::settings::Settings;
use crate::settings::server_version::ServerVersion;

/// Any key: that reading it is not allowed is an answer as good as another.
const TOKEN_PROBE: &str = ".globe/epoch";

/// One connection, its two clients, and what was learned over it. It dials with its first request.
pub(crate) struct Connection {
    // Cloning a client clones what it holds for each service, which costs more than the rest of sending a request.
    client: Arc<Calls>,
    /// The same, without a token.
    anonymous: Client,
    /// What TLS said of it.
    tls_failure: TlsFailure,
    /// How long nothing has come over it although something was waited for.
    pub(crate) silence: Silence,
    /// Why nobody is to dial it any more.
    given_up: OnceLock<Fault>,
    /// Set once it has answered.
    handshake: OnceCell<Handshake>,
    /// Whether it was seen to order progress. Asked for when its version is not known.
    orders: OnceCell<bool>,
    /// The life of the log that an answer which came through it was last seen to be of.
    life: Mutex<Option<Epoch>>,
    /// When it was last asked for a sign of life. Held while it is.
    asked: tokio::sync::Mutex<Option<Instant>>,
    /// When it last gave one.
    last_alive: Mutex<Option<Instant>>,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handshake {
    pub(crate) version: ServerVersion,
    /// Whether it said its version itself.
    pub(crate) is_told: bool,
    /// The cluster's id; 0 when it was not said.
    pub(crate) cluster: u64,
}

/// What any member says of itself to anybody, at once, without asking others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Liveness {
    pub(crate) cluster: u64,
    /// Its raft term; 0 when it was not said.
    pub(crate) term: u64,
}

impl Connection {
    /// A connection that is not dialled yet.
    pub(crate) fn new(
        address: &str,
        token: &Arc<Token>,
        settings: &Settings,
    ) -> Result<Connection, Fault> {
        let tls_failure = TlsFailure::default();
        let (signed, anonymous) = dial::channels(address, token, settings, tls_failure.clone())?;
        Ok(Connection {
            tls_failure,
            silence: Silence::default(),
            given_up: OnceLock::new(),
            client: Arc::new(Calls::new(signed)?),
            anonymous: dial::client(etcd_client::Channel::Tonic(anonymous))?,
            handshake: OnceCell::new(),
            orders: OnceCell::new(),
            life: Mutex::default(),
            asked: tokio::sync::Mutex::default(),
            last_alive: Mutex::default(),
        })
    }

    pub(crate) fn client(&self) -> &Arc<Calls> {
        &self.client
    }

    /// The fault, told for what it is when TLS said why the connection ended.
    pub(crate) fn explained(&self, fault: Fault) -> Fault {
        match self.tls_failure.get() {
            Some(said) if transport::is_distrust(said) => fault.because(Class::Untrusted, said),
            _ => fault,
        }
    }

    /// Makes those who still wait for it to be dialled fail at once, instead of dialling one after another.
    pub(crate) fn give_up(&self, fault: &Fault) {
        // The first one says why.
        let _ = self.given_up.set(fault.clone());
    }

    /// Who is there, if it is known already.
    pub(crate) fn known(&self) -> Option<Handshake> {
        self.handshake.get().copied()
    }

    /// The server's version, as far as it is known.
    pub(crate) fn version(&self) -> ServerVersion {
        let told = self
            .known()
            .map_or(ServerVersion::UNKNOWN, |known| known.version);
        let is_ordered = self.orders.get() == Some(&true);
        match told {
            ServerVersion::UNKNOWN if is_ordered => ServerVersion::ORDERED,
            told => told,
        }
    }

    /// The version it said it has, if it did: what is only taken for granted is none.
    pub(crate) fn told_version(&self) -> Option<ServerVersion> {
        let known = self.known().filter(|known| known.is_told)?;
        Some(known.version)
    }

    /// Finds out by a watch of this range whether progress is ordered, where no version tells. A try that fails leaves it
    /// unknown.
    pub(crate) async fn watch_order(&self, range: (Vec<u8>, Vec<u8>), revision: u64) {
        if self.version() == ServerVersion::UNKNOWN {
            let look = || order::is_kept(&self.client, range, number(revision.max(1)));
            let _ = self.orders.get_or_try_init(look).await;
        }
    }

    /// Who is there. Asking shows, before anything is sent that must not be sent twice, that somebody is and answers.
    ///
    /// Three questions at once: the status for its version, which servers since 3.5.28 keep from everybody but root
    /// (etcd-io/etcd#21663); the list of members for the cluster; and, where there is a token, one that only a valid
    /// token gets answered.
    pub(crate) async fn handshake(
        &self,
        declared: Option<ServerVersion>,
        has_token: bool,
    ) -> Result<Handshake, Fault> {
        let handshake = self.handshake.get_or_try_init(|| async {
            if let Some(fault) = self.given_up.get() {
                return Err(fault.clone());
            }
            let mut maintenance = self.client.maintenance_client();
            let token = async {
                match has_token {
                    true => self.show_token().await,
                    false => Ok(()),
                }
            };
            let (version, liveness, token) =
                tokio::join!(maintenance.status(), self.liveness(), token);
            let liveness = liveness?;
            token?;
            Ok(Handshake {
                is_told: version.is_ok(),
                version: version_of(version, declared)?,
                cluster: liveness.cluster,
            })
        });
        handshake.await.copied()
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
    pub(crate) async fn liveness(&self) -> Result<Liveness, Fault> {
        self.liveness_of(&self.client).await
    }

    /// Whether it gives a sign of life to who bears no token.
    pub(crate) async fn is_alive(&self) -> bool {
        self.liveness_of(&self.anonymous).await.is_ok()
    }

    /// Any answer is a sign of life: one that is a refusal says neither cluster nor term.
    async fn liveness_of(&self, client: &Client) -> Result<Liveness, Fault> {
        let answer = client.cluster_client().member_list().await;
        let liveness = match answer {
            Ok(list) => {
                let header = list.header();
                Liveness {
                    cluster: header.map_or(0, |header| header.cluster_id()),
                    term: header.map_or(0, |header| header.raft_term()),
                }
            }
            Err(error) => match Fault::from(error) {
                fault if is_answer(fault.class) => Liveness::default(),
                fault => return Err(fault),
            },
        };
        *self
            .last_alive
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(liveness)
    }

    /// As `liveness`, but once for all who ask within `interval`; the others are told nothing but when it was last heard.
    pub(crate) async fn liveness_every(&self, interval: Duration) -> Option<Liveness> {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|asked| asked.elapsed() < interval) {
            return None;
        }
        let liveness = self.liveness().await;
        *asked = Some(Instant::now());
        liveness.ok()
    }

    /// When it last gave a sign of life.
    pub(crate) fn last_alive(&self) -> Option<Instant> {
        *self
            .last_alive
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer that came through it was of this life of the log.
    pub(crate) fn set_life(&self, epoch: Epoch) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = Some(epoch);
    }

    /// Whether it was seen to lead to this life of the log. Until then no commit of that life goes through it: whoever
    /// slept through a restore may have guards that hold again by chance.
    pub(crate) fn leads_to(&self, epoch: Epoch) -> bool {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) == Some(epoch)
    }
}

/// Whether it was given by whoever is at the other end, and not by the way there: also a refusal shows that somebody
/// is.
fn is_answer(class: Class) -> bool {
    matches!(
        class,
        Class::StaleToken | Class::Denied | Class::Refused | Class::NotEtcd
    )
}

/// The version of a server that answered the question for its status with this.
fn version_of(
    answer: Result<etcd_client::StatusResponse, etcd_client::Error>,
    declared: Option<ServerVersion>,
) -> Result<ServerVersion, Fault> {
    let error = match answer {
        Ok(status) => return Ok(ServerVersion::parse(status.version())),
        Err(error) => error,
    };
    // Only servers from 3.5.28 on keep their status from anybody (etcd-io/etcd#21663), so this tells enough.
    if let etcd_client::Error::GRpcStatus(status) = &error
        && refusal::is_denial(status.code(), status.message())
    {
        return Ok(declared.unwrap_or(ServerVersion::RESERVED));
    }
    match Fault::from(error) {
        fault if fault.class == Class::StaleToken => {
            Ok(declared.unwrap_or(ServerVersion::RESERVED))
        }
        fault if is_answer(fault.class) => Ok(declared.unwrap_or(ServerVersion::UNKNOWN)),
        fault => Err(fault),
    }
}
