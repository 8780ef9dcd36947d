//! The conformance suite: each MUST of the contract as named cases, run on a real log.
//!
//! Never knows a backend: what it needs besides a client, the [`Harness`] of the backend's own tests does for it.
//!
//! A backend's `tests/conformance.rs` is a harness and one line, which makes one test of each case:
//!
//! ```ignore
//! globe_log_client::conformance!(EtcdHarness);
//! ```
//!
//! What a log cannot do, its [`Capabilities`](crate::Capabilities) say; the case then checks the weaker promise that is
//! left: that it is refused by a clear error, or that the newest state arrives.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]
#![allow(missing_docs, reason = "the names of the cases are the claims")]

mod harness;
mod known;
mod mirror;
mod space;

pub mod cancel;
pub mod commit;
pub mod compaction;
pub mod difference;
pub mod history;
pub mod isolation;
pub mod lease;
pub mod limits;
pub mod line;
pub mod outage;
pub mod precondition;
pub mod restore;
pub mod snapshot;
pub mod tail;
pub mod waker;

pub use harness::{Harness, Line, run};

/// Makes a test of every case of the suite, in a module `conformance`. The argument is a type that implements
/// [`Harness`](crate::conformance::Harness).
///
/// The crate that uses it needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance {
    ($harness:ty) => {
        $crate::conformance_cases! { $harness;
            snapshot {
                a_snapshot_reflects_every_commit_acknowledged_before_it
                a_snapshot_holds_each_live_record_once_in_key_order
                an_empty_keyspace_has_an_empty_snapshot
                all_pages_of_a_snapshot_are_true_at_its_position
                a_snapshot_that_ended_stays_ended
                overwriting_keeps_created_and_recreating_changes_it
            }
            tail {
                a_tail_from_a_snapshot_misses_and_repeats_nothing_while_others_write
                a_tail_resumed_after_any_commit_delivers_exactly_the_rest
                a_transaction_of_many_keys_is_one_batch
                a_transaction_over_keyspaces_is_one_batch_in_each
                tails_of_one_keyspace_see_the_same
                a_quiet_keyspace_beside_a_busy_one_reaches_head
                a_rewrite_of_the_same_value_is_a_change
                a_catch_up_of_many_mebibytes_is_whole
                a_tail_after_a_position_of_another_epoch_is_refused
            }
            compaction {
                a_tail_from_forgotten_history_fails_with_compacted
                compaction_exactly_at_the_cursor_loses_nothing
                compaction_exactly_at_a_delete_does_not_lose_it
                an_open_tail_overtaken_by_compaction_is_whole_or_compacted
                compaction_amid_the_pages_of_a_snapshot_leaves_no_hole
                a_compacted_log_still_holds_every_live_record
            }
            difference {
                a_difference_makes_what_is_there_of_what_was_known
                a_difference_holds_what_has_changed_and_nothing_else
                forgotten_history_is_not_needed_for_a_difference
                a_difference_to_nothing_known_is_the_whole_keyspace
                a_difference_of_an_emptied_keyspace_deletes_every_known_key
                a_key_that_was_deleted_and_created_again_is_put
                what_a_lease_took_with_it_is_deleted_by_a_difference
                another_life_and_the_future_have_no_difference_here
                a_difference_never_sees_a_neighbour
                a_difference_reflects_every_commit_acknowledged_before_it
                all_pages_of_a_difference_are_true_at_its_position
                compaction_amid_the_pages_of_a_difference_leaves_no_hole
                a_tail_goes_on_where_a_difference_ends
                large_values_come_in_a_difference
                a_key_known_in_error_is_deleted_and_one_that_is_missing_is_put
                dropping_half_read_differences_loses_nothing
                a_log_taken_away_between_pages_leaves_no_short_difference
            }
            history {
                what_stood_at_a_key_is_told_of_every_position
                what_stood_at_the_compaction_is_told_and_nothing_before
                what_a_lease_took_with_it_stood_there_before
                another_life_and_the_future_have_no_history_here
            }
            commit {
                the_position_returned_is_this_commits_own
                positions_of_commits_grow_strictly
                head_covers_every_commit_acknowledged_anywhere
                a_recent_head_covers_what_was_acknowledged_before_its_age
                a_recent_head_is_reached_by_an_open_tail
                of_many_concurrent_creates_exactly_one_wins
                concurrent_increments_lose_none
                deleting_an_absent_key_is_no_error
                a_transaction_without_writes_only_checks
                a_transaction_of_another_life_writes_nothing
                a_client_says_who_it_is_and_what_it_can_do
            }
            precondition {
                each_precondition_is_true_and_false_when_it_should_be
                a_revision_from_before_delete_and_recreate_does_not_hold
                what_a_key_was_created_by_holds_through_rewrites_and_not_after_a_recreation
                a_failed_precondition_writes_nothing
                a_conflict_says_all_that_failed_and_what_stood_there
                a_precondition_on_another_key_guards_the_write
            }
            lease {
                a_lease_is_granted_for_no_less_than_was_asked
                a_lease_of_no_time_or_too_much_is_invalid
                a_lease_says_in_which_life_of_the_log_it_was_granted
                no_lease_is_granted_twice_in_any_life_of_the_log
                a_lease_takes_more_records_than_are_best_put_under_one
                a_lease_does_not_end_early_and_its_deletes_appear_in_the_tail
                a_renewed_lease_lives_on
                revoking_a_lease_deletes_its_records_in_one_batch
                a_renewal_says_what_the_lease_has_now
                a_lease_that_is_gone_is_lost_to_renew_and_no_error_to_revoke
                a_put_under_a_dead_lease_writes_nothing
                a_rewrite_without_the_lease_outlives_it
                a_rewrite_under_another_lease_belongs_to_that
            }
            isolation {
                a_keyspace_never_sees_one_whose_name_begins_like_it
                one_key_in_two_keyspaces_is_two_records
                keys_that_look_like_paths_or_internals_are_only_keys
                an_empty_value_is_not_an_absent_key
                values_are_any_bytes
                a_key_that_is_no_text_can_be_deleted_but_not_put
            }
            limits {
                what_is_over_a_limit_is_refused_with_the_limit_and_nothing_is_written
                what_is_exactly_at_a_limit_is_taken
                a_key_written_twice_in_one_transaction_is_invalid
            }
            cancel {
                dropping_a_pending_next_loses_no_batch
                a_dropped_commit_is_whole_or_not_at_all
                dropping_any_call_leaves_the_client_usable
                dropping_tails_and_half_read_snapshots_leaves_the_log_usable
            }
            outage {
                every_call_ends_while_the_log_is_away_and_works_when_it_is_back
                a_tail_opened_before_an_outage_breaks_or_goes_on_without_a_gap
                a_tail_that_waits_through_an_outage_breaks_or_goes_on_without_a_gap
                an_outage_is_not_the_end_of_a_lease
                a_log_taken_away_between_pages_leaves_no_short_snapshot
                a_commit_is_answered_within_its_timeout
                why_the_log_is_away_is_told_while_a_call_still_tries
                a_status_names_the_log_and_says_why_it_is_away
                a_commit_whose_reply_was_lost_is_never_a_plain_failure
                what_only_a_person_can_mend_is_denied
                a_wiped_log_is_in_another_epoch
            }
            line {
                a_page_that_hangs_ends_the_snapshot_in_bounded_time
                a_page_that_hangs_ends_the_difference_in_bounded_time
                a_commit_on_a_frozen_line_is_answered_within_its_timeout
                a_commit_that_was_given_up_never_lands_after_a_later_one
            }
            restore {
                a_reply_across_a_restore_is_of_the_life_its_commit_is_in
                a_lease_that_a_restore_brings_back_is_lost_to_who_held_it
            }
            waker {
                a_waker_may_call_the_log_that_woke_it
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($harness:ty; $($theme:ident { $($case:ident)* })*) => {
        mod conformance {
            $(mod $theme {
                use super::super::*;

                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $crate::conformance::run::<$harness>($crate::conformance::$theme::$case).await;
                })*
            })*
        }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_run() {
        let list = include_str!("mod.rs");
        let themes = [
            include_str!("cancel.rs"),
            include_str!("commit.rs"),
            include_str!("compaction.rs"),
            include_str!("difference.rs"),
            include_str!("history.rs"),
            include_str!("isolation.rs"),
            include_str!("lease.rs"),
            include_str!("limits.rs"),
            include_str!("line.rs"),
            include_str!("outage.rs"),
            include_str!("precondition.rs"),
            include_str!("restore.rs"),
            include_str!("snapshot.rs"),
            include_str!("tail.rs"),
            include_str!("waker.rs"),
        ];
        let declared = themes.iter().flat_map(|source| source.lines());
        for line in declared.filter_map(|line| line.strip_prefix("pub async fn ")) {
            let case = line.split('(').next().unwrap();
            let listed = list.lines().any(|line| line.trim() == case);
            assert!(listed, "{case} is not in the list of conformance!");
        }
    }
}
