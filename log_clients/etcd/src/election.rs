//! Elections, as a request under way feels them: what a member passed on to a leader that died is lost without a word.
//!
//! Never ends a request whose leader still leads, and asks nobody while answers come.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::connections::Line;
use crate::endpoints::{Chosen, Endpoints};

/// The pause between two questions for the term.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How long an answer may still come after an election: the new leader may have been given the request by the old one.
const GRACE: Duration = Duration::from_millis(50);

impl Endpoints {
    /// Waits until the member follows a leader of a later term than the one a request was sent in.
    ///
    /// Never ends when this user may not ask for the status of a member: then only the time limit of the request helps.
    pub(crate) async fn leader_lost(&self, chosen: &Chosen, sent_in: u64) {
        loop {
            // Many requests may be waiting, but one question is enough for all.
            let mut asked = chosen.connections.term_asked.lock().await;
            if asked.is_none_or(|asked| asked.elapsed() >= LOOK_AGAIN) {
                self.ask_for_term(chosen).await;
                *asked = Some(Instant::now());
            }
            drop(asked);
            if self.term() > sent_in && !mutant!("wait_for_a_dead_leader") {
                return sleep(GRACE).await;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn ask_for_term(&self, chosen: &Chosen) {
        let Some(client) = chosen.connections.ready(Line::Unary) else {
            return;
        };
        let mut maintenance = client.maintenance_client();
        let asked = timeout(self.settings.request_timeout, maintenance.status());
        if let Ok(Ok(status)) = asked.await
            && status.leader() != 0
        {
            self.heard(status.raft_term());
        }
    }
}
