//! One request, in bounded time, to whichever member takes it.
//!
//! Never sends a second copy of what may have been done, unless told that repeating it is harmless.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::Client;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::connections::Line;
use crate::endpoints::{Choice, Chosen, Endpoints};
use crate::fault::{Class, Fault, LEADER_LOST};
use crate::version::Version;

/// Whether a request may be sent again although an earlier copy may have been, or may still be, carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Harmless,
    Never,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) line: Line,
    pub(crate) repeat: Repeat,
    /// Until when there must be an answer.
    pub(crate) deadline: Instant,
    /// How long one member may take.
    pub(crate) patience: Duration,
}

impl Terms {
    /// Whether the time was up of who asked, not of the member, which may be well: it is left only once it has been silent
    /// for as long as it may be, however many gave up meanwhile.
    fn is_cut_short(&self, asked: Instant) -> bool {
        let now = Instant::now();
        now >= self.deadline && now < asked + self.patience && !mutant!("blame_a_short_wait")
    }
}

/// A request that waits for its answer. Dropped when it does no more: with its answer, at its time limit, or because its
/// caller gave up.
struct Waiting<'a> {
    endpoints: &'a Endpoints,
    chosen: &'a Chosen,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let silent = self.chosen.connections.silence.ends();
        let is_long = silent >= self.endpoints.settings.request_timeout;
        if is_long && !mutant!("endure_a_silent_member") {
            let text = "it answered nobody in time";
            let fault = Fault::new(Class::Unknown, text);
            self.endpoints.put_aside(self.chosen, &fault);
        }
    }
}

/// How long an answer may take before its member is asked whether there was an election.
const SOON: Duration = Duration::from_millis(100);

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The member is not well: put it aside and ask another.
    Another,
    /// As `Another`, but give up when all have refused.
    AnotherOnce,
    /// Log in again and ask the same member, once; then as `AnotherOnce`.
    LogIn,
    /// The member is not well, and the caller has to find out what happened.
    AsideAndReport,
    /// The answer is for the caller.
    Report,
}

fn verdict(class: Class, repeat: Repeat) -> Next {
    match (class, repeat) {
        (Class::NeverSent | Class::NotExecuted, _) | (Class::Unknown, Repeat::Harmless) => {
            Next::Another
        }
        (Class::Unknown, Repeat::Never) => Next::AsideAndReport,
        (Class::Misconfigured, _) => Next::AnotherOnce,
        (Class::StaleToken, _) if !mutant!("keep_a_stale_token") => Next::LogIn,
        _ => Next::Report,
    }
}

impl Endpoints {
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.settings.deadline
    }

    /// The terms of a request on the unary line with the usual patience.
    pub(crate) fn terms(&self, repeat: Repeat, deadline: Instant) -> Terms {
        Terms {
            line: Line::Unary,
            repeat,
            deadline,
            patience: self.settings.request_timeout,
        }
    }

    /// Sends a request to one member after the other until one answers or the deadline is over.
    pub(crate) async fn call<T, F, Fut, E>(&self, terms: Terms, request: F) -> Result<T, Fault>
    where
        F: Fn(Arc<Client>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Into<Fault>,
    {
        self.call_member(terms, request)
            .await
            .map(|(_, answer)| answer)
    }

    /// As `call`; also says which member answered.
    pub(crate) async fn call_member<T, F, Fut, E>(
        &self,
        terms: Terms,
        request: F,
    ) -> Result<(Chosen, T), Fault>
    where
        F: Fn(Arc<Client>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Into<Fault>,
    {
        let mut refusals = 0;
        let mut logged_in = false;
        let mut attempt = 0_u32;
        loop {
            let chosen = self.ready(terms.deadline).await?;
            attempt += 1;
            let asked = Instant::now();
            let fault = match self.attempt(&chosen, terms, &request).await {
                Ok(answer) => {
                    self.answered(&chosen);
                    return Ok((chosen, answer));
                }
                Err(fault) => fault.at(&chosen.endpoint.address),
            };
            tracing::debug!(endpoint = %chosen.endpoint.address, attempt, reason = %fault, "request failed");
            self.failed(&fault);
            if fault.class == Class::Unknown && terms.is_cut_short(asked) {
                return Err(fault);
            }
            match verdict(fault.class, terms.repeat) {
                Next::Report => {
                    self.answered(&chosen);
                    if fault.is_failed_login() {
                        // The password may have been replaced since it was read: the next call reads it again.
                        self.reconnect(&chosen);
                    }
                    return Err(fault);
                }
                Next::AsideAndReport => {
                    self.put_aside(&chosen, &fault);
                    return Err(fault);
                }
                Next::LogIn if !logged_in => {
                    logged_in = true;
                    self.reconnect(&chosen);
                }
                Next::Another => self.put_aside(&chosen, &fault),
                Next::AnotherOnce | Next::LogIn => {
                    self.put_aside(&chosen, &fault);
                    refusals += 1;
                    if refusals >= self.len() {
                        return Err(fault);
                    }
                }
            }
        }
    }

    /// The member to ask now, after waiting for one if all are left alone; or why there is none before the deadline.
    pub(crate) async fn ready(&self, deadline: Instant) -> Result<Chosen, Fault> {
        loop {
            match self.choose() {
                Choice::Now(_) if Instant::now() >= deadline => {
                    return Err(Fault::new(Class::NeverSent, "no member answered in time"));
                }
                Choice::Now(chosen) => return Ok(chosen),
                Choice::Later(until, fault) if until >= deadline => {
                    return Err(never_sent(fault));
                }
                Choice::Later(until, _) => sleep_until(until).await,
            }
        }
    }

    async fn attempt<T, F, Fut, E>(
        &self,
        chosen: &Chosen,
        terms: Terms,
        request: &F,
    ) -> Result<T, Fault>
    where
        F: Fn(Arc<Client>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Into<Fault>,
    {
        let client = self.contact(chosen, terms.line, terms.deadline).await?;
        let remaining = terms.deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(Fault::new(Class::NeverSent, "no time was left to send it"));
        }
        let until = Instant::now() + terms.patience.min(remaining);
        let sent_in = self.term();
        let _waiting = self.waits_for(chosen, terms);
        let answer = request(client);
        tokio::pin!(answer);
        let soon = timeout_at(until.min(Instant::now() + SOON), &mut answer).await;
        let answer = match soon {
            Ok(answer) => Ok(answer),
            Err(_) => tokio::select! {
                biased;
                answer = timeout_at(until, answer) => answer,
                () = self.leader_lost(chosen, sent_in) => {
                    return Err(Fault::new(Class::Unknown, LEADER_LOST));
                }
            },
        };
        match answer {
            Ok(answer) => {
                if terms.line == Line::Unary {
                    chosen.connections.silence.is_broken();
                }
                answer.map_err(Into::into)
            }
            Err(_) => Err(Fault::new(Class::Unknown, "it did not answer in time")),
        }
    }

    /// Large answers take their time, and other lines have limits of their own.
    fn waits_for<'a>(&'a self, chosen: &'a Chosen, terms: Terms) -> Option<Waiting<'a>> {
        let is_usual = terms.line == Line::Unary && terms.patience == self.settings.request_timeout;
        is_usual.then(|| {
            chosen.connections.silence.begins();
            Waiting {
                endpoints: self,
                chosen,
            }
        })
    }

    /// A client of a member that is known to answer. Whatever fails here, the request itself was not sent.
    pub(crate) async fn contact(
        &self,
        chosen: &Chosen,
        line: Line,
        deadline: Instant,
    ) -> Result<Arc<Client>, Fault> {
        if let Some(client) = chosen.connections.ready(line) {
            return Ok(client);
        }
        let settings = &self.settings;
        let both = async {
            chosen.version(settings).await?;
            chosen.client(line, settings).await
        };
        let remaining = deadline.saturating_duration_since(Instant::now());
        match timeout(self.contact_limit().min(remaining), both).await {
            Ok(contact) => contact.map_err(|fault| chosen.doubt(never_sent(fault))),
            Err(_) => Err(Fault::new(
                Class::NeverSent,
                "it could not be contacted in time",
            )),
        }
    }

    /// How long a member may take to be dialled and to say its version; and to check a password, which is made to take
    /// long.
    fn contact_limit(&self) -> Duration {
        let settings = &self.settings;
        let limit = settings.connect_timeout + settings.request_timeout;
        match settings.credentials.are_given() {
            true => limit.max(settings.deadline / 2),
            false => limit,
        }
    }

    /// The version of the member that is asked now.
    pub(crate) async fn version(&self, deadline: Instant) -> Result<Version, Fault> {
        let chosen = self.ready(deadline).await?;
        self.contact(&chosen, Line::Unary, deadline).await?;
        chosen.version(&self.settings).await
    }
}

/// The same fault, before anything was sent.
fn never_sent(mut fault: Fault) -> Fault {
    if fault.class == Class::Unknown {
        fault.class = Class::NeverSent;
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_never_sent_or_is_harmless_goes_to_another_member() {
        let table = [
            (Class::NeverSent, Repeat::Never, Next::Another),
            (Class::NotExecuted, Repeat::Never, Next::Another),
            (Class::Unknown, Repeat::Never, Next::AsideAndReport),
            (Class::Unknown, Repeat::Harmless, Next::Another),
            (Class::Misconfigured, Repeat::Never, Next::AnotherOnce),
            (Class::StaleToken, Repeat::Never, Next::LogIn),
            (Class::Denied, Repeat::Harmless, Next::Report),
            (Class::Compacted, Repeat::Harmless, Next::Report),
            (Class::Full, Repeat::Harmless, Next::Report),
        ];
        for (class, repeat, next) in table {
            assert_eq!(verdict(class, repeat), next, "{class:?} {repeat:?}");
        }
    }
}
