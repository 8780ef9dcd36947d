//! The clusters scenarios are played on.
//!
//! It starts nothing.

use globe_test_support::EtcdVersion;
use globe_test_support::EtcdVersion::{Reference, V3_4_23, V3_5_16};

use crate::site::Login;

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
    /// What stands before each member.
    pub(crate) front: Front,
}

/// What stands between the nodes and a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    Nothing,
    Gateway,
    EtcdsProxy,
}

/// An ordinary user: of three prefixes, and of nothing else.
const ORDINARY_USER: Login = Login {
    user: "app",
    password: "app-password",
    root: "root-password",
};

const fn leg(name: &'static str, members: &'static [EtcdVersion]) -> Leg {
    Leg {
        name,
        members,
        flags: &[],
        disk: None,
        login: None,
        tls: false,
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
