//! What shows servers who this client is: one token for all its connections.
//!
//! Never logs in: that is the authenticator.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderValue, Request};

/// The one call that bears no token: it is how one is got.
const LOGIN: &str = "/etcdserverpb.Auth/Authenticate";

/// The token of the present, and which one it is by number.
///
/// A request that was refused for its token names the number it bore: if another has been set since, nothing has to be
/// renewed. The client library's own renewal is not used: it does not cover a watch, whose stream keeps the token it
/// was opened with, nor a JWT that is older than the last change of users ("revision of auth store is old").
#[derive(Default)]
pub(crate) struct Token(Mutex<CurrentToken>);

/// The present login, under one lock with its number.
#[derive(Default)]
struct CurrentToken {
    login: Login,
    /// How many tokens there have been.
    generation: u64,
}

/// How far this client is known to servers.
#[derive(Default)]
pub(crate) enum Login {
    #[default]
    Needed,
    /// They ask for none.
    NotNeeded,
    Done(HeaderValue),
}

impl Token {
    /// Puts it on a request.
    pub(crate) fn sign<B>(&self, mut request: Request<B>) -> Request<B> {
        if request.uri().path() != LOGIN
            && let Login::Done(token) = &self.current().login
        {
            request.headers_mut().insert("token", token.clone());
        }
        request
    }

    /// Which one a request that is sent now bears.
    pub(crate) fn generation(&self) -> u64 {
        self.current().generation
    }

    pub(crate) fn is_there(&self) -> bool {
        matches!(self.current().login, Login::Done(_))
    }

    pub(crate) fn is_needed(&self) -> bool {
        matches!(self.current().login, Login::Needed)
    }

    /// Takes over what came of a login.
    pub(crate) fn set(&self, login: Login) {
        let mut current = self.current();
        current.login = login;
        current.generation += 1;
    }

    /// This one is of no use any more, unless it was replaced already.
    pub(crate) fn drop_if(&self, generation: u64) {
        let mut current = self.current();
        if current.generation == generation {
            current.login = Login::Needed;
        }
    }

    fn current(&self) -> MutexGuard<'_, CurrentToken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
