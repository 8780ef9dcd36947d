//! Clients of an ordinary user, beside clients of root: the newest servers tell the former less.
//!
//! Nothing of theirs is written while they are measured.

use etcd_client::{Txn, TxnOp};
use globe_bench::{Target, key, report};

use crate::Done;
use crate::cost::{Load, Who, a_while};
use crate::neighbour::Neighbour;
use crate::users::{APP, ROOT, bare, guarded, map_at, url_of};

/// How many clients of a user follow a keyspace, and how large it is.
const CLIENTS: usize = 10;
const KEYS: usize = 10_000;

/// Clients of an ordinary user beside clients of root, beside a neighbour that makes all of them ask.
pub(crate) async fn compare() -> Done {
    let server = guarded(&[]).await;
    let mut client = bare(ROOT, &server.endpoint()).await?;
    let numbers: Vec<usize> = (0..KEYS).collect();
    for numbers in numbers.chunks(100) {
        let names = numbers
            .iter()
            .map(|number| format!("app/flags/{}", key(*number)));
        let puts = names.map(|name| TxnOp::put(name, "1", None));
        client
            .txn(Txn::new().and_then(puts.collect::<Vec<_>>()))
            .await?;
    }
    let neighbour = Neighbour::start(client);
    let open = async |who| {
        let user = match who {
            Who::Peer => ROOT,
            Who::Ours => APP,
        };
        let mut maps = Vec::new();
        for _ in 0..CLIENTS {
            let map = map_at(url_of(user, &server)).await?;
            if map.len() != KEYS {
                return Err(format!("{} entries of {KEYS}", map.len()).into());
            }
            maps.push(map);
        }
        Ok(maps)
    };
    let load = Load::measure(&server, open).await?;
    neighbour.stop()?;
    let report = |what: &str, turns| {
        let figure = format!(
            "{what} in {} s for {CLIENTS} clients of an ordinary user that follow {KEYS} keys while a neighbour puts 50 times a second, beside clients of root",
            a_while().as_secs()
        );
        report(&figure, turns, Target::Times(1.2));
    };
    report("what etcd is sent", &load.messages);
    report("all of etcd's processor time", &load.processor);
    Ok(())
}
