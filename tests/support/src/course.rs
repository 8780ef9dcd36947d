//! One direction of one proxied connection: bytes come in, and go out when and as the weather lets them.
//!
//! It never changes a byte.

use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::weather::{Flow, Sky, Weather};

/// How many pieces may be on their way.
const ON_THEIR_WAY: usize = 64;
/// A throttled flow is fed this often.
const TICKS_PER_SECOND: u32 = 20;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    /// As `Closed`, after something had been held.
    Late,
    Reset,
}

/// A direction of a connection.
pub(crate) struct Course {
    number: u64,
    rng: Rng,
    sky: watch::Receiver<Sky>,
    flow: fn(Weather) -> Flow,
}

/// Bytes, and when they arrive.
struct Piece {
    bytes: Vec<u8>,
    due: Instant,
}

impl Course {
    pub(crate) fn new(
        number: u64,
        seed: u64,
        sky: watch::Receiver<Sky>,
        flow: fn(Weather) -> Flow,
    ) -> Course {
        Course {
            number,
            rng: Rng::with_seed(seed),
            sky,
            flow,
        }
    }

    /// Forwards until one side closes, or the weather resets it.
    pub(crate) async fn run(
        self,
        from: ReadHalf<'_>,
        to: WriteHalf<'_>,
        count: impl Fn(u64),
    ) -> End {
        let (sender, pieces) = mpsc::channel(ON_THEIR_WAY);
        let Course {
            number,
            rng,
            sky,
            flow,
        } = self;
        let arriving = arrive(from, sender, rng, {
            let sky = sky.clone();
            move || flow(sky.borrow().of(number))
        });
        let leaving = Leaving {
            to,
            sky,
            flow: move |sky: &Sky| flow(sky.of(number)),
            last: Flow::default(),
            left: None,
            count,
            was_held: false,
        };
        // Whatever arrived before the end still leaves.
        let ((), end) = tokio::join!(arriving, leaving.run(pieces));
        end
    }
}

/// Takes in what comes, and stamps it with the time of its arrival.
async fn arrive(
    mut from: ReadHalf<'_>,
    pieces: mpsc::Sender<Piece>,
    mut rng: Rng,
    flow: impl Fn() -> Flow,
) {
    let mut due = Instant::now();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            () = pieces.closed() => return,
        };
        if length == 0 {
            return;
        }
        let Flow { delay, jitter, .. } = flow();
        due = due.max(Instant::now() + delay + jitter.mul_f64(rng.f64()));
        let bytes = buffer[..length].to_vec();
        if pieces.send(Piece { bytes, due }).await.is_err() {
            return;
        }
    }
}

/// What leaves.
struct Leaving<'a, F, C> {
    to: WriteHalf<'a>,
    sky: watch::Receiver<Sky>,
    flow: F,
    last: Flow,
    /// How many bytes are left before the reset.
    left: Option<u64>,
    count: C,
    was_held: bool,
}

impl<F: Fn(&Sky) -> Flow, C: Fn(u64)> Leaving<'_, F, C> {
    async fn run(mut self, mut pieces: mpsc::Receiver<Piece>) -> End {
        while let Some(piece) = pieces.recv().await {
            sleep_until(piece.due).await;
            let mut bytes = piece.bytes.as_slice();
            while !bytes.is_empty() {
                match self.leave(bytes).await {
                    Ok(length) => bytes = &bytes[length..],
                    Err(end) => return end,
                }
            }
        }
        // The end of the stream is held like everything else.
        match self.flows().await {
            Ok(_) if self.was_held => End::Late,
            _ => End::Closed,
        }
    }

    /// Sends as much as may leave now.
    async fn leave(&mut self, bytes: &[u8]) -> Result<usize, End> {
        let flow = self.flows().await?;
        let mut length = bytes.len();
        if let Some(rate) = flow.bytes_per_second {
            let tick = usize::try_from(rate / TICKS_PER_SECOND).unwrap_or(usize::MAX);
            length = length.min(tick.max(1));
        }
        if let Some(left) = &mut self.left {
            length = length.min(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= length as u64;
        }
        if length == 0 {
            return Err(End::Reset);
        }
        let sent = self.to.write_all(&bytes[..length]).await;
        sent.map_err(|_| End::Closed)?;
        (self.count)(length as u64);
        if let Some(rate) = flow.bytes_per_second {
            sleep(Duration::from_secs_f64(
                length as f64 / f64::from(rate.max(1)),
            ))
            .await;
        }
        Ok(length)
    }

    /// Waits until something may leave.
    async fn flows(&mut self) -> Result<Flow, End> {
        let flow = &self.flow;
        self.was_held |= flow(&self.sky.borrow()).is_held;
        let sky = self.sky.wait_for(|sky| !flow(sky).is_held).await;
        let flow = flow(&*sky.map_err(|_| End::Closed)?);
        if flow != self.last {
            self.last = flow;
            self.left = flow.cut_after;
        }
        Ok(flow)
    }
}
