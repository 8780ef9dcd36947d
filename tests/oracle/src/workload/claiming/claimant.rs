//! One claimant: it does one thing after the other, by its own dice, under a session of its own.
//!
//! It judges nothing.

use std::sync::Arc;

use fastrand::Rng;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::lookout::Lookout;
use super::presence::Presence;
use super::resource::Resources;
use super::wanted::{Patience, Wanted};
use super::{Claiming, Shop};
use crate::recorder::Recorder;
use crate::workload::client::Board;

pub(crate) struct Claimant {
    pub(crate) number: u32,
    pub(crate) shop: Shop,
    pub(crate) claiming: Claiming,
    pub(crate) lookout: Lookout,
    pub(crate) recorder: Recorder,
    pub(crate) resources: Resources,
    pub(crate) board: Arc<Board>,
    pub(crate) rng: Rng,
    /// It begins nothing new.
    pub(crate) stop: CancellationToken,
}

impl Claimant {
    /// Does what it does until it is stopped; when all is mended it takes everything once more. Hands its session out.
    pub(crate) async fn run(
        mut self,
        mut presence: Presence,
        playing: watch::Sender<usize>,
        calm: CancellationToken,
    ) -> Presence {
        for _ in 0..self.claiming.ops {
            if self.stop.is_cancelled() {
                break;
            }
            presence = self.operate(presence).await;
            let pause = self.claiming.rest.mul_f64(self.rng.f64());
            tokio::select! {
                biased;
                () = sleep(pause) => {}
                () = self.stop.cancelled() => {}
            }
        }
        playing.send_modify(|playing| *playing -= 1);
        calm.cancelled().await;
        for wanted in Wanted::ALL {
            if let Some(held) = self.ask(&presence, wanted, Patience::Endless).await {
                self.leave(held).await;
            }
        }
        presence
    }

    async fn operate(&mut self, mut presence: Presence) -> Presence {
        match self.rng.u8(..100) {
            0..8 => return self.begin_anew(presence).await,
            8..22 => self.keep_entry(&mut presence).await,
            22..28 => self.lead(&presence).await,
            _ => {
                let wanted = self.wanted();
                let patience = self.patience();
                if let Some(held) = self.ask(&presence, wanted, patience).await {
                    return self.hold(presence, held).await;
                }
            }
        }
        presence
    }

    fn wanted(&mut self) -> Wanted {
        match self.rng.u8(..10) {
            0..4 => Wanted::Lock,
            4 => Wanted::Reading,
            5..7 => Wanted::Writing,
            7..9 => Wanted::Permits,
            _ => Wanted::Leading,
        }
    }

    fn patience(&mut self) -> Patience {
        let wait = self.claiming.wait.mul_f64(self.rng.f64());
        match self.rng.u8(..10) {
            0..2 => Patience::None,
            2 => Patience::Dropped(wait / 50),
            3 => Patience::Dropped(wait),
            _ => Patience::Within(wait),
        }
    }
}
