//! How a client goes back to its home member.
//!
//! Never keeps a caller waiting for it.

use crate::dial::Line;
use crate::endpoints::Endpoints;

impl Endpoints {
    /// Goes back to the home member when it is time and it is well. Does so beside what the caller does.
    pub(crate) fn head_home(&self) {
        let index = self.home.index;
        if self.is_pinned(index) || !self.home.is_due() {
            return;
        }
        let Some(endpoints) = self.this.upgrade() else {
            return;
        };
        tokio::spawn(async move {
            let deadline = endpoints.deadline();
            let Some(home) = endpoints.all().nth(index) else {
                return;
            };
            match endpoints.contact(&home, Line::Unary, deadline).await {
                Ok(_) => {
                    tracing::debug!(endpoint = %home.endpoint.address, "going back to the home member");
                    endpoints.answered(&home);
                    endpoints.pin(index);
                }
                Err(fault) => {
                    // With its connections: one that could not be dialled never will be, and would be tried ever after.
                    endpoints.put_aside(&home, &fault.at(&home.endpoint.address));
                    endpoints.home.is_left(&endpoints.settings);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::builder::EtcdBuilder;

    /// Ports nobody listens on.
    const NOBODY: [&str; 2] = ["http://127.0.0.1:1", "http://127.0.0.1:2"];

    #[tokio::test(start_paused = true)]
    async fn nobody_goes_home_before_that_answers() {
        let pause = Duration::from_secs(60);
        let builder = EtcdBuilder::new().endpoints(NOBODY);
        let endpoints = Endpoints::new(builder.rebalance_after(pause).settings);
        let home = endpoints.home.index;
        let refuge = 1 - home;
        endpoints.pin(refuge);
        endpoints.home.is_left(&endpoints.settings);
        for round in 0..3 {
            sleep(pause * 2).await;
            assert!(endpoints.home.is_due(), "it is looked for again: {round}");
            endpoints.home.is_left(&endpoints.settings);
            sleep(pause * 2).await;
            endpoints.head_home();
            assert!(!endpoints.home.is_due(), "it is being looked for");
            // Longer than anything takes with a member that refuses.
            sleep(endpoints.settings.deadline * 2).await;
            assert!(endpoints.is_pinned(refuge));
        }
    }
}
