//! How far a page may reach: to a bound that leaves the server little to count.
//!
//! Never asks, and never decides what is read: whatever it says, page after page covers the whole keyspace.

use etcd_client::proto::PbRangeResponse;

/// With each page the server says how many records lie between its start and its bound, and for that it walks through all of
/// them, each time anew. Read without bounds, a keyspace ten times as large takes a hundred times as much walking. Up to so
/// many pages it may.
const PAGES: usize = 4;

/// A folder with less than the sixteenth part of a page is too small.
const FEW: usize = 16;

/// So many misses in a row are left level by level. Then it goes faster.
const MISSES: u32 = 8;

/// Pages end where a folder does: the keys that begin alike, up to some byte. Nothing else is known of keys that were not
/// read yet.
#[derive(Debug)]
pub(crate) struct PageBound {
    /// The end of what is read.
    end: Vec<u8>,
    /// How many bytes all keys of the keyspace share: it is the folder that holds them all.
    top: usize,
    /// How many bytes the keys of a folder share.
    depth: usize,
    /// The least byte that was seen at each place of a key: how the first key of the next folder probably goes on.
    least: Vec<u8>,
    /// How many records are left of it.
    left: usize,
    /// What is being read; all that is left, if none.
    folder: Option<Folder>,
    /// How many folders in a row were empty.
    misses: u32,
}

/// One folder under way.
#[derive(Debug)]
struct Folder {
    bound: Vec<u8>,
    /// It is read from its beginning.
    is_whole: bool,
    /// It is what was left of the one above.
    is_rest: bool,
}

impl PageBound {
    /// For what ends there, in a keyspace whose keys share so many bytes.
    pub(crate) fn new(end: Vec<u8>, top: usize) -> PageBound {
        PageBound {
            end,
            top,
            depth: top,
            least: Vec::new(),
            left: usize::MAX,
            folder: None,
            misses: 0,
        }
    }

    /// The key before which a page of `limit` records from `start` on is to end.
    pub(crate) fn bound(&mut self, start: &[u8], limit: usize) -> Vec<u8> {
        if self.folder.is_none() && self.left > limit.saturating_mul(PAGES) {
            self.folder = self.next_folder(start);
        }
        let bound = self.folder.as_ref().map(|folder| &folder.bound);
        bound.unwrap_or(&self.end).clone()
    }

    /// After an empty folder there is most often nothing in the rest of the one above, and then the next of those.
    fn next_folder(&self, start: &[u8]) -> Option<Folder> {
        let is_rest = self.misses % 2 == 1;
        let levels = 1 << (self.misses / MISSES).min(8);
        let depth = match is_rest {
            true => start.len().saturating_sub(levels),
            false => self.depth,
        };
        let known = &start[..depth.min(start.len())];
        let guessed = self.least.get(start.len()..depth).unwrap_or_default();
        let bound = successor(&[known, guessed].concat())?;
        (bound < self.end).then_some(Folder {
            bound,
            is_whole: start.len() <= depth,
            is_rest,
        })
    }

    /// Takes over what a page of at most `limit` records was like. Where the next one starts, if there is one.
    pub(crate) fn pass(&mut self, page: &PbRangeResponse, limit: usize) -> Option<Vec<u8>> {
        let count = usize::try_from(page.count).unwrap_or(0);
        if self.folder.is_none() {
            self.left = count;
        }
        self.left = self.left.saturating_sub(page.kvs.len());
        self.misses = if count == 0 { self.misses + 1 } else { 0 };
        self.learn(page);
        let next = match (&self.folder, page.kvs.last().filter(|_| page.more)) {
            (_, Some(last)) => Some([&last.key, &b"\0"[..]].concat()),
            (folder, None) => folder.as_ref().map(|folder| folder.bound.clone()),
        };
        let is_large = count > limit.saturating_mul(PAGES);
        if let Some(folder) = self.folder.take_if(|_| is_large || !page.more) {
            let is_small = (1..limit / FEW).contains(&count);
            if is_small && folder.is_whole && !folder.is_rest {
                self.depth = self.depth.midpoint(self.top);
            } else if is_large && !folder.is_rest {
                self.depth += 1;
            }
        }
        if is_large {
            self.depth = self.depth.max(shared(page));
        }
        if let Some(folder) = &mut self.folder {
            folder.is_whole = false;
        }
        next
    }

    fn learn(&mut self, page: &PbRangeResponse) {
        for record in &page.kvs {
            let both = self.least.iter_mut().zip(&record.key);
            both.for_each(|(least, byte)| *least = (*least).min(*byte));
            let longer = record.key.get(self.least.len()..).unwrap_or_default();
            self.least.extend_from_slice(longer);
        }
    }
}

/// How many bytes all keys of a page begin with.
fn shared(page: &PbRangeResponse) -> usize {
    let (Some(first), Some(last)) = (page.kvs.first(), page.kvs.last()) else {
        return 0;
    };
    let both = first.key.iter().zip(&last.key);
    both.take_while(|(first, last)| first == last).count()
}

/// The first key after all that begin with `prefix`; none if there is no such key.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use etcd_client::proto::PbKeyValue;
    use proptest::prelude::*;

    use super::*;

    type Name = fn(u32) -> String;

    /// What reading a keyspace cost.
    #[derive(Debug, Default)]
    struct Cost {
        pages: usize,
        /// How many keys the server walked through.
        walked: usize,
    }

    /// Reads the keyspace `k/` in pages of `limit`, as a server would answer.
    fn read(keys: &BTreeSet<Vec<u8>>, limit: usize) -> (Vec<Vec<u8>>, Cost) {
        let mut page_bound = PageBound::new(b"k0".to_vec(), 2);
        let (mut start, mut found, mut cost) = (b"k/".to_vec(), Vec::new(), Cost::default());
        loop {
            let bound = page_bound.bound(&start, limit);
            assert!(start < bound, "{start:?} to {bound:?}");
            let all: Vec<_> = keys.range(start..bound).cloned().collect();
            cost.pages += 1;
            cost.walked += all.len();
            let page: Vec<_> = all.iter().take(limit).cloned().collect();
            let kvs = page.iter().map(|key| PbKeyValue {
                key: key.clone(),
                ..PbKeyValue::default()
            });
            let page = PbRangeResponse {
                kvs: kvs.collect(),
                more: all.len() > limit,
                count: i64::try_from(all.len()).unwrap(),
                ..PbRangeResponse::default()
            };
            let next = page_bound.pass(&page, limit);
            found.extend(page.kvs.into_iter().map(|kv| kv.key));
            assert!(found.len() <= keys.len(), "none is read twice");
            match next {
                Some(next) => start = next,
                None => return (found, cost),
            }
        }
    }

    fn keys(names: impl IntoIterator<Item = String>) -> BTreeSet<Vec<u8>> {
        let names = names.into_iter();
        names.map(|name| format!("k/{name}").into_bytes()).collect()
    }

    #[test]
    fn a_large_keyspace_is_walked_through_a_few_times_only_whatever_its_keys_look_like() {
        const KEYS: u32 = 30_000;
        const PAGE: usize = 64;
        // Without bounds it would be 230 times. The last ones are folders of which each holds all that come after it.
        let names: [(Name, usize); 6] = [
            (|n| format!("service/{n:016x}/limit"), 8),
            (|n| format!("{n}"), 8),
            (|n| format!("{:08x}", n.wrapping_mul(2_654_435_761)), 8),
            (|n| format!("user/{}/{n}", n % 7), 8),
            (|n| format!("{}/{n}", "deep/".repeat(40)), 8),
            (
                |n| format!("{}/{}", "a".repeat(n as usize % 50), n % 997),
                40,
            ),
        ];
        for (name, times) in names {
            let keys = keys((0..KEYS).map(name));
            let (found, cost) = read(&keys, PAGE);
            assert!(found.iter().eq(&keys), "all of them, in order");
            let example = String::from_utf8_lossy(&found[7]);
            let pages = keys.len() / PAGE;
            assert!(cost.pages < 50 + 3 * pages, "{cost:?}, {pages}: {example}");
            let most = times * keys.len();
            assert!(cost.walked < most, "{cost:?}, {most}: {example}");
        }
    }

    proptest! {
        #[test]
        fn no_key_is_passed_over_and_none_is_read_twice(
            names in prop::collection::btree_set(prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..9), 0..400),
            limit in 1usize..40,
        ) {
            let keys: BTreeSet<Vec<u8>> = names.into_iter().map(|name| [b"k/".to_vec(), name].concat()).collect();
            let (found, _) = read(&keys, limit);
            prop_assert!(found.iter().eq(&keys));
        }
    }
}
