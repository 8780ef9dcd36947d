//! A member while it serves: it registers, and when it is told to stop it drains, finishes what it has, and leaves.
//!
//! Never leaves a call unanswered that it has taken.

use std::time::Duration;

use axum::Router;
use globe::registry::{Member, State};
use globe::{Registry, Session};
use globe_stage::{Outcome, Place};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::address::Address;

/// How long a member that died stays listed. Longer bears longer stalls: 10 s is the default of a session.
pub(crate) const TTL: Duration = Duration::from_secs(3);

/// How long others may take to hear that it drains, and what they sent before that to arrive.
const HEARD: Duration = Duration::from_millis(500);

/// Serves as a member of a service until it is told to stop.
pub(crate) async fn serve(
    place: Place,
    service: &str,
    registry: &Registry<Address>,
    (routes, at): (Router, &str),
) -> Outcome {
    let session = Session::builder(place.log).name(&place.name).ttl(TTL);
    let session = session.open().await?;
    let listener = TcpListener::bind(at).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let is_done = CancellationToken::new();
    let serving = axum::serve(listener, routes);
    let serving = serving.with_graceful_shutdown(is_done.clone().cancelled_owned());
    let serving = tokio::spawn(serving.into_future());
    // Not before it listens.
    let me = Member::new(&place.name, Address { url });
    let mine = registry.register(&session, service, me).await?;

    place.stop.cancelled().await;
    mine.set(|me| me.state = State::Draining).await?;
    sleep(HEARD).await;
    is_done.cancel();
    serving.await??;
    mine.deregister().await?;
    Ok(session.close().await?)
}
