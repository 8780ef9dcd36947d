//! What a server counts, and what this process holds open to it.
//!
//! Never goes through the client under test.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::etcd::EtcdServer;
use crate::usage;

impl EtcdServer {
    /// The sum of a metric over all its labels, or over those that hold `label`.
    ///
    /// # Panics
    /// When the server cannot be asked.
    pub async fn metric(&self, name: &str, label: &str) -> f64 {
        self.counted().await.sum(name, label)
    }

    /// All its metrics at one moment.
    ///
    /// # Panics
    /// When the server cannot be asked.
    pub async fn counted(&self) -> Counted {
        Counted(self.metrics().await.expect("the metrics page"))
    }

    /// What its process has taken of the processors since its start, to the nanosecond: the metrics page counts in ticks of
    /// ten milliseconds.
    ///
    /// # Panics
    /// Where there is no `/proc`, or it does not say.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        usage::processor_time(self.pid())
    }

    /// How much of the memory its process has, in bytes, with what of its files lies in memory.
    ///
    /// # Panics
    /// Where there is no `/proc`.
    #[must_use]
    pub fn resident_memory(&self) -> u64 {
        usage::memory(self.pid(), "VmRSS")
    }

    async fn metrics(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).await?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await?;
        Ok(page)
    }
}

/// What a server had counted at one moment.
#[derive(Debug)]
pub struct Counted(String);

impl Counted {
    /// The sum of a metric over all its labels, or over those that hold `label`.
    #[must_use]
    pub fn sum(&self, name: &str, label: &str) -> f64 {
        let lines = self.0.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            let labels = key.strip_prefix(name)?;
            let is_it = labels.is_empty() || labels.starts_with('{');
            (is_it && labels.contains(label)).then(|| value.parse::<f64>().ok())?
        });
        lines.sum()
    }
}

/// How many connections this process has established to a port of 127.0.0.1.
///
/// # Panics
/// Where there is no `/proc`.
#[must_use]
pub fn connections_to(port: u16) -> usize {
    let ours: HashSet<String> = std::fs::read_dir("/proc/self/fd")
        .expect("/proc")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let link = link.to_str()?.strip_prefix("socket:[")?;
            Some(link.trim_end_matches(']').to_owned())
        })
        .collect();
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("/proc");
    let remote = format!(":{port:04X}");
    let is_ours = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (Some(to), Some(state), Some(inode)) = (fields.get(2), fields.get(3), fields.get(9))
        else {
            return false;
        };
        to.ends_with(&remote) && *state == "01" && ours.contains(*inode)
    };
    table.lines().filter(is_ours).count()
}
