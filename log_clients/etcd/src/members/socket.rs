//! The bytes of one connection, and what TLS said of them when it ended.
//!
//! Never changes a byte.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Why one side of a connection did not accept the other. In the newest version of TLS a server says so only after the
/// handshake, when the libraries above it have no ear for reasons.
#[derive(Clone, Default)]
pub(crate) struct TlsFailure(Arc<OnceLock<rustls::Error>>);

impl TlsFailure {
    pub(crate) fn get(&self) -> Option<&rustls::Error> {
        self.0.get()
    }

    /// Keeps the first reason: what comes after is of a connection that is over.
    fn note(&self, error: &io::Error) {
        let said = error.get_ref().and_then(|inner| inner.downcast_ref());
        if let Some(said) = said {
            let said: &rustls::Error = said;
            let _ = self.0.set(said.clone());
        }
    }
}

/// A connection, with or without TLS.
pub(crate) struct Socket {
    bytes: Bytes,
    tls_failure: TlsFailure,
}

enum Bytes {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

impl Socket {
    pub(crate) fn plain(tcp: TcpStream) -> Socket {
        Socket {
            bytes: Bytes::Plain(tcp),
            tls_failure: TlsFailure::default(),
        }
    }

    pub(crate) fn secured(tls: TlsStream<TcpStream>, tls_failure: TlsFailure) -> Socket {
        Socket {
            bytes: Bytes::Secured(Box::new(tls)),
            tls_failure,
        }
    }

    /// The same answer, after a look at its error.
    fn noting<T>(&self, answer: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &answer {
            self.tls_failure.note(error);
        }
        answer
    }
}

/// Passes a call on to whichever there is.
macro_rules! pass_on {
    ($socket:expr, $call:ident($($argument:expr),*)) => {
        match &mut $socket.bytes {
            Bytes::Plain(tcp) => Pin::new(tcp).$call($($argument),*),
            Bytes::Secured(tls) => Pin::new(&mut **tls).$call($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let answer = pass_on!(self, poll_read(context, buffer));
        self.noting(answer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let answer = pass_on!(self, poll_write(context, bytes));
        self.noting(answer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = pass_on!(self, poll_flush(context));
        self.noting(answer)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pass_on!(self, poll_shutdown(context))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let answer = pass_on!(self, poll_write_vectored(context, bytes));
        self.noting(answer)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.bytes {
            Bytes::Plain(tcp) => tcp.is_write_vectored(),
            Bytes::Secured(tls) => tls.is_write_vectored(),
        }
    }
}
