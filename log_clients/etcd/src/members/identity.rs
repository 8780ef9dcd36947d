//! Which cluster this log is on, and which members belong to it.
//!
//! Never follows one member to another cluster: that its cluster was replaced is believed of most members only.

use std::collections::HashMap;
use std::sync::PoisonError;

use futures::future::join_all;
use tokio::time::timeout;

use crate::fault::{Class, Fault};
use crate::members::connection::Connection;
use crate::members::endpoints::{Chosen, Endpoints};

impl Endpoints {
    /// Refuses a member that says it is of another cluster than the others. The ids of a cluster change when it is wiped or
    /// replaced, so a new one has to be that of most members; and at the start, of most of those that answer.
    pub(crate) async fn admit(&self, chosen: &Chosen, cluster: u64) -> Result<(), Fault> {
        let known = self.known_cluster();
        if cluster == 0 || known == Some(cluster) {
            return Ok(());
        }
        if self.len() > 1 {
            let votes = self.votes(chosen, cluster).await;
            if let Some(elected) = elect(known, &votes, self.len())
                && elected != cluster
            {
                self.set_cluster(elected);
                return Err(foreign(cluster, elected));
            }
        }
        self.set_cluster(cluster);
        Ok(())
    }

    /// What each member that answers says, by how many say so. The others are asked over connections that end with that.
    async fn votes(&self, chosen: &Chosen, cluster: u64) -> HashMap<u64, usize> {
        let limit = self.settings.connect_timeout + self.settings.request_timeout;
        let others = self
            .all()
            .filter(|o| o.endpoint.index != chosen.endpoint.index);
        let asked = others.map(async |other| {
            let (address, token) = (&other.endpoint.address, &self.authenticator.token);
            let connection = Connection::new(address, token, &self.settings).ok()?;
            let liveness = timeout(limit, connection.liveness()).await.ok()?.ok()?;
            (liveness.cluster != 0).then_some(liveness.cluster)
        });
        let mut votes = HashMap::from([(cluster, 1)]);
        for vote in join_all(asked).await.into_iter().flatten() {
            *votes.entry(vote).or_default() += 1;
        }
        votes
    }

    /// The id of the cluster this log is on; nothing before the first answer.
    pub(crate) fn known_cluster(&self) -> Option<u64> {
        *self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_cluster(&self, cluster: u64) {
        *self.cluster.lock().unwrap_or_else(PoisonError::into_inner) = Some(cluster);
    }
}

/// The cluster that the members are taken to be of; nothing when they do not say enough.
///
/// A majority of the list, once the cluster is known, and not of those that answer: one wrong endpoint must not outvote
/// a cluster that is partly down.
fn elect(known: Option<u64>, votes: &HashMap<u64, usize>, members: usize) -> Option<u64> {
    let answers: usize = votes.values().sum();
    let (winner, count) = votes.iter().max_by_key(|(_, count)| **count)?;
    let needed = match known {
        Some(_) => members / 2,
        None => answers / 2,
    };
    if *count > needed {
        Some(*winner)
    } else {
        known
    }
}

/// Nothing was sent to it but questions.
fn foreign(cluster: u64, elected: u64) -> Fault {
    let text = format!(
        "it belongs to the cluster {cluster:x}, the others to {elected:x}: an endpoint of another cluster is in the list"
    );
    Fault::new(Class::Foreign, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_left_for_another_only_with_most_of_its_members() {
        let votes = |pairs: &[(u64, usize)]| HashMap::from_iter(pairs.iter().copied());
        // At the start most of those that answer decide, and a draw decides nothing.
        assert_eq!(elect(None, &votes(&[(1, 1)]), 3), Some(1));
        assert_eq!(elect(None, &votes(&[(1, 1), (2, 2)]), 3), Some(2));
        assert_eq!(elect(None, &votes(&[(1, 1), (2, 1)]), 3), None);
        // Later it takes most of all.
        assert_eq!(elect(Some(1), &votes(&[(2, 1)]), 3), Some(1));
        assert_eq!(elect(Some(1), &votes(&[(2, 1), (1, 2)]), 3), Some(1));
        assert_eq!(elect(Some(1), &votes(&[(2, 2), (1, 1)]), 3), Some(2));
        assert_eq!(elect(Some(1), &votes(&[(2, 2)]), 3), Some(2));
    }
}
