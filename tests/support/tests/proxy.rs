//! The fault proxy breaks what it is told to break, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a broken set-up is a failure"
)]

use std::net::Ipv4Addr;
use std::time::Duration;

use globe_test_support::{Flow, Proxy, Weather};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// A server that says back what it hears, and a proxy before it.
async fn echo() -> Proxy {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    Proxy::start(port).await
}

async fn dial(proxy: &Proxy) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()))
        .await
        .unwrap()
}

/// What comes back within a moment.
async fn hears(stream: &mut TcpStream, length: usize) -> Option<Vec<u8>> {
    let mut heard = vec![0; length];
    let read = timeout(Duration::from_millis(300), stream.read_exact(&mut heard)).await;
    read.ok().map(|read| read.unwrap()).map(|_| heard)
}

#[tokio::test]
async fn what_was_held_in_one_direction_arrives_when_it_is_healed() {
    let proxy = echo().await;
    for hold in [Proxy::freeze, Proxy::freeze_replies, Proxy::freeze_requests] {
        let mut stream = dial(&proxy).await;
        stream.write_all(b"one").await.unwrap();
        assert_eq!(hears(&mut stream, 3).await.unwrap(), b"one");
        hold(&proxy);
        stream.write_all(b"two").await.unwrap();
        assert_eq!(hears(&mut stream, 3).await, None);
        proxy.heal();
        let mut heard = [0; 3];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"two");
    }
    assert_eq!(proxy.connections(), 3);
}

#[tokio::test]
async fn one_connection_is_cut_in_the_middle_and_the_others_live() {
    let proxy = echo().await;
    let (mut first, mut second) = (dial(&proxy).await, dial(&proxy).await);
    for stream in [&mut first, &mut second] {
        stream.write_all(b"hello").await.unwrap();
        assert_eq!(hears(stream, 5).await.unwrap(), b"hello");
    }
    let torn = Weather {
        replies: Flow::cut_after(3),
        ..Weather::default()
    };
    proxy.set_one(0, torn);
    for stream in [&mut first, &mut second] {
        stream.write_all(b"hello").await.unwrap();
    }
    assert_eq!(hears(&mut second, 5).await.unwrap(), b"hello");
    let mut heard = Vec::new();
    let end = first.read_to_end(&mut heard).await;
    assert!(heard.len() <= 3, "{heard:?}");
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_slow_line_is_slow_and_loses_nothing() {
    let proxy = echo().await;
    let mut stream = dial(&proxy).await;
    let late = Duration::from_millis(50);
    for flow in [Flow::delayed(late, late), Flow::throttled(20)] {
        proxy.set(Weather::both(flow));
        let began = Instant::now();
        stream.write_all(b"12345").await.unwrap();
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"12345");
        assert!(began.elapsed() >= late * 2, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_cut_line_takes_nobody_and_keeps_nobody() {
    let proxy = echo().await;
    let mut there = dial(&proxy).await;
    there.write_all(b"one").await.unwrap();
    assert_eq!(hears(&mut there, 3).await.unwrap(), b"one");
    proxy.cut();
    for mut stream in [there, dial(&proxy).await] {
        let mut heard = Vec::new();
        let end = stream.read_to_end(&mut heard).await;
        assert!(heard.is_empty());
        assert!(end.is_err() || end.is_ok_and(|length| length == 0));
    }
    proxy.heal();
    let mut stream = dial(&proxy).await;
    stream.write_all(b"again").await.unwrap();
    assert_eq!(hears(&mut stream, 5).await.unwrap(), b"again");
}
