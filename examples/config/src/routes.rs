//! What can be asked over HTTP.
//!
//! Never says who may ask: put it behind whatever does.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::health::{healthz, readyz};
use crate::knob::Knob;
use crate::refusal::Refusal;
use crate::service::Service;

pub(crate) fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/hello", get(hello))
        .route("/settings", get(settings))
        .route("/settings/{name}/{layer}", put(publish))
        .route("/settings/{name}/undo", post(undo))
        .route("/history/{name}", get(history))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(service)
}

/// What the service is there for. The limit is read for each request: that costs some nanoseconds, and no await.
async fn hello(State(service): State<Arc<Service>>) -> Response {
    let admitted = service.limiter.admit(&service.limit.get());
    tracing::debug!(is_admitted = admitted.is_ok(), "a request");
    match admitted {
        Ok(()) => "hello\n".into_response(),
        Err(later) => {
            let seconds = later.as_secs_f64().ceil().to_string();
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds)]).into_response()
        }
    }
}

async fn settings(State(service): State<Arc<Service>>) -> Json<Value> {
    let all = service.knobs().into_iter();
    let all: Map<_, _> = all
        .map(|knob| (knob.name().to_owned(), knob.shown()))
        .collect();
    Json(all.into())
}

/// Who asks. In your own service this is who has logged in.
#[derive(Deserialize)]
struct Who {
    #[serde(default = "nobody")]
    by: String,
}

fn nobody() -> String {
    "somebody".to_owned()
}

async fn publish(
    State(service): State<Arc<Service>>,
    Path((name, layer)): Path<(String, String)>,
    Query(who): Query<Who>,
    Json(value): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    let position = knob(&service, &name)?.put(&who.by, &layer, value).await?;
    tracing::info!(%name, %layer, by = who.by, "a setting was published");
    Ok(Json(json!({"position": position.to_string()})))
}

#[derive(Deserialize)]
struct Undo {
    #[serde(default = "global")]
    layer: String,
    #[serde(default = "last")]
    back: usize,
}

fn global() -> String {
    "global".to_owned()
}

fn last() -> usize {
    1
}

async fn undo(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    Query(who): Query<Who>,
    Json(Undo { layer, back }): Json<Undo>,
) -> Result<Json<Value>, Refusal> {
    let knob = knob(&service, &name)?;
    let position = knob.take_back(&who.by, &layer, back).await?;
    tracing::info!(%name, %layer, by = who.by, "a setting was taken back");
    Ok(Json(json!({"position": position.to_string()})))
}

#[derive(Deserialize)]
struct Layer {
    #[serde(default = "global")]
    layer: String,
}

async fn history(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    Query(Layer { layer }): Query<Layer>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(knob(&service, &name)?.past(&layer)?))
}

fn knob<'a>(service: &'a Service, name: &str) -> Result<&'a dyn Knob, Refusal> {
    let mut knobs = service.knobs().into_iter();
    let found = knobs.find(|knob| knob.name() == name);
    found.ok_or_else(|| Refusal::Unknown(name.to_owned()))
}
