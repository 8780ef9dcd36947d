//! What a watch stream hands to one tail, and how much of it is unread.
//!
//! Never holds a lock while it wakes anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use etcd_client::proto::{PbEvent, PbWatchResponse};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::fault::{Class, Fault};

/// What a delivery or an event costs besides its records, roughly.
const OVERHEAD: usize = 64;

/// What a tail is told.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// The watch stands.
    Opened,
    Message(PbWatchResponse),
    /// Everything up to this revision was delivered.
    Progress(u64),
    /// This watch is over, but not the tail: it goes on after what it has with another, on a stream of its own.
    Moved,
    Ended(Fault),
}

impl Delivery {
    /// Roughly what it takes of the memory.
    fn size(&self) -> usize {
        let size = |event: &PbEvent| {
            let kv = event.kv.as_ref();
            OVERHEAD + kv.map_or(0, |kv| kv.key.len() + kv.value.len())
        };
        match self {
            Delivery::Message(message) => OVERHEAD + message.events.iter().map(size).sum::<usize>(),
            _ => OVERHEAD,
        }
    }
}

/// How much lies unread, and who waits for that to change.
#[derive(Default)]
struct Unread {
    bytes: AtomicUsize,
    taken: Notify,
}

/// The end that delivers.
pub(crate) struct Post {
    deliveries: UnboundedSender<Delivery>,
    unread: Arc<Unread>,
    /// How many bytes may lie unread.
    room: usize,
}

/// The end that reads.
///
/// It is unbounded in itself, so that the stream never waits to deliver: who delivers is told when there is too much.
pub(crate) struct Mailbox {
    deliveries: UnboundedReceiver<Delivery>,
    unread: Arc<Unread>,
}

/// A mailbox for so many bytes. The room is not enforced here: see [`Post::put`].
pub(crate) fn mailbox(room: usize) -> (Post, Mailbox) {
    let (sender, receiver) = unbounded_channel();
    let unread = Arc::new(Unread::default());
    let post = Post {
        deliveries: sender,
        unread: Arc::clone(&unread),
        room,
    };
    let mailbox = Mailbox {
        deliveries: receiver,
        unread,
    };
    (post, mailbox)
}

impl Post {
    /// Delivers. True when more lies unread now than there is room for: then nothing more should be delivered before
    /// that changes. One message alone is never too much.
    pub(crate) fn put(&self, delivery: Delivery) -> bool {
        let size = delivery.size();
        let before = self.unread.bytes.fetch_add(size, Ordering::Relaxed);
        // Whoever does not read any more needs nothing.
        let _ = self.deliveries.send(delivery);
        before > 0 && before + size > self.room
    }

    /// Waits until there is room again.
    pub(crate) async fn has_room(&self) {
        while self.unread.bytes.load(Ordering::Relaxed) > self.room {
            self.unread.taken.notified().await;
        }
    }

    /// Nobody reads it any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.deliveries.is_closed()
    }
}

impl Mailbox {
    /// The next delivery. Cancel safe.
    pub(crate) async fn next(&mut self) -> Delivery {
        let Some(delivery) = self.deliveries.recv().await else {
            let text = "the watch stream is gone";
            return Delivery::Ended(Fault::new(Class::Unknown, text));
        };
        let size = delivery.size();
        self.unread.bytes.fetch_sub(size, Ordering::Relaxed);
        self.unread.taken.notify_one();
        delivery
    }
}

#[cfg(test)]
mod tests {
    use etcd_client::proto::PbKeyValue;

    use super::*;

    fn message(bytes: usize) -> Delivery {
        let kv = PbKeyValue {
            value: vec![0; bytes],
            ..PbKeyValue::default()
        };
        let event = PbEvent {
            kv: Some(kv),
            ..PbEvent::default()
        };
        Delivery::Message(PbWatchResponse {
            events: vec![event],
            ..PbWatchResponse::default()
        })
    }

    #[tokio::test]
    async fn one_message_is_never_too_much_and_reading_makes_room() {
        let (post, mut mailbox) = mailbox(1000);
        assert!(!post.put(message(5000)));
        assert!(post.put(message(1)));
        mailbox.next().await;
        post.has_room().await;
        assert!(!post.put(message(1)));
    }

    #[tokio::test]
    async fn even_progress_that_nobody_reads_takes_room() {
        let (post, _mailbox) = mailbox(1000);
        let fills = (0..100).any(|revision| post.put(Delivery::Progress(revision)));
        assert!(fills);
    }
}
