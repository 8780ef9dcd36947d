//! The service `gateway`: has somebody greeted, by a picker or by tower; and knows names.
//!
//! Never knows where the members of `greeter` are.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use globe::Registry;
use globe_stage::{Outcome, Place, Role};
use serde_json::{Value, json};

use crate::address::{Address, GATEWAY, GREETER, registry};
use crate::asker::Asker;
use crate::balanced::Balanced;
use crate::presence::serve;

/// So that it can be started.
pub(crate) const ROLE: Role = Role {
    name: GATEWAY,
    run: |place| Box::pin(run(place, "127.0.0.1:0")),
};

#[derive(Clone, Debug)]
struct Gateway {
    me: String,
    picked: Asker,
    balanced: Balanced,
    registry: Registry<Address>,
}

/// Serves until it is told to stop.
pub(crate) async fn run(place: Place, at: &str) -> Outcome {
    let registry = registry(place.log.clone(), &place.keyspace).await?;
    let gateway = Gateway {
        me: place.name.clone(),
        picked: Asker::new(&registry, GREETER),
        balanced: Balanced::new(&registry, GREETER),
        registry: registry.clone(),
    };
    let routes = Router::new()
        .route("/hello/{id}", get(hello))
        .route("/balanced/{id}", get(balanced))
        .route("/names/{id}", get(name))
        .route("/members", get(members))
        .with_state(gateway);
    serve(place, GATEWAY, &registry, (routes, at)).await
}

/// What is asked of `greeter`, with whatever comes after the path.
fn path(id: &str, query: RawQuery) -> String {
    let query = query
        .0
        .map_or_else(String::new, |query| format!("?{query}"));
    format!("/greet/{id}{query}")
}

async fn hello(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    query: RawQuery,
) -> Result<Json<Value>, StatusCode> {
    let answer = gateway.picked.get(&path(&id, query)).await;
    let (mut answer, in_vain) = answer.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    answer.body["tried_in_vain"] = in_vain.into();
    Ok(Json(answer.body))
}

async fn balanced(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    query: RawQuery,
) -> Result<Json<Value>, StatusCode> {
    let answer = gateway.balanced.get(&path(&id, query)).await;
    answer
        .map(Json)
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

async fn name(State(gateway): State<Gateway>, Path(id): Path<usize>) -> Json<Value> {
    let name = ["Anna", "Bert", "Clara", "David"][id % 4];
    Json(json!({"name": name, "by": gateway.me}))
}

/// Who is there, by this copy of the registry: also while the log is away.
async fn members(State(gateway): State<Gateway>) -> Json<Value> {
    let services = gateway.registry.services().into_iter().map(|service| {
        let members = gateway.registry.members(&service);
        let listed = members.iter().map(|member| {
            let held_back = members.is_held_back(&member.id);
            json!({"id": member.id, "state": member.state, "url": member.data.url, "held_back": held_back})
        });
        let members = json!({
            "members": listed.collect::<Vec<_>>(),
            "age_seconds": members.age().map(|age| age.as_secs_f64()),
        });
        (service, members)
    });
    Json(services.collect::<serde_json::Map<_, _>>().into())
}
