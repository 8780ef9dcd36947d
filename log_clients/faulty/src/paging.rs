//! A snapshot, or a difference, with what can go wrong while it is read.
//!
//! Never changes a record: at most it leaves one out, when it is told to break the contract.

use std::collections::VecDeque;

use futures::stream::{BoxStream, StreamExt, unfold};
use globe_log_client::{Difference, Error, ErrorKind, Result, Snapshot};

use crate::dice::Dice;
use crate::fault::Fault;

struct Paging<T> {
    inner: BoxStream<'static, Result<Vec<T>>>,
    dice: Dice,
    /// What was read and not yet handed out.
    ready: VecDeque<Vec<T>>,
}

/// A snapshot to whose pages anything can happen that the dice say.
pub(crate) fn disturb(inner: Snapshot, dice: Dice) -> Snapshot {
    let position = inner.position();
    let pages = unfold(inner, |mut inner| async move {
        inner
            .next_page()
            .await
            .transpose()
            .map(|page| (page, inner))
    });
    Snapshot::new(position, disturbed(pages.boxed(), dice))
}

/// A difference, in the same way.
pub(crate) fn disturb_difference(inner: Difference, dice: Dice) -> Difference {
    let position = inner.position();
    let pages = unfold(inner, |mut inner| async move {
        inner
            .next_page()
            .await
            .transpose()
            .map(|page| (page, inner))
    });
    Difference::new(position, disturbed(pages.boxed(), dice))
}

fn disturbed<T: Send + 'static>(
    inner: BoxStream<'static, Result<Vec<T>>>,
    dice: Dice,
) -> BoxStream<'static, Result<Vec<T>>> {
    let paging = Paging {
        inner,
        dice,
        ready: VecDeque::new(),
    };
    let pages = unfold(paging, |mut paging| async move {
        paging.next().await.transpose().map(|page| (page, paging))
    });
    pages.boxed()
}

impl<T> Paging<T> {
    async fn next(&mut self) -> Result<Option<Vec<T>>> {
        self.dice.delay().await;
        if self.dice.hits(Fault::CutSnapshot) {
            let why = "the snapshot broke off";
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        if self.dice.hits(Fault::SilenceSnapshot) {
            self.dice.silence().await;
            let why = "a page of the snapshot did not come in time";
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        if self.dice.hits(Fault::MuteSnapshot) {
            std::future::pending::<()>().await;
        }
        if let Some(page) = self.ready.pop_front() {
            return Ok(Some(page));
        }
        let Some(mut page) = self.inner.next().await.transpose()? else {
            return Ok(None);
        };
        if !page.is_empty() && self.dice.hits(Fault::HoleInSnapshot) {
            page.remove(self.dice.below(page.len()));
        }
        if page.len() > 1 && self.dice.hits(Fault::SplitPage) {
            let rest = page.split_off(1 + self.dice.below(page.len() - 1));
            self.ready.push_back(rest);
        }
        Ok(Some(page))
    }
}
