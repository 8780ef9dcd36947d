//! The table of everything that is done to a cluster.
//!
//! It is data: a scenario is run by [`round`](crate::round).

use futures::future::BoxFuture;

use crate::leg::{
    AUTH, BALANCED, FULL, GATEWAY, HALF_BALANCED, LOADED, Leg, MIXED, OLD, OLD_LOADED, ONE,
    ORDINARY, ORDINARY_LOADED, PROXIED, SMALL, THREE, TLS,
};
use crate::scenarios::{access, crash, fronts, history, links, meddlers, network, owners, storage};
use crate::site::Site;

/// One way to break a cluster while it is used.
#[derive(Debug)]
pub struct Scenario {
    /// How it is called.
    pub name: &'static str,
    /// The clusters it is played on.
    pub legs: &'static [&'static Leg],
    /// Its members need hosts of their own.
    pub needs_hosts: bool,
    /// Nodes that know all members see no error.
    pub is_seamless: bool,
    /// It changes what has happened, so that only Globe's own log can tell in which epoch.
    pub rewrites_history: bool,
    /// Somebody else ends leases, deletes and writes over what is not his: sessions learn of it when they do.
    pub has_meddlers: bool,
    /// Members elect a leader or start again, and each time all leases live once more in full.
    pub prolongs_leases: bool,
    pub(crate) inject: for<'a> fn(&'a mut Site) -> BoxFuture<'a, ()>,
}

/// A row of the table.
macro_rules! scenario {
    ($name:literal, $legs:expr, $inject:path $(, $is:ident)*) => {
        Scenario {
            name: $name,
            legs: $legs,
            $($is: true,)*
            inject: |site| Box::pin($inject(site)),
            ..PLAIN
        }
    };
}

const PLAIN: Scenario = Scenario {
    name: "",
    legs: &[],
    needs_hosts: false,
    is_seamless: false,
    rewrites_history: false,
    has_meddlers: false,
    prolongs_leases: false,
    inject: |_| Box::pin(async {}),
};

/// All of them.
pub static SCENARIOS: &[Scenario] = &[
    scenario!(
        "a follower is killed",
        &[&THREE, &MIXED, &BALANCED, &HALF_BALANCED],
        crash::kill_a_follower,
        is_seamless,
        prolongs_leases
    ),
    scenario!(
        "the leader is killed",
        &[&THREE, &MIXED, &ORDINARY, &LOADED],
        crash::kill_the_leader,
        is_seamless,
        prolongs_leases
    ),
    scenario!(
        "each member is killed in turn",
        &[&THREE, &MIXED],
        crash::kill_each,
        is_seamless,
        prolongs_leases
    ),
    scenario!(
        "each member is restarted",
        &[&THREE, &MIXED, &LOADED, &BALANCED, &HALF_BALANCED],
        crash::restart_each,
        is_seamless,
        prolongs_leases
    ),
    scenario!(
        "each member is replaced by a learner",
        &[&THREE, &MIXED],
        crash::replace_each,
        is_seamless,
        prolongs_leases
    ),
    scenario!(
        "all members are killed",
        &[&THREE, &ONE, &OLD, &LOADED, &OLD_LOADED],
        crash::kill_all,
        prolongs_leases
    ),
    scenario!(
        "a member is frozen",
        &[&THREE, &MIXED, &ORDINARY],
        crash::freeze_one,
        is_seamless,
        prolongs_leases
    ),
    scenario!(
        "the leader is frozen",
        &[&THREE, &MIXED, &LOADED, &BALANCED, &HALF_BALANCED],
        crash::freeze_the_leader,
        is_seamless,
        prolongs_leases
    ),
    scenario!(
        "all members are frozen",
        &[&THREE, &ONE, &OLD],
        crash::freeze_all,
        prolongs_leases
    ),
    scenario!(
        "a member is frozen for long",
        &[&THREE],
        crash::freeze_for_long,
        is_seamless,
        prolongs_leases
    ),
    scenario!(
        "the leader moves again and again",
        &[&THREE, &MIXED],
        crash::move_the_leader,
        is_seamless,
        prolongs_leases
    ),
    scenario!(
        "a member is cut from its peers",
        &[&THREE, &MIXED],
        network::cut_from_peers,
        needs_hosts,
        prolongs_leases
    ),
    scenario!(
        "the leader is cut from its peers",
        &[&THREE, &MIXED],
        network::cut_the_leader,
        needs_hosts,
        prolongs_leases
    ),
    scenario!(
        "members hear one way only",
        &[&THREE],
        network::cut_one_way,
        needs_hosts,
        prolongs_leases
    ),
    scenario!(
        "two members meet only through the third",
        &[&THREE],
        network::bridge,
        needs_hosts,
        prolongs_leases
    ),
    scenario!(
        "there is no majority",
        &[&THREE],
        network::no_majority,
        needs_hosts,
        prolongs_leases
    ),
    scenario!(
        "members hear one way only for long",
        &[&THREE],
        network::cut_one_way_for_long,
        needs_hosts,
        prolongs_leases
    ),
    scenario!(
        "there is no majority for long",
        &[&THREE],
        network::no_majority_for_long,
        needs_hosts,
        prolongs_leases
    ),
    scenario!(
        "the leader's cable is pulled",
        &[&THREE],
        network::pull_the_cable,
        needs_hosts,
        prolongs_leases
    ),
    scenario!(
        "packets are lost",
        &[&THREE, &MIXED],
        network::lose_packets,
        needs_hosts,
        prolongs_leases
    ),
    scenario!(
        "one member resets connections",
        &[&THREE],
        links::reset_one,
        is_seamless
    ),
    scenario!(
        "connections are reset",
        &[&ONE, &OLD, &LOADED, &OLD_LOADED, &BALANCED, &HALF_BALANCED],
        links::reset_all
    ),
    scenario!(
        "one member is a black hole",
        &[&THREE],
        links::black_hole_one,
        is_seamless
    ),
    scenario!(
        "everything is a black hole",
        &[&ONE, &OLD],
        links::black_hole_all
    ),
    scenario!(
        "one member's answers are held",
        &[&THREE],
        links::half_open_one,
        is_seamless
    ),
    scenario!(
        "connections are half open",
        &[&ONE, &OLD],
        links::half_open_all
    ),
    scenario!(
        "one member is a slow-loris",
        &[&THREE],
        links::slow_loris_one
    ),
    scenario!(
        "messages are cut in the middle",
        &[&THREE, &ONE, &OLD],
        links::cut_in_the_middle
    ),
    scenario!("everything comes late", &[&THREE, &ONE], links::delay),
    scenario!("the line is narrow", &[&ONE], links::narrow),
    scenario!(
        "replies are lost",
        &[&THREE, &ONE, &OLD, &ORDINARY],
        links::lose_replies
    ),
    scenario!("requests are lost", &[&THREE, &ONE], links::lose_requests),
    scenario!(
        "requests arrive late",
        &[&THREE, &ONE, &OLD],
        links::late_requests
    ),
    scenario!(
        "everything is a black hole for long",
        &[&ONE, &OLD],
        links::black_hole_all_for_long
    ),
    scenario!(
        "a node is cut off for long",
        &[&THREE, &ONE, &OLD],
        links::cut_off_a_node
    ),
    scenario!(
        "a node's answers are lost for long",
        &[&THREE, &ONE, &OLD],
        links::lose_a_nodes_answers
    ),
    scenario!(
        "a node's requests are lost for long",
        &[&THREE, &ONE, &OLD],
        links::lose_a_nodes_requests
    ),
    scenario!(
        "200 maps see their server bounce",
        &[&ONE],
        links::storm,
        prolongs_leases
    ),
    scenario!(
        "history is forgotten all the time",
        &[
            &THREE,
            &ONE,
            &OLD,
            &MIXED,
            &ORDINARY,
            &LOADED,
            &OLD_LOADED,
            &ORDINARY_LOADED
        ],
        history::compact_always
    ),
    scenario!(
        "history is forgotten at the cursor",
        &[&ONE, &OLD, &LOADED, &OLD_LOADED],
        history::compact_at_the_cursor
    ),
    scenario!(
        "history is forgotten during hydration",
        &[&ONE, &OLD],
        history::compact_while_hydrating
    ),
    scenario!(
        "the log is wiped",
        &[&ONE],
        history::wipe,
        rewrites_history,
        prolongs_leases
    ),
    scenario!(
        "a backup is restored",
        &[&ONE],
        history::restore,
        rewrites_history,
        prolongs_leases
    ),
    scenario!(
        "a bumped backup is restored",
        &[&ONE],
        history::restore_with_bump,
        rewrites_history,
        prolongs_leases
    ),
    scenario!(
        "a backup is restored while its leases live",
        &[&ONE, &OLD],
        history::restore_at_once,
        rewrites_history,
        prolongs_leases
    ),
    scenario!(
        "a backup is restored whose leases were gone",
        &[&ONE, &OLD],
        history::restore_dead_leases,
        rewrites_history,
        has_meddlers,
        prolongs_leases
    ),
    scenario!(
        "a process that holds is stopped",
        &[&THREE, &ONE, &OLD],
        owners::stop
    ),
    scenario!(
        "a process that holds is killed",
        &[&THREE, &ONE, &OLD],
        owners::kill
    ),
    scenario!(
        "an owner is killed while the leader moves",
        &[&THREE, &MIXED],
        owners::kill_while_the_leader_moves,
        prolongs_leases
    ),
    scenario!(
        "leases are revoked by somebody else",
        &[&THREE, &ONE, &OLD],
        meddlers::revoke,
        has_meddlers
    ),
    scenario!(
        "claims are deleted and written over",
        &[&THREE, &ONE, &OLD],
        meddlers::lay_hands_on_claims,
        has_meddlers
    ),
    scenario!("there is no space", &[&FULL], storage::no_space),
    scenario!(
        "the disk is full",
        &[&SMALL],
        storage::disk_full,
        needs_hosts,
        prolongs_leases
    ),
    scenario!(
        "it is defragmented under load",
        &[&THREE, &ONE],
        storage::defragment,
        prolongs_leases
    ),
    scenario!(
        "answers are over 4 MiB",
        &[&ONE, &OLD],
        storage::large_answers
    ),
    scenario!("a gateway loses answers", &[&GATEWAY], fronts::lose_answers),
    scenario!("a gateway repeats requests", &[&GATEWAY], fronts::repeat),
    scenario!(
        "a gateway swallows progress",
        &[&GATEWAY],
        fronts::drop_progress
    ),
    scenario!(
        "etcd's own proxy is in between",
        &[&PROXIED],
        fronts::behind_a_proxy
    ),
    scenario!(
        "the disks are slow",
        &[&THREE, &ONE],
        fronts::slow_disks,
        prolongs_leases
    ),
    scenario!("tokens expire", &[&AUTH], access::tokens_expire),
    scenario!(
        "the password is changed",
        &[&AUTH],
        access::password_changes
    ),
    scenario!(
        "the role is taken and given back",
        &[&AUTH],
        access::role_is_taken
    ),
    scenario!(
        "the certificate expires",
        &[&TLS],
        access::certificate_expires
    ),
];
