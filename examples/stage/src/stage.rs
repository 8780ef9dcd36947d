//! A log, a keyspace of this run alone, and whoever is started on it.
//!
//! Never touches another keyspace, and leaves nothing in its own.

use std::env;
use std::sync::Arc;

use globe::{Globe, LogClient};

use crate::member::Member;
use crate::place::{LOG, Place};
use crate::role::Role;
use crate::story::Outcome;

/// Where a story takes place.
#[derive(Debug)]
pub struct Stage {
    url: String,
    keyspace: String,
    log: Arc<dyn LogClient>,
}

impl Stage {
    /// On the log of `GLOBE_LOG`, or on one inside this process.
    ///
    /// # Errors
    /// If no such log is known.
    pub async fn open(name: &str) -> Outcome<Stage> {
        let url = env::var(LOG).unwrap_or_else(|_| "memory:".to_owned());
        Ok(Stage {
            log: globe::connect(&url).await?,
            keyspace: format!("example-{name}-{:x}", fastrand::u64(..)),
            url,
        })
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> Arc<dyn LogClient> {
        Arc::clone(&self.log)
    }

    /// The keyspace of this run.
    #[must_use]
    pub fn keyspace(&self) -> &str {
        &self.keyspace
    }

    /// Whether members are processes of their own: a log inside this process is shared by none other.
    #[must_use]
    pub fn has_processes(&self) -> bool {
        !self.url.starts_with("memory:")
    }

    /// What the members are, in words.
    #[must_use]
    pub fn describes_itself(&self) -> String {
        match self.has_processes() {
            true => format!("Each member is a process of its own, on {}.", self.url),
            false => {
                "Each member has a runtime of its own in this one process, on a log inside it.\n\
                With processes, on a server: GLOBE_LOG=etcd://127.0.0.1:2379 and --features etcd."
                    .to_owned()
            }
        }
    }

    /// Starts a member.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&self, role: Role, name: &str) -> Outcome<Member> {
        if self.has_processes() {
            return Member::process(role.name, name, &self.url, &self.keyspace);
        }
        Member::thread(|stop| {
            (role.run)(Place {
                log: self.log(),
                keyspace: self.keyspace.clone(),
                name: name.to_owned(),
                stop,
            })
        })
    }

    /// Deletes what this run wrote, in the keyspaces that are named by what follows its own.
    ///
    /// # Errors
    /// As every write.
    pub async fn clear(&self, endings: &[&str]) -> Outcome {
        for ending in endings {
            let keyspace = format!("{}{ending}", self.keyspace);
            let all: Globe<String, serde_json::Value> = Globe::open(self.log(), &keyspace).await?;
            all.clear().await?;
        }
        Ok(())
    }
}
