//! The words a server is started with.
//!
//! Never starts one.

use super::EtcdServer;

impl EtcdServer {
    pub(super) fn flags(&self) -> Vec<String> {
        let mut flags = self.place();
        if !self.is_told_of("--heartbeat-interval") {
            let quick = ["--heartbeat-interval=20", "--election-timeout=200"];
            flags.extend(quick.map(String::from));
        }
        let dir = self.dir.path().display().to_string();
        if self.settings.tls.is_some() {
            flags.push(format!("--cert-file={dir}/server.crt"));
            flags.push(format!("--key-file={dir}/server.key"));
        }
        if self.settings.wants_client_certificate {
            flags.push(format!("--trusted-ca-file={dir}/ca.crt"));
            flags.push("--client-cert-auth".into());
        }
        let arguments = self.settings.arguments.iter();
        flags.extend(arguments.map(|flag| flag.replace("@DIR", &dir)));
        flags
    }

    fn is_told_of(&self, flag: &str) -> bool {
        let mut arguments = self.settings.arguments.iter();
        arguments.any(|argument| argument.starts_with(flag))
    }

    /// Where it stands, and what every server here is told.
    fn place(&self) -> Vec<String> {
        let (client, peer) = (self.endpoint(), self.member.peer_url());
        let state = match self.member.joins {
            true => "existing",
            false => "new",
        };
        vec![
            format!("--name={}", self.member.name),
            format!("--data-dir={}", self.data_dir().display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster={}", self.member.cluster),
            format!("--initial-cluster-state={state}"),
            "--initial-cluster-token=globe".into(),
            "--log-level=warn".into(),
            // Passwords here are no secrets: checking one need not take long.
            "--bcrypt-cost=4".into(),
            "--logger=zap".into(),
        ]
    }
}
