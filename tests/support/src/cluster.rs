//! Several real etcd servers that are one cluster.
//!
//! Each member is an [`EtcdServer`] of its own: what can be done to one, can be done to a member.

use std::ops::{Index, IndexMut};

use crate::binaries::EtcdVersion;
use crate::etcd::{EtcdBuilder, EtcdServer, Member};
use crate::wait::free_port;

/// A cluster on loopback. Killed when dropped.
#[derive(Debug)]
pub struct EtcdCluster {
    members: Vec<EtcdServer>,
}

impl EtcdCluster {
    /// Starts a cluster with one member of each version given, and waits until all answer.
    pub async fn start(versions: &[EtcdVersion]) -> EtcdCluster {
        EtcdCluster::start_with(versions, &[]).await
    }

    /// As [`EtcdCluster::start`], each member with these flags.
    pub async fn start_with(versions: &[EtcdVersion], flags: &[&str]) -> EtcdCluster {
        let builders = versions.iter().map(|version| {
            let builder = EtcdServer::builder(*version);
            flags
                .iter()
                .fold(builder, |builder, flag| builder.flag(*flag))
        });
        EtcdCluster::start_all(builders.collect()).await
    }

    /// Starts a cluster of these servers, which may each have a host of its own, and waits until all answer.
    pub async fn start_all(builders: Vec<EtcdBuilder>) -> EtcdCluster {
        let mut places: Vec<Member> = builders.iter().enumerate().map(place).collect();
        let urls = places.iter().map(|member| {
            let Member {
                name,
                address,
                peer_port,
                ..
            } = member;
            format!("{name}=http://{address}:{peer_port}")
        });
        let cluster = urls.collect::<Vec<_>>().join(",");
        let mut members = Vec::new();
        for (builder, mut place) in builders.into_iter().zip(places.drain(..)) {
            place.cluster.clone_from(&cluster);
            members.push(builder.member(place).start_unready().await);
        }
        let mut cluster = EtcdCluster { members };
        cluster.wait_ready().await;
        cluster
    }

    /// Waits until every member answers.
    pub async fn wait_ready(&mut self) {
        for member in &mut self.members {
            member.wait_ready().await;
        }
    }

    /// The members, in the order of the versions they were started with.
    pub fn members(&mut self) -> &mut [EtcdServer] {
        &mut self.members
    }

    /// `http://…` of every member.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(EtcdServer::endpoint).collect()
    }

    /// `etcd://h1:p1,h2:p2,…`.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self
            .members
            .iter()
            .map(|member| member.address().to_string())
            .collect();
        format!("etcd://{}", hosts.join(","))
    }

    /// The member that leads, as the first member that answers sees it.
    ///
    /// # Panics
    /// When no member answers, or none leads.
    pub async fn leader(&self) -> usize {
        for asked in &self.members {
            let Ok(json) = asked
                .try_etcdctl(&["endpoint", "status", "-w", "json", "--command-timeout=1s"])
                .await
            else {
                continue;
            };
            let status: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            let leader = status[0]["Status"]["leader"].as_u64().unwrap_or_default();
            let list = asked.etcdctl(&["member", "list", "-w", "json"]).await;
            let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
            let members = list["members"].as_array().expect("members");
            let found = members
                .iter()
                .find(|member| member["ID"].as_u64() == Some(leader));
            let name = found
                .and_then(|member| member["name"].as_str())
                .unwrap_or_default();
            if let Some(index) = self
                .members
                .iter()
                .position(|member| member.member().name == name)
            {
                return index;
            }
        }
        panic!("no member knows a leader");
    }

    /// Makes another member the leader.
    pub async fn move_leader(&self) {
        let leader = self.leader().await;
        let json = self.members[leader]
            .etcdctl(&["member", "list", "-w", "json"])
            .await;
        let list: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let name = &self.members[(leader + 1) % self.members.len()]
            .member()
            .name;
        let members = list["members"].as_array().expect("members");
        let found = members
            .iter()
            .find(|member| member["name"] == name.as_str())
            .expect("the next member");
        let id = format!("{:x}", found["ID"].as_u64().expect("an id"));
        self.members[leader].etcdctl(&["move-leader", &id]).await;
    }
}

/// The place of the member of this number, before the others are known.
fn place((index, builder): (usize, &EtcdBuilder)) -> Member {
    Member {
        name: format!("n{index}"),
        address: builder.address(),
        client_port: free_port(),
        peer_port: free_port(),
        cluster: String::new(),
    }
}

impl Index<usize> for EtcdCluster {
    type Output = EtcdServer;

    fn index(&self, index: usize) -> &EtcdServer {
        &self.members[index]
    }
}

impl IndexMut<usize> for EtcdCluster {
    fn index_mut(&mut self, index: usize) -> &mut EtcdServer {
        &mut self.members[index]
    }
}
