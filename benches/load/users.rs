//! A server that asks who one is, and those it knows.
//!
//! It measures nothing.

use etcd_client::{Client, ConnectOptions};
use globe::{EtcdLog, Globe, Result};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::time::Duration;

use crate::Numbers;

pub(crate) type User = (&'static str, &'static str);

/// An ordinary user, who may use what begins with `app/` and nothing else; and who may do everything.
pub(crate) const APP: User = ("app", "app-secret");
pub(crate) const ROOT: User = ("root", "root-secret");

/// How long a map may take to open, or a bare client to log in, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn guarded(flags: &[&str]) -> EtcdServer {
    let builder = EtcdServer::builder(EtcdVersion::Reference);
    let builder = flags
        .iter()
        .fold(builder, |builder, flag| builder.flag(*flag));
    let mut server = builder.start().await;
    server.enable_auth(ROOT.1, &[(APP.0, APP.1, "app/")]).await;
    server
}

pub(crate) fn url_of(user: User, server: &EtcdServer) -> String {
    let (name, password) = user;
    format!("etcd://{name}:{password}@{}/app", server.address())
}

/// The map of a client with a connection and a login of its own.
pub(crate) async fn map_at(url: String) -> Result<Numbers> {
    let opening = Globe::builder(EtcdLog::from_url(&url).await?, "flags");
    opening.open_timeout(PATIENCE).open().await
}

pub(crate) async fn bare(user: User, endpoint: &str) -> Result<Client, etcd_client::Error> {
    let (name, password) = user;
    let options = ConnectOptions::new().with_user(name, password);
    Client::connect([endpoint], Some(options)).await
}
