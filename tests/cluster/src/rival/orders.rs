//! What a rival is told when it starts: whom to reach, how, and as whom.
//!
//! It reaches nobody.

use globe::EtcdLog;
use globe_etcd::Tls;
use serde::{Deserialize, Serialize};

use super::ORDERS;
use crate::site::Site;

/// Travels as JSON in a variable of the process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) name: String,
    endpoints: Vec<String>,
    login: Option<(String, String)>,
    authority: Option<String>,
}

impl Orders {
    pub(super) fn new(site: &mut Site, name: &str) -> Orders {
        let login = site.login;
        let sources = site.sources();
        Orders {
            name: name.to_owned(),
            endpoints: sources.iter().map(|it| it.endpoint.clone()).collect(),
            login: login.map(|login| (login.user.into(), login.password.into())),
            authority: sources[0].authority.clone(),
        }
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("words")
    }

    /// Those of this process.
    pub(super) fn mine() -> Orders {
        let text = std::env::var(ORDERS).expect("a rival is started by a round");
        serde_json::from_str(&text).expect("orders")
    }

    pub(super) async fn connect(&self) -> EtcdLog {
        let mut log = EtcdLog::builder().endpoints(&self.endpoints);
        if let Some(authority) = &self.authority {
            log = log.tls(Tls::new().ca_pem(authority.as_bytes()));
        }
        if let Some((user, password)) = &self.login {
            log = log.user(user, password);
        }
        log.connect().await.expect("good settings")
    }
}
