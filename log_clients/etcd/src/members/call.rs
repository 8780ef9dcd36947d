//! One request, in bounded time, to whichever member takes it.
//!
//! Never sends a second copy of what may have been done, unless told that repeating it is harmless.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::Epoch;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::fault::{Class, Fault};
use crate::members::calls::Calls;
use crate::members::connection::Connection;
use crate::members::dial::Purpose;
use crate::members::endpoints::{Choice, Chosen, Endpoints};
use crate::members::pending::{Listening, PendingRequest};

/// Whether a request may be sent again although an earlier copy may have been, or may still be, carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Harmless,
    /// As `Harmless`, but it may be much work for a member: that one takes long over it says nothing of the member, and
    /// another would take as long.
    Costly,
    Never,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallOptions {
    pub(crate) purpose: Purpose,
    pub(crate) repeat: Repeat,
    /// Only over a connection that was seen to lead to this life of the log; over any without one.
    pub(crate) within: Option<Epoch>,
    /// Until when there must be an answer.
    pub(crate) deadline: Instant,
    /// How long one member may take before another is preferred, if there is one and repeating is harmless.
    pub(crate) patience: Duration,
}

impl CallOptions {
    /// Until when a member that is alive is waited for. Part of the time of what must not be repeated is kept for finding out
    /// what became of it.
    fn end(&self, asked: Instant) -> Instant {
        match self.repeat {
            Repeat::Harmless | Repeat::Costly => self.deadline,
            Repeat::Never => {
                let whole = self.deadline.saturating_duration_since(asked);
                self.deadline - whole / 4
            }
        }
    }
}

/// An answer, and where it came from.
pub(crate) struct Answered<T> {
    pub(crate) chosen: Chosen,
    pub(crate) connection: Arc<Connection>,
    pub(crate) answer: T,
}

/// What to do after a failed attempt.
///
/// Decisions are made here, and carried out in `call_member`: so that a table of faults can be a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The member is not well: put it aside and ask another.
    Another,
    /// As `Another`, but give up when all have refused.
    AnotherOnce,
    /// Ask another, and think no worse of this one.
    PassOver,
    /// Dial the same member anew.
    Dial,
    /// Log in again and ask the same member.
    LogIn,
    /// The member is not well, and the caller has to find out what happened.
    AsideAndReport,
    /// The answer is for the caller.
    Report,
}

/// What a fault calls for, given what repeating the request would do. What is not named here is an answer, and the
/// caller's.
fn next_after(class: Class, repeat: Repeat, logged_in: bool) -> Next {
    match (class, repeat) {
        (Class::Ended, _) => Next::Dial,
        (Class::Slow, Repeat::Harmless) => Next::PassOver,
        (Class::NeverSent | Class::NotExecuted | Class::Foreign, _)
        | (Class::Unknown, Repeat::Harmless | Repeat::Costly) => Next::Another,
        (Class::Unknown, Repeat::Never) => Next::AsideAndReport,
        (Class::Untrusted | Class::NotEtcd, _) => Next::AnotherOnce,
        // Once: a token that was got just now is refused for another reason, or the member is slow.
        (Class::StaleToken | Class::Mute, _) if !logged_in => Next::LogIn,
        (Class::StaleToken, _) => Next::AnotherOnce,
        (Class::Mute, _) => Next::Another,
        _ => Next::Report,
    }
}

/// What a caller is told whose time is up before another attempt was sent: what the time went by with says more than that.
fn too_late(time_up: Fault, last: Option<Fault>) -> Fault {
    last.map_or(time_up, Fault::never_sent)
}

impl Endpoints {
    /// Until when a call that begins now must be answered.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.settings.deadline
    }

    /// How a request is sent that is no watch and concerns no lease, with the usual patience.
    pub(crate) fn call_options(&self, repeat: Repeat, deadline: Instant) -> CallOptions {
        CallOptions {
            purpose: Purpose::Unary,
            repeat,
            within: None,
            deadline,
            patience: self.settings.request_timeout,
        }
    }

    /// Sends a request to one member after the other until one answers or the deadline is over.
    ///
    /// A member is left for the next at the first failure, but what may have been done goes to nobody else, unless
    /// repeating it is harmless: an etcd that was frozen carries out what it holds when it wakes.
    pub(crate) async fn call<T, F, Fut, E>(
        &self,
        call_options: CallOptions,
        request: F,
    ) -> Result<T, Fault>
    where
        F: Fn(Arc<Calls>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Into<Fault>,
    {
        let answered = self.call_member(call_options, request).await?;
        Ok(answered.answer)
    }

    /// As `call`; also says which member answered, over which connection.
    pub(crate) async fn call_member<T, F, Fut, E>(
        &self,
        call_options: CallOptions,
        request: F,
    ) -> Result<Answered<T>, Fault>
    where
        F: Fn(Arc<Calls>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Into<Fault>,
    {
        let mut refusals = 0;
        let mut logged_in = false;
        let mut attempt = 0_u32;
        let mut last: Option<Fault> = None;
        loop {
            let ready = self.ready(call_options.deadline).await;
            let chosen = ready.map_err(|fault| too_late(fault, last.take()))?;
            attempt += 1;
            let token = self.authenticator.token.generation();
            let fault = match self.attempt(&chosen, call_options, &request).await {
                Ok((connection, answer)) => {
                    self.answered(&chosen);
                    self.fail_back();
                    return Ok(Answered {
                        chosen,
                        connection,
                        answer,
                    });
                }
                Err(fault) => fault.at(&chosen.endpoint.address),
            };
            tracing::debug!(endpoint = %chosen.endpoint.address, attempt, reason = %fault, "request failed");
            self.failed(&fault);
            if fault.class == Class::TimeUp {
                return Err(too_late(fault, last));
            }
            last = Some(fault.clone());
            match next_after(fault.class, call_options.repeat, logged_in) {
                Next::Report => {
                    if fault.class.is_answer() {
                        self.answered(&chosen);
                    }
                    return Err(fault);
                }
                Next::AsideAndReport => {
                    self.put_aside(&chosen, &fault);
                    return Err(fault);
                }
                Next::LogIn => {
                    logged_in = true;
                    self.authenticator.token_refused(token);
                    // It is being mended: were the time up before the login ends, it would be no refusal.
                    last = None;
                }
                Next::Dial => {}
                Next::PassOver => self.pass_over(&chosen),
                Next::Another => match self.spare(&chosen, &fault, attempt) {
                    Some(until) if until >= call_options.deadline => return Err(fault.never_sent()),
                    Some(until) => sleep_until(until).await,
                    None => self.put_aside(&chosen, &fault),
                },
                Next::AnotherOnce => {
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
                    return Err(fault.never_sent());
                }
                Choice::Later(until, _) => sleep_until(until).await,
            }
        }
    }

    /// One try with one member: a connection, and the request over it. A connection that has ended is forgotten, so
    /// that the next try dials.
    async fn attempt<T, F, Fut, E>(
        &self,
        chosen: &Chosen,
        call_options: CallOptions,
        request: &F,
    ) -> Result<(Arc<Connection>, T), Fault>
    where
        F: Fn(Arc<Calls>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Into<Fault>,
    {
        let connection = self.connection(chosen, call_options.purpose)?;
        let _listening = Listening::to(&connection);
        self.introduce(
            chosen,
            &connection,
            call_options.purpose,
            call_options.deadline,
        )
        .await?;
        let answer = self.send(chosen, &connection, call_options, request).await;
        match answer {
            Ok(answer) => {
                connection.silence.reset();
                Ok((Arc::clone(&connection), answer))
            }
            Err(fault) => Err(chosen.noted(fault, call_options.purpose, &connection)),
        }
    }

    /// Sends the request, and waits for the answer beside the questions that tell a slow member from a dead one (see
    /// `patience`). Not tonic's own timeout: that covers the wait for the head of a response only, not that for a
    /// connection, and is told as `Cancelled`.
    async fn send<T, F, Fut, E>(
        &self,
        chosen: &Chosen,
        connection: &Arc<Connection>,
        call_options: CallOptions,
        request: &F,
    ) -> Result<T, Fault>
    where
        F: Fn(Arc<Calls>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Into<Fault>,
    {
        let is_elsewhere = |epoch| !connection.leads_to(epoch);
        if call_options.within.is_some_and(is_elsewhere) {
            let text = "it is not known yet which life of the log the connection leads to";
            return Err(Fault::new(Class::Unchecked, text));
        }
        let asked = Instant::now();
        if asked >= call_options.deadline {
            return Err(Fault::new(Class::TimeUp, "no time was left to send it"));
        }
        let _pending =
            (call_options.purpose == Purpose::Unary).then(|| PendingRequest::new(self, chosen));
        let answer = request(Arc::clone(connection.client()));
        tokio::select! {
            biased;
            answer = timeout_at(call_options.end(asked), answer) => match answer {
                Ok(answer) => {
                    if call_options.purpose == Purpose::Unary {
                        chosen.connections.silence.reset();
                    }
                    answer.map_err(Into::into)
                }
                // The time is up of who asked, not of the member: whether that is well shows in its silence.
                Err(_) => Err(Fault::new(Class::OutOfTime, "it did not answer in time")),
            },
            fault = self.exhausted(chosen, connection, call_options) => Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use globe_log_client::ErrorKind;

    use super::*;

    #[test]
    fn only_what_was_never_sent_or_is_harmless_goes_to_another_member() {
        let table = [
            (Class::NeverSent, Repeat::Never, Next::Another),
            (Class::NotExecuted, Repeat::Never, Next::Another),
            (Class::Ended, Repeat::Never, Next::Dial),
            (Class::Unchecked, Repeat::Never, Next::Report),
            (Class::TimeUp, Repeat::Never, Next::Report),
            (Class::OutOfTime, Repeat::Never, Next::Report),
            (Class::Unknown, Repeat::Never, Next::AsideAndReport),
            (Class::Unknown, Repeat::Harmless, Next::Another),
            (Class::Unknown, Repeat::Costly, Next::Another),
            (Class::Slow, Repeat::Harmless, Next::PassOver),
            (Class::NotEtcd, Repeat::Never, Next::AnotherOnce),
            (Class::StaleToken, Repeat::Never, Next::LogIn),
            (Class::Mute, Repeat::Never, Next::LogIn),
            (Class::Denied, Repeat::Harmless, Next::Report),
            (Class::Compacted, Repeat::Harmless, Next::Report),
            (Class::Full, Repeat::Harmless, Next::Report),
        ];
        for (class, repeat, next) in table {
            let said = next_after(class, repeat, false);
            assert_eq!(said, next, "{class:?} {repeat:?}");
        }
    }

    #[test]
    fn a_login_is_renewed_once_and_silence_is_no_refusal() {
        let table = [
            (Class::StaleToken, Next::AnotherOnce, ErrorKind::Denied),
            (Class::Mute, Next::Another, ErrorKind::Unavailable),
        ];
        for (class, next, told) in table {
            assert_eq!(next_after(class, Repeat::Never, true), next, "{class:?}");
            let error = Fault::new(class, "the member said why").into_error();
            assert_eq!(*error.kind(), told, "{class:?}");
        }
    }

    #[test]
    fn who_is_too_late_is_told_what_the_time_went_by_with() {
        let time_up = || Fault::new(Class::TimeUp, "no time was left to send it");
        let said = too_late(time_up(), None);
        assert_eq!(
            (said.class, &*said.to_string()),
            (Class::TimeUp, "no time was left to send it")
        );
        let before = [
            (Class::Unknown, Class::NeverSent),
            (Class::NotExecuted, Class::NotExecuted),
            (Class::Untrusted, Class::Untrusted),
            (Class::Mute, Class::Mute),
        ];
        for (class, told) in before {
            let said = too_late(time_up(), Some(Fault::new(class, "the member said why")));
            assert_eq!(
                (said.class, &*said.to_string()),
                (told, "the member said why"),
                "{class:?}"
            );
        }
    }
}
