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
                    endpoints.pin(index);
                }
                Err(_) => endpoints.home.is_left(&endpoints.settings),
            }
        });
    }
}
