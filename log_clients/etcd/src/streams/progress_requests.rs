//! Which progress replies of a watch stream speak for which of its watches.
//!
//! Never takes a reply for an answer to a later request than is certain: replies carry no number, and servers leave some
//! requests unanswered.

/// Requests are answered in the order they were sent in, if at all.
#[derive(Debug, Default)]
pub(crate) struct ProgressRequests {
    /// How many requests were sent.
    asked: u64,
    /// The last reply answered this request, or a later one.
    settled: u64,
}

impl ProgressRequests {
    /// A request is sent.
    pub(crate) fn ask(&mut self) {
        self.asked += 1;
    }

    /// How many requests were sent so far: a watch created now needs the reply to a later one.
    pub(crate) fn asked(&self) -> u64 {
        self.asked
    }

    /// A reply came.
    pub(crate) fn reply(&mut self) {
        self.settled += 1;
    }

    /// The server has dealt with the first `asked` requests, and every reply to them has come.
    pub(crate) fn settle(&mut self, asked: u64) {
        self.settled = self.settled.max(asked);
    }

    /// Whether the last reply was to a request sent after the first `asked`.
    pub(crate) fn is_after(&self, asked: u64) -> bool {
        self.settled > asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_speaks_for_a_watch_only_if_it_must_have_been_asked_for_after_it_began() {
        let mut requests = ProgressRequests::default();
        requests.ask();
        let late = requests.asked();
        requests.reply();
        assert!(requests.is_after(0));
        assert!(!requests.is_after(late), "it was asked for before");
        requests.ask();
        requests.reply();
        assert!(requests.is_after(late));
    }

    #[test]
    fn requests_that_were_never_answered_cost_as_many_replies_or_one_sign_that_they_are_over() {
        let mut requests = ProgressRequests::default();
        for _ in 0..3 {
            requests.ask();
        }
        let late = requests.asked();
        for _ in 0..3 {
            requests.ask();
            requests.reply();
            assert!(!requests.is_after(late));
        }
        requests.settle(late);
        assert!(!requests.is_after(late));
        requests.ask();
        requests.reply();
        assert!(requests.is_after(late));
    }
}
