//! What a round is played on: a cluster, the hosts its members run on, and nodes that reach it through doors which can be
//! broken.
//!
//! It breaks nothing by itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use globe::{EtcdLog, Globe};
use globe_etcd::Tls;
use globe_oracle::{
    CLAIM_KEYSPACES, Claimants, Effect, KEYSPACES, Map, Node, RECIPE_KEYSPACES, Recorder,
};
use globe_test_support::netns::Hosts;
use globe_test_support::{
    Backend, Balancer, Certificates, EtcdBuilder, EtcdCluster, EtcdServer, EtcdVersion, Gateway,
    GrpcProxy, Proxy,
};
use tokio::time::sleep;

use crate::ballast::Ballast;
use crate::ear::Source;
use crate::held::UNDER_WAY;
use crate::leg::{Front, Leg, Login};

/// How many nodes there are. The last of them knows only the first member.
const NODES: usize = 3;
/// The node whose calls have all the time they want by default. It knows all members.
pub(crate) const PATIENT: usize = 0;
/// Where the sessions have their entries: a keyspace that no client of the oracle's touches.
pub(crate) const SESSIONS: &str = "sessions";
/// Where claims stand.
pub(crate) const CLAIMS: &str = CLAIM_KEYSPACES[0];
/// Where the oracle's sessions have their entries.
pub(crate) const PRESENT: &str = CLAIM_KEYSPACES[1];
/// What is written under claims.
pub(crate) const GUARDED: &str = CLAIM_KEYSPACES[2];
/// How long a session lives without its process. Shorter than most faults last, so that leases end in them; and longer than a
/// cluster needs to elect a leader.
pub(crate) const TTL: Duration = Duration::from_secs(3);

/// How long the calls of the nodes may take; which of the hurried ones knows all members is diced.
const DEADLINES: [Duration; NODES] = [
    Duration::from_secs(10),
    Duration::from_millis(300),
    Duration::from_millis(40),
];

/// What renews leases goes over connections of its own, which a node keeps to each member it has used, once it had a
/// session: seven on three members, of three descriptors and up to four tasks each.
const RENEWALS: u64 = 30;

/// Tasks of one connection, at most.
const TASKS: u64 = 4;

/// How long nobody is let in while connections are reset: some of those who come back at once are refused.
const RESET: Duration = Duration::from_millis(200);

/// The keyspaces of which the truth is told.
pub(crate) fn all_keyspaces() -> Vec<&'static str> {
    let played = CLAIM_KEYSPACES.into_iter().chain(RECIPE_KEYSPACES);
    KEYSPACES.into_iter().chain(played).collect()
}

/// A cluster, and the nodes on it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) cluster: EtcdCluster,
    pub(crate) hosts: Option<Arc<Hosts>>,
    /// Before each member, on a leg that has them.
    pub(crate) gateways: Vec<Gateway>,
    proxies: Vec<GrpcProxy>,
    /// Before all members, on a leg that has it.
    balancer: Option<Balancer>,
    /// What lies in the keyspaces beside that which the clients touch.
    pub(crate) ballast: Option<Ballast>,
    /// Of each node, one to each member it knows, or to the balancer.
    pub(crate) doors: Vec<Vec<Proxy>>,
    pub(crate) nodes: Vec<Node>,
    /// The logs the nodes stand on.
    pub(crate) logs: Vec<EtcdLog>,
    pub(crate) recorder: Recorder,
    pub(crate) rng: fastrand::Rng,
    /// How long the calls of each node may take.
    deadlines: [Duration; NODES],
    pub(crate) login: Option<Login>,
    pub(crate) certificates: Option<Certificates>,
    /// Who takes and leaves locks, shares, permits and terms on the nodes.
    pub(crate) claimants: Option<Claimants>,
    /// A lease may have been ended before its time, by a member that took itself for the leader.
    pub(crate) in_doubt: Arc<AtomicBool>,
    /// What plays rivals: this package's `globe-faults`.
    pub(crate) program: PathBuf,
}

impl Site {
    /// Starts the members of a leg, and opens nodes on them.
    pub(crate) async fn open(leg: &Leg, hosts: Option<Arc<Hosts>>, seed: u64) -> Site {
        let certificates = leg.tls.then(Certificates::new);
        let builders = leg.members.iter().enumerate().map(|(index, version)| {
            let host = hosts.as_ref().map(|hosts| hosts.host(index));
            let builder = builder(leg, *version, host);
            match &certificates {
                Some(certificates) => builder.tls(certificates),
                None => builder,
            }
        });
        let mut cluster = EtcdCluster::start_all(builders.collect()).await;
        if let Some(login) = &leg.login {
            enable_auth(&mut cluster, login).await;
        }
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut deadlines = DEADLINES;
        rng.shuffle(&mut deadlines[PATIENT + 1..]);
        let mut site = Site {
            cluster,
            hosts,
            gateways: Vec::new(),
            proxies: Vec::new(),
            balancer: None,
            ballast: None,
            doors: Vec::new(),
            nodes: Vec::new(),
            logs: Vec::new(),
            recorder: Recorder::new(),
            rng,
            deadlines,
            login: leg.login,
            certificates,
            claimants: None,
            in_doubt: Arc::default(),
            program: PathBuf::new(),
        };
        site.put_before(leg.front).await;
        if leg.ballast > 0 {
            let source = &site.sources()[0];
            site.ballast = Some(Ballast::lay(leg.ballast, source, &site.recorder).await);
        }
        for node in 0..NODES {
            site.open_node(node, seed ^ node as u64).await;
        }
        site
    }

    /// Puts something before the members.
    async fn put_before(&mut self, front: Front) {
        if let Front::Balancer(dead) = front {
            let members = self.cluster.members().iter();
            let live = members.map(|member| Backend::Live(member.address()));
            let backends = dead.iter().copied().chain(live);
            self.balancer = Some(Balancer::start(backends.collect()).await);
        }
        for member in self.cluster.members() {
            let address = member.address();
            match front {
                Front::Nothing | Front::Balancer(_) => {}
                Front::Gateway => self.gateways.push(Gateway::start(address).await),
                Front::EtcdsProxy => {
                    let proxy = GrpcProxy::start(member.version(), &[address]).await;
                    self.proxies.push(proxy);
                }
            }
        }
    }

    /// Where a member is reached.
    fn front(&self, member: usize) -> SocketAddr {
        let gateway = self.gateways.get(member).map(Gateway::address);
        let proxy = self.proxies.get(member).map(GrpcProxy::address);
        let front = gateway.or(proxy);
        front.unwrap_or_else(|| self.cluster[member].address())
    }

    /// Where a node reaches the members it knows; behind a balancer, all at one address.
    fn known_to(&self, node: usize) -> Vec<SocketAddr> {
        if let Some(balancer) = &self.balancer {
            return vec![balancer.address()];
        }
        let is_last = node + 1 == NODES;
        let known = if is_last { 1 } else { self.members() };
        (0..known).map(|member| self.front(member)).collect()
    }

    /// Whether a node chooses by itself among all members. One behind a balancer does not: it may be led to dead ones for
    /// longer than a short lease lives.
    pub(crate) fn knows_all(&self, node: usize) -> bool {
        self.balancer.is_none() && node + 1 < NODES
    }

    async fn open_node(&mut self, node: usize, seed: u64) {
        let mut doors = Vec::new();
        for (index, address) in self.known_to(node).into_iter().enumerate() {
            doors.push(Proxy::to(address, seed ^ ((index as u64) << 8)).await);
        }
        let log = self.connect(&doors).await;
        let deadline = self.deadlines[node];
        let node = Node {
            first: open_map(&log, KEYSPACES[0], deadline).await,
            second: open_map(&log, KEYSPACES[1], deadline).await,
        };
        self.doors.push(doors);
        self.nodes.push(node);
        self.logs.push(log);
    }

    /// A log that goes through these doors.
    pub(crate) async fn connect(&self, doors: &[Proxy]) -> EtcdLog {
        let doors = doors
            .iter()
            .map(|door| format!("127.0.0.1:{}", door.port()));
        let mut log = EtcdLog::builder().endpoints(doors);
        if let Some(certificates) = &self.certificates {
            log = log.tls(Tls::new().ca_pem(certificates.authority.as_bytes()));
        }
        if let Some(login) = &self.login {
            log = log.user(login.user, login.password);
        }
        log.connect().await.expect("good settings")
    }

    /// How the members are listened to, each by itself and without a door.
    pub(crate) fn sources(&mut self) -> Vec<Source> {
        let login = self.login.map(|login| ("root".into(), login.root.into()));
        let authority = self.certificates.as_ref().map(|all| all.authority.clone());
        let members = self.cluster.members().iter().enumerate();
        members
            .map(|(index, member)| Source {
                name: format!("member {index}"),
                endpoint: member.endpoint(),
                login: login.clone(),
                authority: authority.clone(),
            })
            .collect()
    }

    /// How many more tasks and descriptors there may be after a round than before. Behind a balancer, each connection of a node
    /// is five descriptors of this process instead of three, and as many tasks more. Where members are cut off, each node has come
    /// to all of them in the end, for each purpose: it began with one, for two.
    pub(crate) fn under_way(&self) -> u64 {
        let (nodes, members) = (self.nodes.len() as u64, self.members() as u64);
        let all = TASKS * nodes * (3 * members).saturating_sub(2);
        match self.balancer {
            Some(_) => 2 * (UNDER_WAY + RENEWALS / 3),
            None => UNDER_WAY + RENEWALS.max(all),
        }
    }

    /// How many members there are.
    pub(crate) fn members(&self) -> usize {
        self.cluster.endpoints().len()
    }

    /// The hosts; a scenario that needs them is not run without.
    pub(crate) fn hosts(&self) -> &Hosts {
        self.hosts.as_ref().expect("hosts of their own")
    }

    /// Every door of every node.
    pub(crate) fn all_doors(&self) -> impl Iterator<Item = &Proxy> {
        self.doors.iter().flatten()
    }

    /// Every door to a member.
    pub(crate) fn doors_to(&self, member: usize) -> impl Iterator<Item = &Proxy> {
        self.doors.iter().filter_map(move |doors| doors.get(member))
    }

    /// Notes that something was broken.
    pub(crate) fn breaks(&self, what: impl Into<String>) {
        self.notes(what, Effect::Disturbs);
    }

    fn notes(&self, what: impl Into<String>, effect: Effect) {
        self.recorder.fault(what, effect);
        if let Some(claimants) = &self.claimants {
            claimants.look();
        }
    }

    /// Notes that this member reaches nobody, or nobody reaches it: the node that knows no other is cut off.
    pub(crate) fn loses(&self, member: usize, what: impl Into<String>) {
        let alone = u32::try_from(NODES - 1).unwrap_or(u32::MAX);
        let effect = match (member, &self.balancer) {
            (0, None) => Effect::CutsOff(alone),
            _ => Effect::Disturbs,
        };
        self.notes(what, effect);
    }

    /// Notes that this node learns of nothing.
    pub(crate) fn loses_node(&self, node: usize, what: impl Into<String>) {
        let node = u32::try_from(node).unwrap_or(u32::MAX);
        self.notes(what, Effect::CutsOff(node));
    }

    /// Notes that no node learns of anything.
    pub(crate) fn loses_all(&self, what: &str) {
        for node in 0..NODES as u32 {
            self.notes(what, Effect::CutsOff(node));
        }
    }

    /// Notes that all nodes can learn again. To be called before they can.
    pub(crate) fn mends(&self, what: &str) {
        for node in 0..NODES as u32 {
            self.recorder.fault(what, Effect::Reconnects(node));
        }
    }

    /// Resets every connection, and for a moment every new one.
    pub(crate) async fn reset_connections(&self) {
        self.all_doors().for_each(Proxy::cut);
        sleep(RESET).await;
        self.all_doors().for_each(Proxy::heal);
    }

    /// Lets the faulty world go on for a while: at least so long, at most half as long again.
    pub(crate) async fn lasts(&mut self, least: Duration) {
        sleep(least.mul_f64(1.0 + self.rng.f64() / 2.0)).await;
    }

    /// Mends whatever can be mended from here, and waits until the members answer.
    pub(crate) async fn heal(&mut self) {
        self.mends("mending");
        if let Some(certificates) = &self.certificates {
            self.cluster[0].show(&certificates.server);
        }
        self.all_doors().for_each(Proxy::heal);
        self.gateways.iter().for_each(Gateway::heal);
        if let Some(hosts) = &self.hosts {
            hosts.heal();
        }
        for member in self.cluster.members() {
            if member.is_running() {
                member.resume();
            } else {
                member.restart_unready();
            }
        }
        self.cluster.wait_ready().await;
    }
}

/// The user has what an ordinary one has: the keyspaces, and the place for Globe's own records.
async fn enable_auth(cluster: &mut EtcdCluster, login: &Login) {
    let users = [(login.user, login.password, ".globe/")];
    cluster.enable_auth(login.root, &users).await;
    for keyspace in all_keyspaces().into_iter().chain([SESSIONS]) {
        let prefix = format!("{keyspace}/");
        let words = ["role", "grant-permission", login.user, "readwrite", &prefix];
        let words = [&words[..], &["--prefix=true"]].concat();
        cluster[0].etcdctl(&words).await;
    }
}

fn builder(
    leg: &Leg,
    version: EtcdVersion,
    host: Option<&globe_test_support::netns::Host>,
) -> EtcdBuilder {
    let mut builder = EtcdServer::builder(version);
    for flag in leg.flags {
        builder = builder.flag(*flag);
    }
    if let Some(size) = leg.disk {
        builder = builder.small_disk(size);
    }
    match host {
        Some(host) => builder.on(host),
        None => builder,
    }
}

async fn open_map(log: &EtcdLog, keyspace: &str, deadline: Duration) -> Map {
    let map = Globe::builder(log.clone(), keyspace).deadline(deadline);
    map.open().await.expect("a healthy cluster")
}
