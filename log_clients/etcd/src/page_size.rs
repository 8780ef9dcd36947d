//! How many records are asked for at once.
//!
//! Never asks: it only looks at what the pages so far were like.

use std::time::Duration;

use etcd_client::proto::PbKeyValue;

/// A page is made to hold about so many bytes: enough that the round trip does not matter.
const PAGE_BYTES: usize = 2 * 1024 * 1024;

/// A page of a large keyspace may hold so many.
const LARGEST_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// For each page the server counts all that is left of the keyspace. So a large one is read in no more than about so many
/// pages, if they can have the bytes for it: else reading ten times as much would take a hundred times as much counting.
const PAGES: usize = 16;

/// Counting fewer than so many is no work.
const LARGE_KEYSPACE: usize = 100_000;

/// How long a page that is larger for that reason may take, going by the one before.
const PAGE_TIME: Duration = Duration::from_secs(1);

/// What a record costs on the wire besides its key and value, roughly.
const RECORD_OVERHEAD: usize = 32;

/// No page is more than so many times as large as the one before, and only those of a large keyspace are more than so many
/// times as large as the first.
const GROWTH: usize = 10;

/// The size of the next page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageSize {
    first: usize,
    next: usize,
}

impl PageSize {
    pub(crate) fn new(first: usize) -> PageSize {
        let first = first.max(1);
        PageSize { first, next: first }
    }

    pub(crate) fn next(&self) -> usize {
        self.next
    }

    /// The answer could not be taken. False when it was of one record only.
    pub(crate) fn shrink(&mut self) -> bool {
        let can_shrink = self.next > 1;
        self.next = (self.next / 2).max(1);
        can_shrink
    }

    /// Fits the next page to the records of this one, of a keyspace that holds `total`.
    pub(crate) fn fit(&mut self, page: &[PbKeyValue], total: usize, took: Duration) {
        let bytes = page.iter().map(weight).sum();
        self.fit_to(page.len(), bytes, total, took);
    }

    fn fit_to(&mut self, records: usize, bytes: usize, total: usize, took: Duration) {
        let Some(each) = bytes.checked_div(records) else {
            return;
        };
        let usual = (PAGE_BYTES / each.max(1)).min(self.first.saturating_mul(GROWTH));
        let wanted = if total < LARGE_KEYSPACE {
            0
        } else {
            total / PAGES
        };
        let large = wanted.min(LARGEST_PAGE_BYTES / each.max(1));
        let factor = PAGE_TIME.as_micros() / took.as_micros().max(1);
        let factor = usize::try_from(factor).unwrap_or(GROWTH);
        let in_time = records.saturating_mul(factor);
        let most = self.next.saturating_mul(GROWTH);
        self.next = usual.max(large.min(in_time)).clamp(1, most);
    }
}

fn weight(record: &PbKeyValue) -> usize {
    record.key.len() + record.value.len() + RECORD_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(10);
    const MIB: usize = 1024 * 1024;

    /// The size after pages of records of `each` bytes, from one that is asked for first.
    fn after(pages: usize, each: usize, total: usize, took: Duration) -> usize {
        let mut size = PageSize::new(1000);
        for _ in 0..pages {
            size.fit_to(size.next(), size.next() * each, total, took);
        }
        size.next()
    }

    #[test]
    fn pages_fit_their_records() {
        assert_eq!(PageSize::new(0).next(), 1);
        let mut untouched = PageSize::new(7);
        untouched.fit(&[], 100, QUICK);
        assert_eq!(untouched.next(), 7);
        assert_eq!(after(1, 150, 5000, QUICK), 10_000);
        assert_eq!(after(2, 150, 5000, QUICK), 10_000);
        assert_eq!(after(1, MIB, 100, QUICK), 2);
        assert_eq!(after(1, 64 * MIB, 100, QUICK), 1);
    }

    #[test]
    fn a_large_keyspace_is_read_in_few_pages_that_are_not_too_large() {
        assert_eq!(after(1, 150, 1_000_000, QUICK), 10_000);
        assert_eq!(after(2, 150, 1_000_000, QUICK), 62_500);
        let most = 16 * MIB / 150;
        assert_eq!(after(9, 150, 100_000_000, QUICK), most);
    }

    #[test]
    fn pages_that_take_long_grow_no_more_than_they_always_did() {
        assert_eq!(after(9, 150, 1_000_000, PAGE_TIME * 2), 10_000);
    }

    #[test]
    fn pages_of_a_few_that_were_too_large_grow_step_by_step() {
        let mut size = PageSize::new(4);
        assert!(size.shrink() && size.shrink());
        assert!(!size.shrink(), "one is all there is");
        size.fit_to(1, 100, 1_000_000, QUICK);
        assert_eq!(size.next(), 10);
    }
}
