//! What an error of the log is over HTTP: who asks learns what to do next.
//!
//! Never says that nothing was written where that is not certain.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use globe::{Error, ErrorKind};
use serde_json::json;

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no such setting.
    Unknown(String),
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Failed(error)
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        let Refusal::Failed(error) = self else {
            return StatusCode::NOT_FOUND;
        };
        match error.kind() {
            ErrorKind::Invalid | ErrorKind::Codec => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            // Somebody came in between: look again.
            ErrorKind::Conflict(_) => StatusCode::CONFLICT,
            ErrorKind::Denied => StatusCode::FORBIDDEN,
            // Written, and not seen here yet.
            ErrorKind::Behind(_) => StatusCode::ACCEPTED,
            // It may have been written.
            ErrorKind::Indeterminate => StatusCode::GATEWAY_TIMEOUT,
            // Nothing was written: try again later.
            ErrorKind::Unavailable | ErrorKind::Full => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let why = match self {
            Refusal::Unknown(name) => format!("there is no setting {name}"),
            Refusal::Failed(error) => error.to_string(),
        };
        (status, Json(json!({"error": why}))).into_response()
    }
}
