//! Several real etcd servers that are one cluster.
//!
//! Each member is an [`EtcdServer`] of its own: what can be done to one, can be done to a member.

use std::ops::{Index, IndexMut};

use crate::binaries::EtcdVersion;
use crate::etcd::{EtcdServer, Member};
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
        let ports: Vec<(u16, u16)> = versions
            .iter()
            .map(|_| (free_port(), free_port()))
            .collect();
        let peer =
            |(index, (_, peer)): (usize, &(u16, u16))| format!("n{index}=http://127.0.0.1:{peer}");
        let cluster = ports
            .iter()
            .enumerate()
            .map(peer)
            .collect::<Vec<_>>()
            .join(",");
        let mut members = Vec::new();
        for (index, (version, (client_port, peer_port))) in versions.iter().zip(ports).enumerate() {
            let name = format!("n{index}");
            let member = Member {
                name,
                client_port,
                peer_port,
                cluster: cluster.clone(),
            };
            let builder = flags
                .iter()
                .fold(EtcdServer::builder(*version), |builder, flag| {
                    builder.flag(*flag)
                });
            members.push(builder.member(member).start_unready().await);
        }
        let mut cluster = EtcdCluster { members };
        for member in &mut cluster.members {
            member.wait_ready().await;
        }
        cluster
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
            .map(|member| format!("127.0.0.1:{}", member.port()))
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
