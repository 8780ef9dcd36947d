//! Whoever waited for a position has seen it; whoever asked for nothing older than a time got nothing older.
//!
//! It looks only at what `view_at` returned.

use super::timeline::Timeline;
use crate::history::{Action, Asked, History, Outcome};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let slack = history.run().limits.slack_micros;
    let mut wrong = Vec::new();
    for op in history.ops() {
        let (Action::ViewAt(keyspace, asked), Outcome::Done(Some(shown))) =
            (&op.action, &op.outcome)
        else {
            continue;
        };
        let who = || format!("client {} of node {} in {keyspace}", op.client, op.node);
        match asked {
            Asked::AtLeast(position) => {
                if timeline.moment(*shown) < timeline.moment(*position) {
                    wrong.push(format!(
                        "{} waited for {position} and was shown {shown}",
                        who()
                    ));
                }
            }
            Asked::Within(age) => {
                let overtaken = timeline.overtaken(keyspace, *shown);
                if let Some(heard) = overtaken
                    && heard.micros + age + slack < op.call.micros
                {
                    wrong.push(format!(
                        "{} asked for nothing older than {age} µs and was shown {shown}, overtaken {} µs before",
                        who(),
                        op.call.micros - heard.micros
                    ));
                }
            }
            Asked::Linearizable => {}
        }
    }
    wrong
}
