//! A balancer of tower over the members of a registry.
//!
//! Never on a paused clock where there are sockets: the little services are real ones.

use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::{Stream, StreamExt};
use globe::registry::{Discovery, Member, Registration, State};
use globe::{Globe, LogClient, MemoryLog, Registry, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::balance::p2c::Balance;
use tower::discover::Change;
use tower::load::{CompleteOnResponse, PendingRequestsDiscover};
use tower::{Service, ServiceExt, service_fn};

use crate::rig::{until, within, write_raw};
use crate::{SERVICE, two};

/// A service that answers every connection with its name.
async fn little_service(name: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.write_all(name.as_bytes()).await;
        }
    });
    address
}

async fn ask(address: String) -> io::Result<String> {
    let (mut socket, mut answer) = (TcpStream::connect(address).await?, String::new());
    socket.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Asks so often through a balancer; how often each has answered.
async fn answers<B>(balance: &mut B, times: usize) -> BTreeMap<String, usize>
where
    B: Service<(), Response = String>,
    B::Error: std::fmt::Debug,
{
    let mut answers = BTreeMap::new();
    for _ in 0..times {
        let ready = timeout(Duration::from_secs(30), balance.ready()).await;
        let answer = ready.unwrap().unwrap().call(()).await.unwrap();
        *answers.entry(answer).or_default() += 1;
    }
    answers
}

#[tokio::test]
async fn a_balancer_of_tower_follows_who_comes_drains_and_goes() {
    let log = MemoryLog::new();
    let registry: Registry<String> = Registry::open(log.clone(), "services").await.unwrap();
    let session = Session::open(log).await.unwrap();
    let services = registry.discover(SERVICE, |member: &Member<String>| {
        let address = member.data.as_ref().clone();
        service_fn(move |(): ()| ask(address.clone()))
    });
    let mut balance = Balance::new(PendingRequestsDiscover::new(
        services,
        CompleteOnResponse::default(),
    ));
    // As long as there is nobody, it waits.
    let early = timeout(Duration::from_millis(50), async {
        balance.ready().await.map(drop)
    });
    assert!(early.await.is_err());
    let register = |id: &'static str| {
        let (registry, session) = (&registry, &session);
        async move {
            let me = Member::new(id, little_service(id).await);
            registry.register(session, SERVICE, me).await.unwrap()
        }
    };
    let (one, other) = (register("one").await, register("other").await);
    let both = answers(&mut balance, 100).await;
    assert_eq!(both.len(), 2, "{both:?}");
    one.set(|me| me.state = State::Draining).await.unwrap();
    assert_eq!(answers(&mut balance, 30).await.len(), 1);
    one.set(|me| me.state = State::Up).await.unwrap();
    other.deregister().await.unwrap();
    let left = answers(&mut balance, 30).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), ["one"]);
    // It listens elsewhere: whoever is asked by the old address does not count.
    let elsewhere = little_service("elsewhere").await;
    one.set(|me| me.data = elsewhere.into()).await.unwrap();
    let moved = answers(&mut balance, 30).await;
    assert_eq!(moved.keys().collect::<Vec<_>>(), ["elsewhere"]);
}

/// What the stream shows now, as a text for each change.
fn shown(services: &mut Discovery<u16>) -> Vec<String> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut shown = Vec::new();
    while let Poll::Ready(Some(change)) = pin!(&mut *services).poll_next(&mut context) {
        shown.push(match change.unwrap() {
            Change::Insert(id, data) => format!("{id} {data}"),
            Change::Remove(id) => format!("-{id}"),
        });
    }
    shown
}

#[tokio::test(start_paused = true)]
async fn a_stream_shows_those_that_a_picker_would_pick_of_and_replaces_what_has_changed() {
    let (log, one, other) = two().await;
    let mut all = one.register_all(&["a", "b"]).await;
    other.lists(&["a", "b"]).await;
    let mut services = other.registry.discover(SERVICE, |member| *member.data);
    assert_eq!(shown(&mut services), ["a 80", "b 80"]);
    let mut then = async |mine: &Registration<u16>, change: fn(&mut Member<u16>)| {
        mine.set(change).await.unwrap();
        let expected = mine.member();
        until("it is seen", || {
            let members = other.registry.members(SERVICE);
            members
                .get(&expected.id)
                .is_some_and(|member| **member == expected)
        })
        .await;
        shown(&mut services)
    };
    assert_eq!(then(&all[0], |me| me.data = 81.into()).await, ["a 81"]);
    assert_eq!(then(&all[0], |me| me.weight = 7).await, ["a 81"]);
    assert_eq!(
        then(&all[0], |me| me.zone = Some("x".into())).await,
        ["a 81"]
    );
    assert_eq!(then(&all[0], |_| {}).await, [""; 0]);
    assert_eq!(then(&all[0], |me| me.state = State::Down).await, ["-a"]);
    assert_eq!(
        then(&all[0], |me| me.state = State::Draining).await,
        [""; 0]
    );
    // Where nobody else is up, who drains is better than nobody.
    assert_eq!(
        then(&all[1], |me| me.state = State::Draining).await,
        ["a 81"]
    );
    assert_eq!(then(&all[0], |me| me.state = State::Up).await, ["-b"]);
    assert_eq!(then(&all[1], |me| me.state = State::Up).await, ["b 80"]);
    assert_eq!(then(&all[0], |me| me.weight = 0).await, ["-a"]);
    assert_eq!(then(&all[0], |me| me.weight = 7).await, ["a 81"]);
    // A session that was lost registers again: nobody has to connect anew.
    let raw: Globe<String, serde_json::Value> = Globe::open(log.clone(), "services").await.unwrap();
    let lease = raw.get_entry("billing/a").unwrap().lease().unwrap();
    let before = raw.get_entry("billing/a").unwrap().version();
    log.revoke(lease).await.unwrap();
    until("it is written again", || {
        let entry = raw.get_entry("billing/a");
        entry.is_some_and(|entry| entry.version() != before)
    })
    .await;
    other.lists(&["a", "b"]).await;
    let again = shown(&mut services);
    assert!(again.is_empty() || again.len() == 4, "{again:?}");
    all.pop().unwrap().deregister().await.unwrap();
    other.lists(&["a"]).await;
    assert_eq!(shown(&mut services), ["-b"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_registry_and_does_not_keep_it() {
    let log = MemoryLog::new();
    let registry = crate::registry(&log).await;
    let mut services = registry.discover(SERVICE, |member| *member.data);
    write_raw(&log, "services", "billing/a", br#"{"data":80}"#).await;
    let first = within("it is shown", services.next())
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(first, Change::Insert(id, 80) if id == "a"));
    drop(registry);
    assert!(within("it ends", services.next()).await.is_none());
    assert!(services.next().await.is_none());
}
