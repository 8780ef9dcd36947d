//! Which values are read next, and by which questions.
//!
//! Never asks.

use std::collections::VecDeque;

use globe_log_client::Bytes;

use crate::read::windows::{Found, Item};

/// An item, and which window it is in.
pub(crate) type Placed = (usize, Item);

/// What one question is for: a record, or all that are news in a part of one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: Bytes,
    pub(crate) last: Bytes,
    pub(crate) is_news: bool,
    window: usize,
}

impl Run {
    fn of(window: usize, found: &Found) -> Run {
        Run {
            first: found.key.clone(),
            last: found.key.clone(),
            is_news: found.is_news,
            window,
        }
    }

    /// Between two that are news in one window, the server finds by itself those that are.
    fn takes_in(&mut self, window: usize, found: &Found) -> bool {
        let takes = self.window == window && self.is_news && found.is_news;
        if takes {
            self.last = found.key.clone();
        }
        takes
    }
}

/// What is read next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Next {
    /// At most so many as a transaction takes.
    pub(crate) runs: Vec<Run>,
    /// How many values that is.
    pub(crate) records: usize,
    /// How many items are settled by it: also those that are gone.
    pub(crate) items: usize,
}

/// What is read of these items, in which at most so many values are, by so many questions at most.
pub(crate) fn next(items: &VecDeque<Placed>, records: usize, questions: usize) -> Next {
    let mut next = Next::default();
    for (window, item) in items {
        if let Item::Stands(found) = item {
            if next.records == records {
                break;
            }
            let last = next.runs.last_mut();
            if !last.is_some_and(|last| last.takes_in(*window, found)) {
                if next.runs.len() == questions {
                    break;
                }
                next.runs.push(Run::of(*window, found));
            }
            next.records += 1;
        }
        next.items += 1;
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> VecDeque<Placed> {
        let words = text.split_whitespace();
        let item = |word: &str| {
            let (window, kind, key) = (word[..1].parse().unwrap(), &word[1..2], &word[2..]);
            let key = Bytes::copy_from_slice(key.as_bytes());
            let item = match kind {
                "-" => Item::Gone(key),
                kind => Item::Stands(Found {
                    key,
                    is_news: kind == "+",
                }),
            };
            (window, item)
        };
        words.map(item).collect()
    }

    fn told(items: &VecDeque<Placed>, records: usize, questions: usize) -> (String, usize, usize) {
        let next = next(items, records, questions);
        let runs = next.runs.iter().map(|run| {
            let text = |key: &Bytes| String::from_utf8(key.to_vec()).unwrap();
            let (first, last) = (text(&run.first), text(&run.last));
            let sign = if run.is_news { "+" } else { "?" };
            format!("{sign}{first}{last}")
        });
        let runs: Vec<_> = runs.collect();
        (runs.join(" "), next.records, next.items)
    }

    #[test]
    fn news_of_one_window_are_one_question_and_nothing_is_asked_for_what_is_gone() {
        let items = items("0+a 0-b 0+c 0?d 0?e 0+f 1+g 2-h 2-i");
        let all = told(&items, 100, 100);
        assert_eq!(all, ("+ac ?dd ?ee +ff +gg".into(), 6, 9));
        // As far as there is room: what is gone until the next value comes along.
        assert_eq!(told(&items, 1, 100), ("+aa".into(), 1, 2));
        assert_eq!(told(&items, 2, 100), ("+ac".into(), 2, 3));
        assert_eq!(told(&items, 100, 1), ("+ac".into(), 2, 3));
        assert_eq!(told(&items, 100, 2), ("+ac ?dd".into(), 3, 4));
        let gone = super::tests::items("0-a 1-b");
        assert_eq!(told(&gone, 1, 1), (String::new(), 0, 2));
    }
}
