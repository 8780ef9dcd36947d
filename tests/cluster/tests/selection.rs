//! A few rounds of each kind, as part of the ordinary tests. All of them: `scripts/faults`.
//!
//! Each runs itself again in a network of its own; where that is forbidden, what needs one is told not to have run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "in a test a broken set-up is a failure"
)]

use globe_cluster_tests::{Choice, play_all};
use globe_test_support::netns;

/// Plays scenarios, each on the legs whose name begins so.
fn play(test: &str, rounds: &[(&str, &str)]) {
    if netns::allowed().is_ok() && !netns::enter(test) {
        return;
    }
    let choice = Choice {
        pairs: rounds
            .iter()
            .map(|(leg, name)| ((*leg).to_owned(), (*name).to_owned()))
            .collect(),
        rounds: 1,
        seed: fastrand::u64(..1_000_000),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let summary = runtime.block_on(play_all(&choice, |_| ()));
    for (what, why) in &summary.not_run {
        eprintln!("NOT RUN: {what}: {why}");
    }
    let is_impossible = summary.rounds.is_empty() && !summary.not_run.is_empty();
    assert!(is_impossible || summary.is_good(), "\n{summary}");
}

#[test]
fn a_dead_leader_harms_nobody() {
    let rounds = [("3 ×", "the leader is killed")];
    play("a_dead_leader_harms_nobody", &rounds);
}

#[test]
fn frozen_and_dead_clusters_come_back() {
    let rounds = [
        ("3 ×", "the leader is frozen"),
        ("3.4.23", "all members are killed"),
    ];
    play("frozen_and_dead_clusters_come_back", &rounds);
}

#[test]
fn members_that_hear_no_other_fool_nobody() {
    let rounds = [("3 ×", "a member is cut from its peers")];
    play("members_that_hear_no_other_fool_nobody", &rounds);
}

#[test]
fn members_of_two_versions_hear_one_way() {
    let rounds = [("3.5.16 +", "the leader is cut from its peers")];
    play("members_of_two_versions_hear_one_way", &rounds);
}

#[test]
fn torn_and_silent_connections_lose_nothing() {
    let rounds = [
        ("3 ×", "one member is a black hole"),
        ("3.5.30", "messages are cut in the middle"),
    ];
    play("torn_and_silent_connections_lose_nothing", &rounds);
}

#[test]
fn lost_and_late_writes_do_not_haunt() {
    let rounds = [
        ("3 ×", "replies are lost"),
        ("3.5.30", "requests arrive late"),
    ];
    play("lost_and_late_writes_do_not_haunt", &rounds);
}

#[test]
fn forgotten_history_loses_nothing() {
    let rounds = [
        ("3 ×", "history is forgotten all the time"),
        ("3.4.23", "history is forgotten at the cursor"),
    ];
    play("forgotten_history_loses_nothing", &rounds);
}

#[test]
fn large_keyspaces_are_read_again_whole() {
    let rounds = [("100,000 keys, 3 ×", "history is forgotten at the cursor")];
    play("large_keyspaces_are_read_again_whole", &rounds);
}

#[test]
fn what_a_balancer_leads_to_next_is_not_what_it_led_to_before() {
    let rounds = [("balancer with a dead backend", "the leader is frozen")];
    let test = "what_a_balancer_leads_to_next_is_not_what_it_led_to_before";
    play(test, &rounds);
}

#[test]
fn replaced_history_is_noticed() {
    let rounds = [
        ("3.5.30", "the log is wiped"),
        ("3.5.30", "a backup is restored"),
    ];
    play("replaced_history_is_noticed", &rounds);
}

#[test]
fn what_stands_before_servers_makes_nothing_twice() {
    let rounds = [
        ("gateway", "a gateway loses answers"),
        ("gateway", "a gateway repeats requests"),
        ("grpc-proxy", "etcd's own proxy is in between"),
    ];
    play("what_stands_before_servers_makes_nothing_twice", &rounds);
}

#[test]
fn slow_disks_and_ordinary_users_are_no_faults() {
    let rounds = [
        ("3.5.30", "the disks are slow"),
        ("users, 3 ×", "the leader is killed"),
    ];
    play("slow_disks_and_ordinary_users_are_no_faults", &rounds);
}

#[test]
fn full_servers_and_old_tokens_mislead_nobody() {
    let rounds = [("3.5.30", "there is no space"), ("3.5.30", "tokens expire")];
    play("full_servers_and_old_tokens_mislead_nobody", &rounds);
}
