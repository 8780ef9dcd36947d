//! Several real etcd servers that are one cluster.
//!
//! Each member is an [`EtcdServer`] of its own: what can be done to one, can be done to a member.

use std::ops::{Index, IndexMut};
use std::time::Duration;

use tokio::time::Instant;

use crate::binaries::EtcdVersion;
use crate::etcd::{EtcdBuilder, EtcdServer, Member};
use crate::wait::wait_until;

/// How long a cluster may be without a leader, on a busy machine.
const ELECTION: Duration = Duration::from_secs(30);

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
        let places = builders.iter().enumerate().map(place);
        let places: Vec<Member> = places.collect();
        let listed: Vec<_> = places.iter().map(Member::listed).collect();
        let cluster = listed.join(",");
        let members = builders.into_iter().zip(places).map(|(builder, place)| {
            let place = place.among(&cluster);
            builder.member(place).start_unready()
        });
        let members = members.collect();
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

    /// As [`EtcdServer::enable_auth`], for all members.
    pub async fn enable_auth(&mut self, root_password: &str, users: &[(&str, &str, &str)]) {
        self.members[0].enable_auth(root_password, users).await;
        for member in &mut self.members {
            member.log_in_as_root(root_password);
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

    /// The member that leads, as a member that answers sees it. Waits while there is none.
    ///
    /// # Panics
    /// When there is none for long.
    pub async fn leader(&self) -> usize {
        let deadline = Instant::now() + ELECTION;
        loop {
            for asked in &self.members {
                if let Some(leader) = self.leader_seen_by(asked).await {
                    return leader;
                }
            }
            assert!(Instant::now() < deadline, "no member knows a leader");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn leader_seen_by(&self, asked: &EtcdServer) -> Option<usize> {
        let words = ["endpoint", "status", "-w", "json", "--command-timeout=1s"];
        let status = parsed(&asked.try_etcdctl(&words).await.ok()?);
        let leader = status[0]["Status"]["leader"].as_u64()?;
        let ids = self.ids(asked).await?;
        ids.iter().position(|id| *id == leader)
    }

    /// The members' ids, in their order here.
    async fn ids(&self, asked: &EtcdServer) -> Option<Vec<u64>> {
        let words = ["member", "list", "-w", "json", "--command-timeout=1s"];
        let list = parsed(&asked.try_etcdctl(&words).await.ok()?);
        let listed = list["members"].as_array()?;
        let id = |member: &EtcdServer| {
            let name = member.member().name.as_str();
            let found = listed.iter().find(|listed| listed["name"] == name)?;
            found["ID"].as_u64()
        };
        self.members.iter().map(id).collect()
    }

    /// Makes another member the leader.
    ///
    /// # Panics
    /// When no member can be made to lead for long.
    pub async fn move_leader(&self) {
        let deadline = Instant::now() + ELECTION;
        while !self.try_move_leader().await {
            assert!(Instant::now() < deadline, "the leadership cannot be moved");
        }
    }

    /// Takes a member out of the cluster for good.
    ///
    /// # Panics
    /// When the others do not let it go for long.
    pub async fn remove(&mut self, member: usize) {
        let id = self.id(member).await;
        self.until_done(member, &["member", "remove", &id]).await;
        self.members[member].kill();
    }

    /// Starts another in the place of a member that was removed. It knows nothing, and is a learner: it refuses every
    /// request until it is promoted.
    ///
    /// # Panics
    /// When the others do not take it for long.
    pub async fn add_learner(&mut self, member: usize) {
        let place = self.members[member].member();
        let peer = format!("--peer-urls={}", place.peer_url());
        let words = ["member", "add", &place.name, "--learner", &peer];
        self.until_done(member, &words).await;
        self.members[member].join();
    }

    /// Makes a learner a member like the others, and waits until it answers.
    ///
    /// # Panics
    /// When it has not caught up for long.
    pub async fn promote(&mut self, member: usize) {
        let id = self.id(member).await;
        self.until_done(member, &["member", "promote", &id]).await;
        self.members[member].wait_ready().await;
    }

    /// Asks another member to do something about this one until it is done.
    async fn until_done(&self, member: usize, words: &[&str]) {
        let asked = &self.members[(member + 1) % self.members.len()];
        wait_until(words[1], ELECTION, || async {
            asked.try_etcdctl(words).await.is_ok()
        })
        .await;
    }

    /// A member's id, as its neighbour knows it.
    async fn id(&self, member: usize) -> String {
        let deadline = Instant::now() + ELECTION;
        loop {
            let asked = &self.members[(member + 1) % self.members.len()];
            if let Some(ids) = self.ids(asked).await {
                return format!("{:x}", ids[member]);
            }
            assert!(Instant::now() < deadline, "no member knows another");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// False when the leadership moved by itself meanwhile.
    async fn try_move_leader(&self) -> bool {
        let leader = self.leader().await;
        let Some(ids) = self.ids(&self.members[leader]).await else {
            return false;
        };
        let next = format!("{:x}", ids[(leader + 1) % ids.len()]);
        let words = ["move-leader", &next];
        self.members[leader].try_etcdctl(&words).await.is_ok()
    }
}

fn parsed(json: &str) -> serde_json::Value {
    serde_json::from_str(json).expect("JSON")
}

/// The place of the member of this number, before the others are known.
fn place((index, builder): (usize, &EtcdBuilder)) -> Member {
    Member::alone(format!("n{index}"), builder.address())
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
