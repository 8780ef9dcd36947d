//! How the keys that somebody knows are cut into windows, and what an answer about one says.
//!
//! Never asks.

use std::ops::Range;
use std::time::Duration;

use globe_log_client::Bytes;

/// How many known keys are in a window. A window costs about a hundred bytes; and where a key is gone, what the keys of it
/// hold besides their values.
pub(crate) const WINDOW: usize = 128;

/// How many windows are asked for at once at first, and at most.
const FIRST: usize = 8;
const MOST: usize = 120;

/// The server reads all the values in a window, whatever it sends. It shall not be kept longer with one request than this;
/// and if it takes less than the other, with more at once.
const LONG: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(200);

/// How many windows are asked for at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    next: usize,
    most: usize,
}

impl Pace {
    /// Where a transaction takes so many operations of this client's.
    pub(crate) fn new(operations: usize) -> Pace {
        let most = operations.clamp(1, MOST);
        let next = FIRST.min(most);
        Pace { next, most }
    }

    pub(crate) fn windows(&self) -> usize {
        self.next
    }

    /// So many were too many. False if it was only one.
    pub(crate) fn slow_down(&mut self) -> bool {
        let can_slow_down = self.next > 1;
        self.next = (self.next / 2).max(1);
        self.most = self.next;
        can_slow_down
    }

    /// So long the server took.
    pub(crate) fn took(&mut self, time: Duration) {
        if time > LONG {
            self.next = (self.next / 2).max(1);
        } else if time < SHORT {
            self.next = (self.next * 2).min(self.most);
        }
    }
}

/// The known keys from one on that are compared at once.
pub(crate) fn part(known: usize, from: usize, pace: Pace) -> Range<usize> {
    from..known.min(from.saturating_add(pace.windows() * WINDOW))
}

/// The windows of a part. There always is one: also where nothing is known there may be something.
pub(crate) fn windows(part: &Range<usize>) -> Vec<Range<usize>> {
    if part.is_empty() {
        return vec![part.clone()];
    }
    let starts = part.clone().step_by(WINDOW);
    starts
        .map(|from| from..part.end.min(from + WINDOW))
        .collect()
}

/// Whether so many records stand where so few are known that it costs less to read all of them than to look for what is new:
/// the server goes through all of them with each look, and sends the keys of what is new first.
pub(crate) fn is_crowded(known: usize, standing: usize) -> bool {
    standing > known * 2 + WINDOW * 2
}

/// What stands at a key, but for its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) key: Bytes,
    /// It was written since.
    pub(crate) is_news: bool,
}

/// What is not known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// Nothing stands there any more.
    Gone(Bytes),
    /// This does, whose value is to be read.
    Stands(Found),
}

/// What is not known in a window in which so many records stand, by those that are news. Nothing if the numbers show that more
/// is not as it is known.
///
/// All that stands is either news, or was known: so if no known key is gone, all of them stand, and the news that are none of
/// them.
pub(crate) fn by_news(known: &[Bytes], news: &[Bytes], standing: usize) -> Option<Vec<Item>> {
    let new = news.iter().filter(|key| known.binary_search(key).is_err());
    if known.len() + new.count() != standing {
        return None;
    }
    let items = news.iter().cloned().map(|key| {
        let is_news = true;
        Item::Stands(Found { key, is_news })
    });
    Some(items.collect())
}

/// What is not known in a window, by all that stands there. Both are in the order of keys.
pub(crate) fn by_all(known: &[Bytes], standing: Vec<Found>) -> Vec<Item> {
    let (mut items, mut passed) = (Vec::new(), 0);
    for found in standing {
        let mut is_known = false;
        while let Some(key) = known.get(passed).filter(|key| **key <= found.key) {
            passed += 1;
            is_known = *key == found.key;
            if !is_known {
                items.push(Item::Gone(key.clone()));
            }
        }
        if found.is_news || !is_known {
            items.push(Item::Stands(found));
        }
    }
    items.extend(known[passed..].iter().cloned().map(Item::Gone));
    items
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn windows_cover_every_known_key_once_and_there_is_always_one() {
        for known in [0, 1, 127, 128, 129, 1000, 100_000] {
            let (mut pace, mut from, mut next) = (Pace::new(125), 0, 0);
            loop {
                let part = part(known, from, pace);
                let windows = windows(&part);
                assert!(!windows.is_empty() && windows.len() <= MOST);
                for window in windows {
                    assert_eq!(window.start, next);
                    assert!(window.len() <= WINDOW);
                    next = window.end;
                }
                assert_eq!(next, part.end);
                from = part.end;
                pace.took(Duration::ZERO);
                if from == known {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_server_is_asked_for_more_while_it_is_quick_and_for_less_once_it_is_not() {
        let mut pace = Pace::new(125);
        let windows = |pace: &mut Pace, took| {
            pace.took(took);
            pace.windows()
        };
        let quick: Vec<_> = (0..5).map(|_| windows(&mut pace, SHORT / 2)).collect();
        assert_eq!(quick, [16, 32, 64, 120, 120]);
        assert_eq!(windows(&mut pace, SHORT), 120);
        assert_eq!(windows(&mut pace, LONG * 2), 60);
        assert!(pace.slow_down());
        assert_eq!(windows(&mut pace, SHORT / 2), 30, "more was refused");
        let mut least = Pace::new(1);
        assert!(!least.slow_down());
        assert_eq!(windows(&mut least, LONG * 2), 1);
        assert_eq!(Pace::new(0).windows(), 1);
    }

    proptest! {
        /// The numbers tell nothing, or just what all the keys tell.
        #[test]
        fn what_the_news_and_a_number_say_is_what_all_keys_say(
            keys in prop::collection::btree_map(0u8..40, (any::<bool>(), any::<bool>(), any::<bool>()), 0..30),
        ) {
            let key = |number: &u8| Bytes::copy_from_slice(&[*number]);
            // Whether it was known, whether it stands, whether it was written since.
            let known: Vec<_> = keys.iter().filter(|(_, (known, ..))| *known).map(|(number, _)| key(number)).collect();
            let standing: BTreeMap<_, _> = keys
                .iter()
                .filter(|(_, (_, stands, _))| *stands)
                // What was not known and stands must be news.
                .map(|(number, (known, _, news))| (key(number), *news || !known))
                .collect();
            let news: Vec<_> = standing.iter().filter(|(_, news)| **news).map(|(key, _)| key.clone()).collect();
            let found = standing.iter().map(|(key, is_news)| Found { key: key.clone(), is_news: *is_news });
            let by_all = by_all(&known, found.collect());
            let gone: BTreeSet<_> = known.iter().filter(|key| !standing.contains_key(*key)).collect();
            let told = by_all.iter().filter_map(|item| match item {
                Item::Gone(key) => Some(key),
                Item::Stands(_) => None,
            });
            prop_assert_eq!(told.collect::<BTreeSet<_>>(), gone.clone());
            match by_news(&known, &news, standing.len()) {
                Some(items) => prop_assert_eq!(items, by_all),
                None => prop_assert!(!gone.is_empty()),
            }
        }
    }
}
