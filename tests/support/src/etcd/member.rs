//! A server's place in its cluster, be it the only one there: its name, its address, its ports.
//!
//! Never starts anything.

use std::net::{Ipv4Addr, SocketAddr};

use crate::port::free_port;

/// Where a server stands, and with whom.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    address: Ipv4Addr,
    client_port: u16,
    peer_port: u16,
    /// `name=peer-url` of every member, with commas.
    pub(crate) cluster: String,
    /// It comes to a cluster that is there already.
    pub(crate) joins: bool,
}

impl Member {
    /// The only one of its cluster, until it is told of others.
    pub(crate) fn alone(name: impl Into<String>, address: Ipv4Addr) -> Member {
        let mut member = Member {
            name: name.into(),
            address,
            client_port: free_port(),
            peer_port: free_port(),
            cluster: String::new(),
            joins: false,
        };
        member.cluster = member.listed();
        member
    }

    /// One of several: these, with commas.
    pub(crate) fn among(mut self, listed: &str) -> Member {
        listed.clone_into(&mut self.cluster);
        self
    }

    /// As lists of members name it.
    pub(crate) fn listed(&self) -> String {
        format!("{}={}", self.name, self.peer_url())
    }

    /// Where the other members reach it.
    pub(crate) fn peer_url(&self) -> String {
        format!("http://{}:{}", self.address, self.peer_port)
    }

    /// Where clients reach it.
    pub(crate) fn client_address(&self) -> SocketAddr {
        (self.address, self.client_port).into()
    }
}
