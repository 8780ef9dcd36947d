//! The service `greeter`: greets somebody, whose name it learns from `gateway`.
//!
//! Never knows where `gateway` is: it asks whoever is there.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use globe_stage::{Outcome, Place, Role};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::address::{GATEWAY, GREETER, registry};
use crate::asker::Asker;
use crate::presence::serve;

/// So that it can be started.
pub(crate) const ROLE: Role = Role {
    name: GREETER,
    run: |place| Box::pin(run(place, "127.0.0.1:0")),
};

#[derive(Clone, Debug)]
struct Greeter {
    me: String,
    gateway: Asker,
}

/// Serves until it is told to stop.
pub(crate) async fn run(place: Place, at: &str) -> Outcome {
    let registry = registry(place.log.clone(), &place.keyspace).await?;
    let greeter = Greeter {
        me: place.name.clone(),
        gateway: Asker::new(&registry, GATEWAY),
    };
    let routes = Router::new().route("/greet/{id}", get(greet));
    let routes = routes.with_state(greeter);
    serve(place, GREETER, &registry, (routes, at)).await
}

#[derive(Deserialize)]
struct Pause {
    #[serde(default)]
    pause_ms: u64,
}

async fn greet(
    State(greeter): State<Greeter>,
    Path(id): Path<String>,
    Query(pause): Query<Pause>,
) -> Result<Json<Value>, StatusCode> {
    let named = greeter.gateway.get(&format!("/names/{id}")).await;
    let (named, _) = named.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    // Some take longer.
    sleep(Duration::from_millis(pause.pause_ms)).await;
    let name = named.body["name"].as_str().unwrap_or("stranger");
    Ok(Json(json!({
        "greeting": format!("Hello, {name}!"),
        "by": greeter.me,
        "named_by": named.body["by"],
    })))
}
