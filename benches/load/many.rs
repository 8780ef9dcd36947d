//! Many maps of one process, beside one.
//!
//! Nobody writes to them while they are measured.

use etcd_client::Client;
use globe_bench::{Target, report};
use globe_test_support::{EtcdServer, EtcdVersion};

use crate::cost::{Load, Who, a_while};
use crate::neighbour::Neighbour;
use crate::{Done, Numbers};

/// How many maps of one process are beside one.
const MAPS: usize = 100;

/// A hundred maps beside one, each connected by the same URL, with an entry of its own.
pub(crate) async fn compare() -> Done {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let url = server.url();
    let open = async |who| {
        let mut maps = Vec::new();
        let count = match who {
            Who::Peer => 1,
            Who::Ours => MAPS,
        };
        for number in 0..count {
            let map = Numbers::connect(&url, &format!("map-{number}")).await?;
            map.put("key", 1).await?;
            maps.push(map);
        }
        Ok(maps)
    };
    let seconds = a_while().as_secs();
    let report = |what: &str, beside: &str, turns| {
        let figure = format!(
            "{what} in {seconds} s for {MAPS} maps of one process that nobody writes to, {beside}beside one"
        );
        report(&figure, turns, Target::Times(1.5));
    };
    let load = Load::measure(&server, open).await?;
    report("what etcd is sent", "", &load.messages);
    report("all of etcd's processor time", "", &load.processor);
    let neighbour = Neighbour::start(Client::connect([server.endpoint()], None).await?);
    let load = Load::measure(&server, open).await?;
    neighbour.stop()?;
    let busy = "while a neighbour puts 50 times a second, ";
    report("what etcd is sent", busy, &load.messages);
    report("all of etcd's processor time", busy, &load.processor);
    Ok(())
}
