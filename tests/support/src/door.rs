//! A port of this machine where connections are taken, each to be served by whoever opened it.
//!
//! Never looks into what is said on a connection.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Closed when dropped, with every connection that came through it.
#[derive(Debug)]
pub(crate) struct Door {
    port: u16,
    open: JoinHandle<()>,
}

impl Door {
    /// Opens any free port. `serve` is called for each connection, in the order they come in.
    pub(crate) async fn open<F>(mut serve: impl FnMut(TcpStream) -> F + Send + 'static) -> Door
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let open = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(serve(client));
            }
        });
        Door { port, open }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.open.abort();
    }
}
