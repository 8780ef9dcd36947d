//! A member that was started: asked to stop, or killed.
//!
//! Never outlives whoever started it.

use std::env;
use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::place::{KEYSPACE, LOG, PARENT};
use crate::role::Running;
use crate::story::Outcome;

/// How long a member may take to leave.
const LEAVING: Duration = Duration::from_secs(20);

/// A member that runs. Dropped, it is killed.
pub struct Member {
    body: Body,
}

enum Body {
    Process(Child),
    Thread {
        /// Taken when it is killed.
        runtime: Option<Runtime>,
        running: JoinHandle<Outcome>,
        stop: CancellationToken,
    },
}

impl Member {
    /// This very program once more, in another role.
    pub(crate) fn process(role: &str, name: &str, url: &str, keyspace: &str) -> Outcome<Member> {
        let mut command = Command::new(env::current_exe()?);
        command.args([role, name]).stdin(Stdio::null());
        command.env(LOG, url).env(KEYSPACE, keyspace);
        command.env(PARENT, std::process::id().to_string());
        let body = Body::Process(command.kill_on_drop(true).spawn()?);
        Ok(Member { body })
    }

    /// A runtime of its own, so that it can be killed: then nothing of it runs any more, as in a process that dies.
    pub(crate) fn thread(run: impl FnOnce(CancellationToken) -> Running) -> Outcome<Member> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let stop = CancellationToken::new();
        let body = Body::Thread {
            running: runtime.spawn(run(stop.clone())),
            runtime: Some(runtime),
            stop,
        };
        Ok(Member { body })
    }

    /// Asks it to stop (SIGTERM), and waits until it has left.
    ///
    /// # Errors
    /// If it fails, or does not end within 20 s.
    pub async fn stop(mut self) -> Outcome {
        let left = async {
            match &mut self.body {
                Body::Process(child) => {
                    terminate(child).await?;
                    let status = child.wait().await?;
                    match status.success() {
                        true => Ok(()),
                        false => Err(format!("a member ended with {status}").into()),
                    }
                }
                Body::Thread { running, stop, .. } => {
                    stop.cancel();
                    running.await?
                }
            }
        };
        timeout(LEAVING, left).await?
    }

    /// Kills it (SIGKILL): it has no chance to say anything.
    ///
    /// # Errors
    /// If there is no such process.
    pub async fn kill(mut self) -> Outcome {
        if let Body::Process(child) = &mut self.body {
            child.kill().await?;
        }
        Ok(())
    }
}

#[cfg(unix)]
async fn terminate(child: &Child) -> Outcome {
    let id = child.id().ok_or("a member has ended by itself")?;
    let mut kill = Command::new("kill");
    kill.args(["-s", "TERM", &id.to_string()]);
    match kill.status().await?.success() {
        true => Ok(()),
        false => Err("a member could not be told to stop".into()),
    }
}

#[cfg(not(unix))]
async fn terminate(_: &Child) -> Outcome {
    Err("a process can only be asked to stop where there is SIGTERM".into())
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Body::Thread { runtime, .. } = &mut self.body
            && let Some(runtime) = runtime.take()
        {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.body {
            Body::Process(_) => "Member(process)",
            Body::Thread { .. } => "Member(thread)",
        })
    }
}
