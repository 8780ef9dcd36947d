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

/// Runs a test again in a network of its own, where it plays these.
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
        program: env!("CARGO_BIN_EXE_globe-faults").into(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let summary = runtime.block_on(play_all(&choice, |_| ()));
    for (what, why) in &summary.not_run {
        eprintln!("NOT RUN: {what}: {why}");
    }
    let is_impossible = summary.rounds.is_empty() && !summary.not_run.is_empty();
    assert!(is_impossible || summary.is_good(), "\n{summary}");
}

/// Tests named as their claims, and what each plays: scenarios, on the legs whose name begins so.
macro_rules! selection {
    ($($claim:ident: $($leg:literal => $scenario:literal),+;)*) => {
        $(
            #[test]
            fn $claim() {
                play(stringify!($claim), &[$(($leg, $scenario)),+]);
            }
        )*
    };
}

selection! {
    a_dead_leader_harms_nobody:
        "3 ×" => "the leader is killed";

    frozen_and_dead_clusters_come_back:
        "3 ×" => "the leader is frozen",
        "3.4.23" => "all members are killed";

    members_that_hear_no_other_fool_nobody:
        "3 ×" => "a member is cut from its peers";

    members_of_two_versions_hear_one_way:
        "3.5.16 +" => "the leader is cut from its peers";

    torn_and_silent_connections_lose_nothing:
        "3.5.30" => "a node is cut off for long",
        "3.5.30" => "messages are cut in the middle";

    a_killed_owner_is_followed_in_time:
        "3.5.30" => "a process that holds is killed";

    lost_and_late_writes_do_not_haunt:
        "3 ×" => "replies are lost",
        "3.5.30" => "requests arrive late";

    forgotten_history_loses_nothing:
        "3 ×" => "history is forgotten all the time",
        "3.4.23" => "history is forgotten at the cursor";

    large_keyspaces_are_read_again_whole:
        "100,000 keys, 3 ×" => "history is forgotten at the cursor";

    what_a_balancer_leads_to_next_is_not_what_it_led_to_before:
        "balancer with a dead backend" => "the leader is frozen";

    replaced_history_is_noticed:
        "3.5.30" => "the log is wiped",
        "3.5.30" => "a backup is restored whose leases were gone";

    what_stands_before_servers_makes_nothing_twice:
        "gateway" => "a gateway loses answers",
        "gateway" => "a gateway repeats requests",
        "grpc-proxy" => "etcd's own proxy is in between";

    slow_disks_and_ordinary_users_are_no_faults:
        "3.5.30" => "the disks are slow",
        "users, 3 ×" => "the leader is killed";

    full_servers_and_old_tokens_mislead_nobody:
        "3.5.30" => "there is no space",
        "3.5.30" => "tokens expire";
}
