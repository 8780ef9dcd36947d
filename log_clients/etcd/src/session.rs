//! The login of this client: one token for all its connections, renewed by one login at a time.
//!
//! Never lets a login end with who waits for it: a server has to check the password whether anybody still wants to know or
//! not, so one that is begun is waited for by whoever comes next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, FutureExt, Shared};
use http::HeaderValue;
use tokio::time::{Instant, sleep, timeout};

use crate::backoff;
use crate::fault::{Class, Fault};
use crate::link::Link;
use crate::settings::Settings;
use crate::token::{Login, Token};

/// What every connection of a client shares.
pub(crate) struct Session {
    settings: Arc<Settings>,
    pub(crate) token: Arc<Token>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: Option<Attempt>,
    /// The last refusal, while it stands.
    refused: Option<Refused>,
    refusals: u32,
}

type Attempt = Shared<BoxFuture<'static, Result<(), Fault>>>;

/// Credentials that were not accepted, which are not tried again for a while.
struct Refused {
    credentials: (String, String),
    fault: Fault,
    until: Instant,
}

impl Session {
    pub(crate) fn new(settings: Arc<Settings>) -> Session {
        let token = Token::default();
        if !settings.credentials.are_given() {
            token.set(Login::NotNeeded);
        }
        Session {
            settings,
            token: Arc::new(token),
            state: Mutex::default(),
        }
    }

    /// A request that bore this token was refused for it. Others may have found that out before, and logged in anew.
    pub(crate) fn outlived(&self, generation: u64) {
        if self.settings.credentials.are_given() {
            self.token.drop_if(generation);
        }
    }

    /// Waits for the login that is under way, or begins one over this connection.
    pub(crate) async fn log_in(self: &Arc<Self>, link: &Arc<Link>) -> Result<(), Fault> {
        let attempt = {
            let mut state = self.state();
            if !self.token.is_needed() {
                return Ok(());
            }
            let under_way = state.under_way.take().filter(|a| a.peek().is_none());
            let attempt = under_way.unwrap_or_else(|| self.begin(Arc::clone(link)));
            state.under_way = Some(attempt.clone());
            attempt
        };
        attempt.await
    }

    fn begin(self: &Arc<Self>, link: Arc<Link>) -> Attempt {
        let session = Arc::clone(self);
        let task = tokio::spawn(async move { session.attempt(&link).await });
        let ended = task.map(|ended| {
            ended.unwrap_or_else(|_| Err(Fault::new(Class::NeverSent, "the login was ended")))
        });
        ended.boxed().shared()
    }

    async fn attempt(&self, link: &Link) -> Result<(), Fault> {
        let Some(credentials) = self.credentials().await? else {
            self.token.set(Login::NotNeeded);
            return Ok(());
        };
        if let Some(refused) = self.standing_refusal(&credentials) {
            return Err(refused);
        }
        let (name, password) = credentials.clone();
        let mut auth = link.client().auth_client();
        let answer = tokio::select! {
            biased;
            answer = auth.authenticate(name, password) => answer,
            fault = self.silence(link) => return Err(fault),
        };
        let login = match answer {
            Ok(answer) => Login::Done(header(answer.token())?),
            Err(error) if says_it_is_off(&error) => Login::NotNeeded,
            // Logging in writes nothing, so whatever became of it, the request itself was not sent.
            Err(error) => return Err(self.failed(Fault::from(error), credentials)),
        };
        self.token.set(login);
        let mut state = self.state();
        (state.refused, state.refusals) = (None, 0);
        Ok(())
    }

    /// Ends when the member stops answering. Checking a password is made to take long, and with many clients at once it
    /// takes as many times as long: as long as the member says anything else, it is waited for.
    async fn silence(&self, link: &Link) -> Fault {
        let limit = self.settings.request_timeout;
        loop {
            sleep(limit).await;
            if !timeout(limit, link.lives()).await.is_ok_and(|lives| lives) {
                let text = "it stopped answering while this client logged in";
                return Fault::new(Class::NeverSent, text);
            }
        }
    }

    /// As they are now. Where they are kept may be slow.
    async fn credentials(&self) -> Result<Option<(String, String)>, Fault> {
        let settings = Arc::clone(&self.settings);
        let read = tokio::task::spawn_blocking(move || settings.credentials.read()).await;
        let ended = |_| Fault::new(Class::NeverSent, "reading the credentials was ended");
        Ok(read.map_err(ended)??)
    }

    fn standing_refusal(&self, credentials: &(String, String)) -> Option<Fault> {
        let state = self.state();
        let refused = state.refused.as_ref()?;
        let stands = refused.credentials == *credentials && Instant::now() < refused.until;
        stands.then(|| refused.fault.clone())
    }

    fn failed(&self, fault: Fault, credentials: (String, String)) -> Fault {
        let fault = fault.never_sent();
        if fault.class == Class::Denied {
            let mut state = self.state();
            state.refusals = state.refusals.saturating_add(1);
            let pause = backoff::pause_of_refusal(state.refusals, fastrand::f64());
            state.refused = Some(Refused {
                credentials,
                fault: fault.clone(),
                until: Instant::now() + pause,
            });
        }
        fault
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
