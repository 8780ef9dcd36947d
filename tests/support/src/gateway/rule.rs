//! What a gateway does to which requests.
//!
//! It is data: nothing here touches a connection.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response};

/// What a gateway says in the place of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A gRPC status without anything else, and without a message when that is empty.
    Status(u16, String),
    /// An HTTP status that is no gRPC answer at all.
    Http(u16),
    /// The stream is reset.
    Reset,
}

impl Said {
    /// What Envoy says when the connection to the server breaks, before or after the request was delivered.
    #[must_use]
    pub fn envoy_reset() -> Said {
        let text = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
        Said::Status(14, text.to_owned())
    }

    /// What Envoy says when it has no connection to the server and gets none.
    #[must_use]
    pub fn envoy_refused() -> Said {
        let text = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused";
        Said::Status(14, text.to_owned())
    }

    /// What Envoy says to whom its rules do not allow it.
    #[must_use]
    pub fn rbac() -> Said {
        Said::Status(7, "RBAC: access denied".to_owned())
    }

    /// The answer to be sent, unless it is a reset.
    pub(crate) fn response(&self) -> Option<Response<()>> {
        let mut response = Response::new(());
        let headers: &mut HeaderMap = response.headers_mut();
        match self {
            Said::Status(code, message) => {
                headers.insert("content-type", HeaderValue::from_static("application/grpc"));
                headers.insert("grpc-status", HeaderValue::from(*code));
                if !message.is_empty() {
                    let message = HeaderValue::from_str(message).expect("plain text");
                    headers.insert("grpc-message", message);
                }
            }
            Said::Http(status) => {
                headers.insert("content-type", HeaderValue::from_static("text/plain"));
                *response.status_mut() = http::StatusCode::from_u16(*status).expect("a status");
            }
            Said::Reset => return None,
        }
        Some(response)
    }
}

/// What is done to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is delivered, the server's answer is waited for, and this is said instead. Of a stream it is said as soon as the
    /// server has begun to answer.
    Lose(Said),
    /// It is delivered twice, one after the other, and the second answer is passed on. Streams are delivered once.
    Repeat,
    /// It is delivered so much later, unless its client gives up before. Streams are delivered at once.
    Delay(Duration),
    /// It is not delivered, and this is said.
    Answer(Said),
}

/// Which requests something is done to.
#[derive(Clone, Debug)]
pub struct Rule {
    path: String,
    carrying: Option<String>,
    times: Option<u64>,
    one_in: u64,
    seen: u64,
    act: Act,
}

impl Rule {
    /// Done to every request whose path begins so, such as `/etcdserverpb.KV/Txn`.
    #[must_use]
    pub fn new(path: impl Into<String>, act: Act) -> Rule {
        Rule {
            path: path.into(),
            carrying: None,
            times: None,
            one_in: 1,
            seen: 0,
            act,
        }
    }

    /// Only to those with this text somewhere in them. Never to streams.
    #[must_use]
    pub fn carrying(mut self, text: impl Into<String>) -> Rule {
        self.carrying = Some(text.into());
        self
    }

    /// Only to the first so many of them.
    #[must_use]
    pub fn times(mut self, times: u64) -> Rule {
        self.times = Some(times);
        self
    }

    /// Only to each so-and-so-many-th of them.
    #[must_use]
    pub fn one_in(mut self, count: u64) -> Rule {
        self.one_in = count.max(1);
        self
    }

    /// What is done to this request, if anything. `body` is there once it has been read to its end.
    pub(crate) fn take(&mut self, path: &str, body: Option<&[u8]>) -> Option<Act> {
        let is_carried = self.carrying.as_ref().is_none_or(|text| {
            let holds = |body: &[u8]| String::from_utf8_lossy(body).contains(text);
            body.is_some_and(holds)
        });
        if !is_carried || !path.starts_with(&self.path) || self.times == Some(0) {
            return None;
        }
        self.seen += 1;
        if !self.seen.is_multiple_of(self.one_in) {
            return None;
        }
        self.times = self.times.map(|times| times - 1);
        Some(self.act.clone())
    }
}
