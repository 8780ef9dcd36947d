//! A request under way: for how long its member is waited for.
//!
//! Never takes a slow answer for a dead member, nor a member that answers for one whose leader still leads.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::call::{Repeat, Terms};
use crate::endpoints::{Chosen, Endpoints};
use crate::fault::{Class, Fault};
use crate::link::Link;

/// How long an answer may take before its member is asked for a sign of life.
const SOON: Duration = Duration::from_millis(100);

/// The pause between two questions, which grows the longer a request takes.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOK_SELDOM: Duration = Duration::from_millis(500);

/// How long an answer may still come after an election: the new leader may have been given the request by the old one.
const GRACE: Duration = Duration::from_millis(50);

impl Endpoints {
    /// Ends when a request that was just sent is not worth waiting for on this member: it gives no sign of life any more, it
    /// follows a new leader, or it takes long and another can be asked instead.
    pub(crate) async fn exhausted(&self, chosen: &Chosen, link: &Link, terms: Terms) -> Fault {
        let asked = Instant::now();
        let sent_in = self.term();
        let mut pause = LOOK_AGAIN;
        sleep(self.head_start(chosen)).await;
        loop {
            let heard = link.heard().map_or(asked, |heard| heard.max(asked));
            let until = heard + terms.patience;
            if Instant::now() >= until || timeout_at(until, self.ask(chosen, link)).await.is_err() {
                return Fault::new(Class::Unknown, "it did not answer in time");
            }
            // What a member passed on to a leader that died is lost without a word. Before the first answer there was no
            // term to compare with.
            let is_later = sent_in != 0 && self.term() > sent_in;
            if is_later && !mutant!("wait_for_a_dead_leader") {
                sleep(GRACE).await;
                return Fault::leader_lost();
            }
            let is_late = asked.elapsed() >= terms.patience;
            if is_late && terms.repeat == Repeat::Harmless && self.has_another(chosen) {
                return Fault::new(Class::Slow, "it is slow to answer");
            }
            sleep(pause).await;
            pause = LOOK_SELDOM.min(pause.mul_f64(1.5));
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
    async fn ask(&self, chosen: &Chosen, link: &Link) {
        if let Some(pulse) = link.pulse_every(LOOK_AGAIN).await {
            chosen.connections.silence.is_broken();
            self.heard(pulse.term);
        }
    }
}
