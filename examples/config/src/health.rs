//! How it is: for who keeps it running, and for who sends it requests.
//!
//! Never says that it is ill because the log is away: it serves all the same, and a restart would help nobody.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::service::Service;

/// 200 as long as it serves; with how old its settings may be, and what is wrong with them: for alarms, not for restarts.
pub(crate) async fn healthz(State(service): State<Arc<Service>>) -> Json<Value> {
    let map = service.settings.status();
    Json(json!({
        "instance": service.settings.scope().instance(),
        "phase": map.phase,
        "age_seconds": map.staleness.map(|age| age.as_secs_f64()),
        "problems": service.settings.problems(),
        "map": map,
    }))
}

/// 200 when it is to be given requests, 503 until then.
pub(crate) async fn readyz(State(service): State<Arc<Service>>) -> StatusCode {
    match service.is_ready() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}
