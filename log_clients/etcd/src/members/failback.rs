//! How a client goes back to its preferred member.
//!
//! Never keeps a caller waiting for it.

use crate::members::dial::Purpose;
use crate::members::endpoints::Endpoints;

impl Endpoints {
    /// Goes back to the preferred member when it is time and it is well. Does so beside what the caller does.
    pub(crate) fn fail_back(&self) {
        let index = self.preferred.index;
        if self.is_pinned(index) || !self.preferred.is_due() {
            return;
        }
        let Some(endpoints) = self.this.upgrade() else {
            return;
        };
        tokio::spawn(async move {
            let deadline = endpoints.deadline();
            let Some(preferred) = endpoints.all().nth(index) else {
                return;
            };
            match endpoints
                .contact(&preferred, Purpose::Unary, deadline)
                .await
            {
                Ok(_) => {
                    tracing::debug!(endpoint = %preferred.endpoint.address, "going back to the preferred member");
                    endpoints.answered(&preferred);
                    endpoints.pin(index);
                }
                Err(fault) => {
                    // With its connections: one that could not be dialled never will be, and would be tried ever after.
                    endpoints.put_aside(&preferred, &fault.at(&preferred.endpoint.address));
                    endpoints.preferred.leave(&endpoints.settings);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::settings::builder::EtcdBuilder;

    /// Ports nobody listens on.
    const NOBODY: [&str; 2] = ["http://127.0.0.1:1", "http://127.0.0.1:2"];

    #[tokio::test(start_paused = true)]
    async fn nobody_fails_back_before_the_preferred_member_answers() {
        let pause = Duration::from_secs(60);
        let builder = EtcdBuilder::new().endpoints(NOBODY);
        let endpoints = Endpoints::new(builder.rebalance_after(pause).settings);
        let preferred = endpoints.preferred.index;
        let refuge = 1 - preferred;
        endpoints.pin(refuge);
        endpoints.preferred.leave(&endpoints.settings);
        for round in 0..3 {
            sleep(pause * 2).await;
            assert!(
                endpoints.preferred.is_due(),
                "it is looked for again: {round}"
            );
            endpoints.preferred.leave(&endpoints.settings);
            sleep(pause * 2).await;
            let connections = || endpoints.all().nth(preferred).unwrap().connections;
            let before = connections();
            endpoints.fail_back();
            assert!(!endpoints.preferred.is_due(), "it is being looked for");
            // Longer than anything takes with a member that refuses.
            sleep(endpoints.settings.deadline * 2).await;
            assert!(endpoints.is_pinned(refuge));
            let are_new = !Arc::ptr_eq(&before, &connections());
            assert!(are_new, "it is not looked for where it was not found");
        }
    }
}
