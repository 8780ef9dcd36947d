//! How a client goes back to its preferred member.
//!
//! Never keeps a caller waiting for it.

use crate::dial::Purpose;
use crate::endpoints::Endpoints;

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
                    endpoints.pin(index);
                }
                Err(_) => endpoints.preferred.leave(&endpoints.settings),
            }
        });
    }
}
