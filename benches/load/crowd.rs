//! Many clients with passwords whose server forgot them, beside as many bare logins.
//!
//! It never takes a proof of the old server's for one of the new one's.

use globe::Phase;
use globe_bench::{Target, Turns, either, report};
use globe_test_support::EtcdServer;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use crate::users::{APP, PATIENCE, ROOT, bare, guarded, map_at, url_of};
use crate::{Done, Numbers, ROUNDS};

/// How many clients log in at once, and what a check of a password costs by default: some 50 ms of a core.
const CROWD: usize = 200;
const COSTLY: &str = "--bcrypt-cost=10";

/// After how many commits a server makes a snapshot. It begins its next life with that, and replays what came later, logins
/// as well: only tokens that are older are gone with it.
const SNAPSHOT: usize = 100;

/// How many clients are opened at once.
const AT_ONCE: usize = 8;

/// How many times as long as bare logins took the clients of a restarted server are waited for: more than the target, so
/// that who is given up never meets it.
const LONGEST: u32 = 3;

/// How soon a bare client that could not dial tries again.
const AGAIN: Duration = Duration::from_millis(20);

/// From the end of a server until all its clients are live at the next one, beside bare logins at such a one.
pub(crate) async fn compare() -> Done {
    let snapshot = format!("--snapshot-count={SNAPSHOT}");
    let mut server = guarded(&[COSTLY, &snapshot]).await;
    let mut turns = Turns::default();
    for _ in 0..either(ROUNDS, 1) {
        let gone = restart(&mut server);
        log_in(&server.endpoint()).await?;
        let peer = gone.elapsed();
        let maps = crowd_of(&server).await?;
        age_tokens(&server).await?;
        let gone = restart(&mut server);
        let ours = follow_again(&maps, gone, peer * LONGEST).await;
        turns.push(ours, peer);
        if ours < peer * LONGEST && logins(&server).await < CROWD as f64 {
            return Err("the tokens of the clients outlived their server".into());
        }
        for map in maps {
            map.close().await;
        }
    }
    let figure = format!(
        "from the end of a server until {CROWD} clients with passwords are live at the next (given up after {LONGEST} times as long), beside as many bare logins of etcd-client"
    );
    report(&figure, &turns, Target::Times(2.0));
    Ok(())
}

/// How often somebody began to log in since the server was started.
async fn logins(server: &EtcdServer) -> f64 {
    let name = "grpc_server_started_total";
    server.metric(name, "grpc_method=\"Authenticate\"").await
}

/// Restarts a server, without waiting for it; when the old one was gone.
fn restart(server: &mut EtcdServer) -> Instant {
    server.kill();
    let gone = Instant::now();
    server.restart_unready();
    gone
}

async fn log_in(endpoint: &str) -> Done {
    let mut logins = JoinSet::new();
    for _ in 0..CROWD {
        let endpoint = endpoint.to_owned();
        logins.spawn(async move {
            let begun = Instant::now();
            loop {
                match bare(APP, &endpoint).await {
                    Ok(client) => break Ok(client),
                    Err(error) if begun.elapsed() > PATIENCE => break Err(error),
                    Err(_) => sleep(AGAIN).await,
                }
            }
        });
    }
    for client in logins.join_all().await {
        client?;
    }
    Ok(())
}

/// Commits so much that every token of the present is older than a snapshot.
async fn age_tokens(server: &EtcdServer) -> Done {
    let mut client = bare(ROOT, &server.endpoint()).await?;
    for _ in 0..3 * SNAPSHOT {
        client.put("neighbour", "1", None).await?;
    }
    Ok(())
}

/// A few at a time, so that the server can keep up.
async fn crowd_of(server: &EtcdServer) -> Done<Vec<Numbers>> {
    let url = url_of(APP, server);
    let mut maps = Vec::new();
    while maps.len() < CROWD {
        let opening: JoinSet<_> = (0..AT_ONCE).map(|_| map_at(url.clone())).collect();
        for map in opening.join_all().await {
            maps.push(map?);
        }
    }
    Ok(maps)
}

/// How long it takes until every map is live by an answer to a question it asked after the old server was gone.
async fn follow_again(maps: &[Numbers], gone: Instant, longest: Duration) -> Duration {
    let follows = |map: &Numbers| {
        let status = map.status();
        let is_new = status.staleness.is_some_and(|age| age < gone.elapsed());
        status.phase == Phase::Live && is_new
    };
    while !maps.iter().all(follows) && gone.elapsed() < longest {
        sleep(Duration::from_millis(5)).await;
    }
    gone.elapsed()
}
