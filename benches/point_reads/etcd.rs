//! A server of etcd's that is asked for each read, as one asks it by hand: linearizable, and serializable.
//!
//! Each reader has a connection of its own, and runs it on its own thread.

use std::sync::Arc;

use etcd_client::{Client, GetOptions, Txn, TxnOp};
use globe_bench::key;
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::runtime::{Builder, Runtime};

use crate::subject::{Done, Read, Subject, Walk, reading};

/// How many puts a transaction of etcd's takes.
const PUTS: usize = 128;

/// How its readers ask.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ask {
    Linearizable,
    Serializable,
}

/// The server, asked in one way.
pub(crate) struct Etcd {
    server: Arc<EtcdServer>,
    ask: Ask,
    runtime: Runtime,
    client: Client,
    keys: Arc<Vec<String>>,
    writes: Walk<String>,
    count: u64,
}

impl Etcd {
    /// Both ways to ask one server, which is filled.
    pub(crate) fn filled(runtime: &Runtime, keys: &Arc<Vec<String>>) -> Done<[Etcd; 2]> {
        let server = runtime.block_on(EtcdServer::start(EtcdVersion::Reference));
        let server = Arc::new(server);
        let mut first = Etcd::asked(&server, Ask::Linearizable, keys)?;
        let numbers: Vec<usize> = (0..keys.len()).collect();
        for numbers in numbers.chunks(PUTS) {
            let put = |number: &usize| TxnOp::put(key(*number), number.to_string(), None);
            let puts: Vec<TxnOp> = numbers.iter().map(put).collect();
            let commit = first.client.txn(Txn::new().and_then(puts));
            first.runtime.block_on(commit)?;
        }
        let second = Etcd::asked(&server, Ask::Serializable, keys)?;
        Ok([first, second])
    }

    fn asked(server: &Arc<EtcdServer>, ask: Ask, keys: &Arc<Vec<String>>) -> Done<Etcd> {
        let (runtime, client) = connect(server)?;
        Ok(Etcd {
            server: Arc::clone(server),
            ask,
            runtime,
            client,
            keys: Arc::clone(keys),
            writes: Walk::from(keys, 0),
            count: 0,
        })
    }
}

fn connect(server: &EtcdServer) -> Done<(Runtime, Client)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let client = runtime.block_on(Client::connect([server.endpoint()], None))?;
    Ok((runtime, client))
}

impl Subject for Etcd {
    fn name(&self) -> &'static str {
        match self.ask {
            Ask::Linearizable => "etcd, linearizable",
            Ask::Serializable => "etcd, serializable",
        }
    }

    fn reader(&self, place: usize) -> Done<Read> {
        let (runtime, mut client) = connect(&self.server)?;
        let walk = Walk::from(&self.keys, place);
        let is_serializable = self.ask == Ask::Serializable;
        Ok(reading(walk, move |key| {
            let options = is_serializable.then(|| GetOptions::new().with_serializable());
            let answer = runtime.block_on(client.get(key.as_str(), options)).ok()?;
            let value = answer.kvs().first()?.value_str().ok()?;
            value.parse::<u64>().ok().map(Arc::new)
        }))
    }

    fn batch(&self) -> usize {
        1
    }

    fn write(&mut self) -> Done {
        self.count += 1;
        let put = self
            .client
            .put(self.writes.next().as_str(), self.count.to_string(), None);
        self.runtime.block_on(put)?;
        Ok(())
    }

    fn shown(&self) -> u64 {
        self.count
    }
}
