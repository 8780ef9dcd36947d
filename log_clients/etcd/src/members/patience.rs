//! A request under way: for how long its member is waited for.
//!
//! Never takes a slow answer for a dead member, nor a member that answers for one whose leader still leads.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::fault::{Class, Fault};
use crate::members::call::{CallOptions, Repeat};
use crate::members::connection::Connection;
use crate::members::endpoints::{Chosen, Endpoints};

/// How long an answer may take before its member is asked for a sign of life.
const SOON: Duration = Duration::from_millis(100);

/// The pause between two questions is the twentieth part of how long the request takes so far, within these bounds. So an
/// election, which takes a second or two, is heard of soon after it is over, and a slow disk is not asked for ever as often.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOK_SELDOM: Duration = Duration::from_millis(500);
const LOOKS: u32 = 20;

/// How long an answer may still come after an election: the new leader may have been given the request by the old one.
const GRACE: Duration = Duration::from_millis(50);

impl Endpoints {
    /// Ends when a request that was just sent is not worth waiting for on this member: it gives no sign of life any more, it
    /// follows a new leader, or it takes long and another can be asked instead.
    pub(crate) async fn exhausted(
        &self,
        chosen: &Chosen,
        connection: &Connection,
        call_options: CallOptions,
    ) -> Fault {
        let asked = Instant::now();
        let sent_in = self.term();
        sleep(self.head_start(chosen)).await;
        loop {
            let last_alive = connection
                .last_alive()
                .map_or(asked, |last_alive| last_alive.max(asked));
            let until = last_alive + call_options.patience;
            if Instant::now() >= until
                || timeout_at(until, self.ask(chosen, connection))
                    .await
                    .is_err()
            {
                return Fault::new(Class::Unknown, "it did not answer in time");
            }
            // What a member passed on to a leader that died is lost without a word. Before the first answer there was no
            // term to compare with.
            let is_later = sent_in != 0 && self.term() > sent_in;
            if is_later {
                sleep(GRACE).await;
                return Fault::leader_lost();
            }
            let is_late = asked.elapsed() >= call_options.patience;
            if is_late && call_options.repeat == Repeat::Harmless && self.has_another(chosen) {
                return Fault::new(Class::Slow, "it is slow to answer");
            }
            sleep((asked.elapsed() / LOOKS).clamp(LOOK_AGAIN, LOOK_SELDOM)).await;
        }
    }

    /// Callers with little time each leave before anybody would look: once they have waited for half of what a member may
    /// take, the next one looks at once.
    fn head_start(&self, chosen: &Chosen) -> Duration {
        let waited = chosen.connections.silence.length();
        if waited >= self.settings.request_timeout / 2 {
            return Duration::ZERO;
        }
        SOON
    }

    /// Asks for a sign of life. Many requests may be waiting, but one question is enough for all.
    async fn ask(&self, chosen: &Chosen, connection: &Connection) {
        if let Some(liveness) = connection.liveness_every(LOOK_AGAIN).await {
            chosen.connections.silence.reset();
            connection.silence.reset();
            self.observe_term(liveness.term);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use globe_test_support::{EtcdServer, EtcdVersion};
    use tokio::time::timeout;

    use super::*;
    use crate::members::dial::Purpose;
    use crate::members::endpoints::Choice;
    use crate::settings::builder::EtcdBuilder;

    /// Many times what a server on this machine takes to answer; only a test that fails waits for it.
    const BOUND: Duration = Duration::from_secs(5);

    struct Rig {
        _server: EtcdServer,
        endpoints: Arc<Endpoints>,
        chosen: Chosen,
        connection: Arc<Connection>,
    }

    impl Rig {
        /// A member that has answered, and whose term nobody has looked at.
        async fn new() -> Rig {
            let server = EtcdServer::start(EtcdVersion::Reference).await;
            let builder = EtcdBuilder::new().endpoint(server.endpoint());
            let endpoints = Endpoints::new(builder.settings);
            let Choice::Now(chosen) = endpoints.choose() else {
                panic!("nobody was put aside");
            };
            let deadline = Instant::now() + BOUND;
            let connection = endpoints.contact(&chosen, Purpose::Unary, deadline).await;
            Rig {
                _server: server,
                connection: connection.unwrap(),
                endpoints,
                chosen,
            }
        }

        async fn exhausted(&self) -> Fault {
            let call_options = CallOptions {
                patience: BOUND * 2,
                ..self
                    .endpoints
                    .call_options(Repeat::Never, Instant::now() + BOUND)
            };
            let (chosen, connection) = (&self.chosen, &self.connection);
            self.endpoints
                .exhausted(chosen, connection, call_options)
                .await
        }
    }

    #[tokio::test]
    async fn a_request_is_given_up_once_its_member_follows_a_later_leader() {
        let rig = Rig::new().await;
        // Whatever the term is, it is later than this one.
        rig.endpoints.observe_term(1);
        let fault = timeout(BOUND, rig.exhausted()).await.unwrap();
        assert!(fault.is_election, "{fault}");
    }

    #[tokio::test]
    async fn the_first_term_a_client_hears_of_is_no_election() {
        let rig = Rig::new().await;
        assert_eq!(rig.endpoints.term(), 0);
        let looks_often = async {
            let mut looks = 0;
            let mut last_alive = rig.connection.last_alive();
            while looks < 3 {
                sleep(Duration::from_millis(5)).await;
                looks += u32::from(rig.connection.last_alive() != last_alive);
                last_alive = rig.connection.last_alive();
            }
        };
        tokio::select! {
            fault = rig.exhausted() => panic!("{fault}"),
            () = looks_often => {}
        }
        assert_ne!(rig.endpoints.term(), 0);
    }
}
