//! How many records are asked for at once.
//!
//! Never asks: it only looks at what the pages so far were like.

use etcd_client::proto::PbKeyValue;

/// A page is made to hold about so many bytes: enough that the round trip does not matter.
const PAGE_BYTES: usize = 2 * 1024 * 1024;

/// What a record costs on the wire besides its key and value, roughly.
const RECORD_OVERHEAD: usize = 32;

/// No page is more than so many times as large as the one before.
const GROWTH: usize = 10;

/// No page has more than so many times the records of the first: all of a page is parsed at once, and who shares that thread
/// waits meanwhile; 10,000 records took 3 ms, and the longest of a million by 4,000 took 2 ms (`--bench hydration`).
const MOST: usize = 3;

/// The size of the next page.
///
/// A limit of etcd's counts records and not bytes: a thousand of the largest would be an answer of 1.5 GB, which this
/// client refuses to take. So a page that cannot be taken is asked for again in halves.
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

    /// Fits the next page to the records of this one.
    pub(crate) fn fit(&mut self, page: &[PbKeyValue]) {
        let bytes = page.iter().map(weight).sum();
        self.fit_to(page.len(), bytes);
    }

    /// As many records as fit, but no more than ten times as many as before: records to come may be larger than those
    /// that came.
    fn fit_to(&mut self, records: usize, bytes: usize) {
        let Some(each) = bytes.checked_div(records) else {
            return;
        };
        let wanted = (PAGE_BYTES / each.max(1)).min(self.first.saturating_mul(MOST));
        self.next = wanted.clamp(1, self.next.saturating_mul(GROWTH));
    }
}

fn weight(record: &PbKeyValue) -> usize {
    record.key.len() + record.value.len() + RECORD_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    /// The size after pages of records of `each` bytes, from one that is asked for first.
    fn after(pages: usize, each: usize) -> usize {
        let mut size = PageSize::new(1000);
        for _ in 0..pages {
            size.fit_to(size.next(), size.next() * each);
        }
        size.next()
    }

    #[test]
    fn pages_fit_their_records() {
        assert_eq!(PageSize::new(0).next(), 1);
        let mut untouched = PageSize::new(7);
        untouched.fit(&[]);
        assert_eq!(untouched.next(), 7);
        assert_eq!(after(1, 150), 3_000);
        assert_eq!(after(2, 150), 3_000);
        assert_eq!(after(1, MIB), 2);
        assert_eq!(after(1, 64 * MIB), 1);
    }

    #[test]
    fn pages_of_a_few_that_were_too_large_grow_step_by_step() {
        let mut size = PageSize::new(4);
        assert!(size.shrink() && size.shrink());
        assert!(!size.shrink(), "one is all there is");
        size.fit_to(1, 100);
        assert_eq!(size.next(), 10);
    }
}
