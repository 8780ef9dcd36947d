//! Many rounds, one after the other.
//!
//! A round that cannot be played on this machine is listed, never forgotten.

use std::path::PathBuf;
use std::sync::Arc;

use globe_test_support::netns::{self, Hosts};

use crate::leg::Leg;
use crate::round::{Played, play};
use crate::scenario::{SCENARIOS, Scenario};
use crate::summary::Summary;

/// Which rounds.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// How the name of a leg, and that of a scenario on it, begin; everything when there is none.
    pub pairs: Vec<(String, String)>,
    /// How often.
    pub rounds: u64,
    /// The first of the seeds.
    pub seed: u64,
    /// Where this package's `globe-faults` is: it plays processes of their own.
    pub program: PathBuf,
}

impl Choice {
    fn takes(&self, scenario: &Scenario, leg: &Leg) -> bool {
        let begins = |(on, name): &(String, String)| {
            leg.name.starts_with(on.as_str()) && scenario.name.starts_with(name.as_str())
        };
        self.pairs.is_empty() || self.pairs.iter().any(begins)
    }
}

/// Plays what was chosen, and tells of each round as it ends.
pub async fn play_all(choice: &Choice, mut tell: impl FnMut(&Played)) -> Summary {
    let hosts = netns::is_inside().then(|| Arc::new(Hosts::new(3)));
    let mut summary = Summary::default();
    for round in 0..choice.rounds {
        for (number, scenario) in SCENARIOS.iter().enumerate() {
            for leg in scenario
                .legs
                .iter()
                .filter(|leg| choice.takes(scenario, leg))
            {
                if scenario.needs_hosts && hosts.is_none() {
                    let why = match netns::allowed() {
                        Ok(()) => "it was not run inside a network of its own".to_owned(),
                        Err(why) => format!("no network namespaces here: {why}"),
                    };
                    let what = format!("{} on {}", scenario.name, leg.name);
                    summary.not_run.push((what, why));
                    continue;
                }
                let seed = choice.seed + 1_000 * round + number as u64;
                let played = play(scenario, leg, hosts.clone(), &choice.program, seed).await;
                tell(&played);
                summary.rounds.push(played);
            }
        }
    }
    summary
}
