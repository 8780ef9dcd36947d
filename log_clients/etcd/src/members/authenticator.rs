//! The login of this client: one token for all its connections, renewed by one login at a time with each member.
//!
//! Never lets a login end with who waits for it, nor because its member is silent: a server has to check the password whether
//! anybody still wants to know or not, so what comes of it is taken by whoever comes next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, Shared, select_ok};
use http::HeaderValue;
use tokio::time::{Instant, sleep, timeout};

use crate::fault::{Class, Fault};
use crate::members::backoff;
use crate::members::connection::Connection;
use crate::members::token::{Login, Token};
use crate::settings::Settings;

/// The longest that a login is waited for. A connection that is dead ends it much sooner.
const LONGEST: Duration = Duration::from_secs(120);

/// What every connection of a client shares.
///
/// A login that was cut off is still paid for: the server's check of the password runs on. So 200 clients that gave up
/// after a while and began again were seen never to get in, while 200 that wait take seven seconds together. Logins are
/// therefore waited for by all who need one, go on in tasks of their own, and are begun again only when their
/// connection must be dead.
pub(crate) struct Authenticator {
    settings: Arc<Settings>,
    pub(crate) token: Arc<Token>,
    logins: Mutex<Logins>,
}

/// Which logins are under way, and the last refusal.
#[derive(Default)]
struct Logins {
    under_way: Vec<PendingLogin>,
    /// The last refusal, while it stands.
    refused: Option<Refused>,
    refusals: u32,
}

/// A login that any number of callers wait for. It goes on in its task when they give up.
type SharedLogin = Shared<BoxFuture<'static, Result<(), Fault>>>;

/// A login that was begun, and with whom.
struct PendingLogin {
    address: String,
    connection: Weak<Connection>,
    begun: Instant,
    attempt: SharedLogin,
}

/// Credentials that were not accepted, which are not tried again for a while.
struct Refused {
    credentials: (String, String),
    fault: Fault,
    until: Instant,
}

impl Authenticator {
    pub(crate) fn new(settings: Arc<Settings>) -> Authenticator {
        let token = Token::default();
        if !settings.credentials.are_given() {
            token.set(Login::NotNeeded);
        }
        Authenticator {
            settings,
            token: Arc::new(token),
            logins: Mutex::default(),
        }
    }

    /// A request that bore this token was refused for it. Others may have found that out before, and logged in anew.
    pub(crate) fn token_refused(&self, generation: u64) {
        if self.settings.credentials.are_given() {
            self.token.drop_if(generation);
        }
    }

    /// Waits for the login with this member that is under way, or begins one over this connection.
    pub(crate) async fn log_in(
        self: &Arc<Self>,
        address: &str,
        connection: &Arc<Connection>,
    ) -> Result<(), Fault> {
        let Some(attempts) = self.attempts(address, connection) else {
            return Ok(());
        };
        tokio::select! {
            biased;
            done = select_ok(attempts) => done.map(drop),
            fault = self.silence(connection) => Err(fault),
        }
    }

    /// The logins with this member that are under way, of which there is one at least; nothing if none is needed.
    fn attempts(
        self: &Arc<Self>,
        address: &str,
        connection: &Arc<Connection>,
    ) -> Option<Vec<SharedLogin>> {
        let mut logins = self.logins();
        if !self.token.is_needed() {
            return None;
        }
        let under_way = &mut logins.under_way;
        under_way.retain(|login| login.attempt.peek().is_none());
        let mut there = under_way.iter().filter(|login| login.address == address);
        let patience = self.patience() * u32::try_from(there.clone().count()).unwrap_or(u32::MAX);
        // The connection of the last one may be dead, which is found out only after a while.
        let is_good = |login: &PendingLogin| {
            let is_young = login.begun.elapsed() < patience;
            is_young || Weak::as_ptr(&login.connection) == Arc::as_ptr(connection)
        };
        if !there.next_back().is_some_and(is_good) {
            under_way.push(PendingLogin {
                address: address.to_owned(),
                connection: Arc::downgrade(connection),
                begun: Instant::now(),
                attempt: self.begin(Arc::clone(connection)),
            });
        }
        let there = under_way.iter().filter(|login| login.address == address);
        Some(there.map(|login| login.attempt.clone()).collect())
    }

    /// Begins a login in a task of its own.
    fn begin(self: &Arc<Self>, connection: Arc<Connection>) -> SharedLogin {
        let authenticator = Arc::clone(self);
        let task = tokio::spawn(async move { authenticator.attempt(&connection).await });
        let ended = task.map(|ended| {
            ended.unwrap_or_else(|_| Err(Fault::new(Class::NeverSent, "the login was ended")))
        });
        ended.boxed().shared()
    }

    /// One login: with the credentials as they are now, unless the server has just refused these very ones.
    async fn attempt(&self, connection: &Connection) -> Result<(), Fault> {
        let Some(credentials) = self.credentials().await? else {
            self.token.set(Login::NotNeeded);
            return Ok(());
        };
        if let Some(refused) = self.standing_refusal(&credentials) {
            return Err(refused);
        }
        let (name, password) = credentials.clone();
        let mut auth = connection.client().auth_client();
        let login = match timeout(LONGEST, auth.authenticate(name, password)).await {
            Ok(Ok(answer)) => Login::Done(header(answer.token())?),
            Ok(Err(error)) if says_it_is_off(&error) => Login::NotNeeded,
            // Logging in writes nothing, so whatever became of it, the request itself was not sent.
            Ok(Err(error)) => return Err(self.failed(Fault::from(error), credentials)),
            Err(_) => return Err(Fault::new(Class::NeverSent, "a login was never answered")),
        };
        let mut logins = self.logins();
        // Another may have been quicker.
        if self.token.is_needed() {
            self.token.set(login);
        }
        (logins.refused, logins.refusals) = (None, 0);
        Ok(())
    }

    /// Ends when the member stops answering. Checking a password is made to take long, and with many clients at once it
    /// takes as many times as long: as long as the member says anything else, it is waited for.
    async fn silence(&self, connection: &Connection) -> Fault {
        let limit = match self.settings.endpoints.len() {
            1 => self.patience(),
            _ => self.settings.request_timeout,
        };
        loop {
            sleep(limit).await;
            if !timeout(limit, connection.is_alive())
                .await
                .is_ok_and(|is_alive| is_alive)
            {
                let text = "it stopped answering while this client logged in";
                return Fault::new(Class::NeverSent, text);
            }
        }
    }

    /// How long a member with all its processors at work may be silent: checking the passwords of two hundred clients keeps
    /// two of them from everything else for seconds.
    fn patience(&self) -> Duration {
        self.settings
            .keep_alive_timeout
            .max(self.settings.request_timeout)
    }

    /// As they are now. Where they are kept may be slow.
    async fn credentials(&self) -> Result<Option<(String, String)>, Fault> {
        let settings = Arc::clone(&self.settings);
        let read = tokio::task::spawn_blocking(move || settings.credentials.read()).await;
        let ended = |_| Fault::new(Class::NeverSent, "reading the credentials was ended");
        Ok(read.map_err(ended)??)
    }

    /// The last refusal, if it was of these credentials and is recent. A password that was changed is tried at once.
    fn standing_refusal(&self, credentials: &(String, String)) -> Option<Fault> {
        let logins = self.logins();
        let refused = logins.refused.as_ref()?;
        let stands = refused.credentials == *credentials && Instant::now() < refused.until;
        stands.then(|| refused.fault.clone())
    }

    /// Remembers a refusal. Nothing of the caller's was sent, whatever failed.
    fn failed(&self, fault: Fault, credentials: (String, String)) -> Fault {
        let fault = fault.never_sent();
        if fault.class == Class::Denied {
            let mut logins = self.logins();
            logins.refusals = logins.refusals.saturating_add(1);
            let pause = backoff::pause_of_refusal(logins.refusals, fastrand::f64());
            logins.refused = Some(Refused {
                credentials,
                fault: fault.clone(),
                until: Instant::now() + pause,
            });
        }
        fault
    }

    fn logins(&self) -> MutexGuard<'_, Logins> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn header(text: &str) -> Result<HeaderValue, Fault> {
    let unfit = |_| Fault::new(Class::NotEtcd, "the token it gave is none that can be sent");
    let mut token = HeaderValue::from_str(text).map_err(unfit)?;
    token.set_sensitive(true);
    Ok(token)
}

/// Who has a user name may use a server that asks for none.
fn says_it_is_off(error: &etcd_client::Error) -> bool {
    matches!(error, etcd_client::Error::GRpcStatus(status)
        if status.message() == "etcdserver: authentication is not enabled")
}
