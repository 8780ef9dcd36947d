//! The thread that reads: one look at the file after another, each at one moment.
//!
//! Never writes, but for a new life where it finds that the file was restored.

use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::gone;
use crate::opened::Opened;
use crate::stand::Stand;
use crate::waking::wake;

/// How long a disk may take for one look.
const BOUND: Duration = Duration::from_secs(10);

/// A look at the file.
pub(crate) type Look = Box<dyn FnOnce(&mut Opened) + Send>;

/// Looks, until nobody is left who could ask.
pub(crate) fn run(mut opened: Opened, looks: &Receiver<Look>) {
    while let Ok(look) = looks.recv() {
        wake(|| look(&mut opened));
    }
}

/// Has a look done, also if nobody asks yet what was seen.
pub(crate) fn look<T: Send + 'static>(
    looks: &Sender<Look>,
    look: impl FnOnce(&Connection, &Stand) -> Result<T> + Send + 'static,
) -> impl Future<Output = Result<T>> + Send + 'static {
    let (answer, answered) = oneshot::channel();
    let look: Look = Box::new(move |opened| {
        // Nobody waits for it any more.
        if answer.is_closed() {
            return;
        }
        let looked = opened.hold().and_then(|mut held| held.look(look));
        let _ = answer.send(looked);
    });
    let is_asked = looks.send(look).map_err(|_| gone());
    async move {
        is_asked?;
        match timeout(BOUND, answered).await {
            Ok(Ok(looked)) => looked,
            Ok(Err(_)) => Err(gone()),
            Err(_) => {
                let why = format!("the disk has not answered for {BOUND:?}");
                Err(Error::new(ErrorKind::Unavailable, why))
            }
        }
    }
}
