//! Tokens, passwords and roles that change under those who use them.
//!
//! The servers themselves are well.

use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use globe_test_support::Proxy;
use tokio::time::sleep;

use crate::site::Site;

/// Longer than a token lives.
const WHILE: Duration = Duration::from_secs(4);

/// Connections that are made anew after the token has gone, and some that are not.
pub(crate) async fn tokens_expire(site: &mut Site) {
    for _ in 0..2 {
        site.breaks("the tokens expire");
        sleep(WHILE).await;
        site.breaks("connections are reset");
        site.reset_connections().await;
    }
}

pub(crate) async fn password_changes(site: &mut Site) {
    let login = site.login.expect("a leg with users");
    for password in ["another", login.password] {
        site.breaks("the password is changed");
        let options = ConnectOptions::new().with_user("root", login.root);
        let endpoint = site.cluster[0].endpoint();
        let client = Client::connect([endpoint], Some(options)).await;
        let mut users = client.expect("root logs in").auth_client();
        let changed = users.user_change_password(login.user, password).await;
        changed.expect("root may do that");
        site.reset_connections().await;
        sleep(WHILE).await;
    }
}

pub(crate) async fn role_is_taken(site: &mut Site) {
    let user = site.login.expect("a leg with users").user;
    site.breaks("the role is taken");
    let member = &site.cluster[0];
    member.etcdctl(&["user", "revoke-role", user, user]).await;
    sleep(WHILE).await;
    site.breaks("connections are reset");
    site.all_doors().for_each(Proxy::cut);
    site.all_doors().for_each(Proxy::heal);
    sleep(WHILE).await;
    let member = &site.cluster[0];
    member.etcdctl(&["user", "grant-role", user, user]).await;
    sleep(WHILE).await;
}

/// Whoever connects anew is shown a certificate that is out of date; who is connected stays so.
pub(crate) async fn certificate_expires(site: &mut Site) {
    let certificates = site.certificates.clone().expect("a leg with TLS");
    site.breaks("the server's certificate has expired");
    site.cluster[0].show(&certificates.expired_server);
    sleep(WHILE / 2).await;
    site.loses_all("every connection is reset");
    site.reset_connections().await;
    sleep(WHILE).await;
    site.mends("the server has a certificate again");
    site.cluster[0].show(&certificates.server);
    sleep(WHILE / 2).await;
}
