//! What a worker answers over HTTP: orders, by their keys, if it owns the shard.
//!
//! Never forwards anything: it says who is to be asked.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use globe::{Fenced, Shards};
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) shards: Shards,
    pub(crate) worker: String,
}

pub(crate) fn routes(orders: Orders) -> Router {
    Router::new()
        .route("/orders/{key}", get(order))
        .with_state(orders)
}

/// 421 where somebody else is to be asked. That costs no round trip: the table is here.
async fn order(State(orders): State<Orders>, Path(key): Path<String>) -> (StatusCode, Json<Value>) {
    match orders.shards.enter(&key) {
        // A hand-over waits until the guard is dropped. Its token goes along with whatever is written elsewhere.
        Ok(guard) => {
            let answer = json!({
                "by": orders.worker,
                "shard": guard.shard(),
                "token": guard.token(),
            });
            (StatusCode::OK, Json(answer))
        }
        Err(not) => {
            let owner = not.owner.as_ref().map(|owner| owner.member().id());
            let answer = json!({"owner": owner});
            (StatusCode::MISDIRECTED_REQUEST, Json(answer))
        }
    }
}
