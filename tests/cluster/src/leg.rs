//! The clusters scenarios are played on.
//!
//! It starts nothing.

use globe_test_support::EtcdVersion::{Reference, V3_4_23, V3_5_16};
use globe_test_support::{Backend, EtcdVersion};

/// What a cluster is made of.
#[derive(Debug)]
pub struct Leg {
    /// How it is called.
    pub name: &'static str,
    pub(crate) members: &'static [EtcdVersion],
    pub(crate) flags: &'static [&'static str],
    /// The size of each member's disk, if it is a small one.
    pub(crate) disk: Option<&'static str>,
    pub(crate) login: Option<Login>,
    pub(crate) tls: bool,
    /// How many further entries lie in each keyspace.
    pub(crate) ballast: usize,
    /// What the nodes reach instead of the members.
    pub(crate) front: Front,
}

/// What stands between the nodes and the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    Nothing,
    /// One before each.
    Gateway,
    /// One before each.
    EtcdsProxy,
    /// One before all of them, with these dead backends more.
    Balancer(&'static [Backend]),
}

/// Who the nodes log in as, and who may do everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    pub(crate) root: &'static str,
}

/// An ordinary user: of the prefixes of its maps, and of nothing else.
const ORDINARY_USER: Login = Login {
    user: "app",
    password: "app-password",
    root: "root-password",
};

/// So many entries that a snapshot is read in several pages, and a map has something to compare.
const BALLAST: usize = 100_000;

const fn leg(name: &'static str, members: &'static [EtcdVersion]) -> Leg {
    Leg {
        name,
        members,
        flags: &[],
        disk: None,
        login: None,
        tls: false,
        ballast: 0,
        front: Front::Nothing,
    }
}

/// Three of the reference.
pub(crate) static THREE: Leg = leg("3 × 3.5.30", &[Reference; 3]);
/// With the timers etcd has by default; the others elect five times as fast, so that rounds are short.
pub(crate) static PATIENT: Leg = Leg {
    flags: &["--heartbeat-interval=100", "--election-timeout=1000"],
    ..leg("3 × 3.5.30, default timers", &[Reference; 3])
};
/// An older one among them.
pub(crate) static MIXED: Leg = leg("3.5.16 + 2 × 3.5.30", &[V3_5_16, Reference, Reference]);
/// The oldest, alone.
pub(crate) static OLD: Leg = leg("3.4.23", &[V3_4_23]);
/// The reference, alone.
pub(crate) static ONE: Leg = leg("3.5.30", &[Reference]);
/// With room for little.
pub(crate) static FULL: Leg = Leg {
    flags: &["--quota-backend-bytes=4194304"],
    ..leg("3.5.30, 4 MiB quota", &[Reference])
};
/// On a disk for little. Its log alone takes 64 MB.
pub(crate) static SMALL: Leg = Leg {
    disk: Some("150m"),
    ..leg("3.5.30, 150 MB disk", &[Reference])
};
/// Asks who one is, every two seconds.
pub(crate) static AUTH: Leg = Leg {
    flags: &["--auth-token-ttl=2"],
    login: Some(ORDINARY_USER),
    ..leg("3.5.30, users", &[Reference])
};
/// Three that tell an ordinary user neither their version nor their term.
pub(crate) static ORDINARY: Leg = Leg {
    login: Some(ORDINARY_USER),
    ..leg("users, 3 × 3.5.30", &[Reference; 3])
};
/// Behind a gateway that speaks HTTP/2 itself.
pub(crate) static GATEWAY: Leg = Leg {
    front: Front::Gateway,
    ..leg("gateway, 3.5.30", &[Reference])
};
/// Each behind etcd's own proxy.
pub(crate) static PROXIED: Leg = Leg {
    front: Front::EtcdsProxy,
    ..leg("grpc-proxy, 3.5.30", &[Reference])
};
/// Speaks TLS only.
pub(crate) static TLS: Leg = Leg {
    tls: true,
    ..leg("3.5.30, TLS", &[Reference])
};
/// Its snapshots are long.
pub(crate) static LOADED: Leg = Leg {
    ballast: BALLAST,
    ..leg("100,000 keys, 3 × 3.5.30", &[Reference; 3])
};
/// And so are those of the oldest.
pub(crate) static OLD_LOADED: Leg = Leg {
    ballast: BALLAST,
    ..leg("100,000 keys, 3.4.23", &[V3_4_23])
};
/// And those of an ordinary user.
pub(crate) static ORDINARY_LOADED: Leg = Leg {
    ballast: BALLAST,
    login: Some(ORDINARY_USER),
    ..leg("100,000 keys, users, 3 × 3.5.30", &[Reference; 3])
};
/// Two versions, which speak TLS only, behind one address.
pub(crate) static BALANCED: Leg = Leg {
    tls: true,
    front: Front::Balancer(&[]),
    ..leg("balancer, TLS, 3.5.16 + 2 × 3.5.30", MIXED.members)
};
/// Every fourth connection leads to nobody.
pub(crate) static HALF_BALANCED: Leg = Leg {
    tls: true,
    front: Front::Balancer(&[Backend::Resets]),
    ..leg(
        "balancer with a dead backend, TLS, 3.5.16 + 2 × 3.5.30",
        MIXED.members,
    )
};
