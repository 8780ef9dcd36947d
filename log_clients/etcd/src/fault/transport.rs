//! What an error of the transport shows, by the types it is made of.
//!
//! Never reads the text of an error: a proxy can put any text into one.

use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

use tonic::ConnectError;

use crate::fault::class::Class;

/// What became of a request that the transport failed with `error`, which is no server's answer.
///
/// Only the error of a connection that could not be made shows that nothing was sent. Words such as "connect error" or
/// "connection termination" show nothing: gateways say them of requests they have delivered (envoyproxy/envoy#39800).
pub(crate) fn class_of(error: &(dyn Error + 'static)) -> Class {
    let causes: Vec<_> = causes(error).collect();
    let has = |is: fn(&Cause<'_>) -> bool| causes.iter().any(is);
    let was_dialling = has(|cause| cause.is::<ConnectError>());
    if was_dialling && has(|cause| cause.is::<Ended>()) {
        Class::Ended
    } else if has(|cause| cause.tls().is_some_and(is_distrust)) {
        Class::Untrusted
    } else if was_dialling {
        Class::NeverSent
    } else {
        Class::Unknown
    }
}

/// Whether it shows that a connection was made, and ended before anything came through it.
pub(crate) fn is_cut_short(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let io = cause.io();
        io.is_some_and(|io| {
            matches!(
                io.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
            )
        })
    })
}

/// One error of a chain.
struct Cause<'a>(&'a (dyn Error + 'static));

impl<'a> Cause<'a> {
    fn is<T: Error + 'static>(&self) -> bool {
        self.0.is::<T>()
    }

    /// HTTP/2 keeps the error of the socket to itself, and out of the chain.
    fn io(&self) -> Option<&'a io::Error> {
        let http2 = self.0.downcast_ref::<h2::Error>();
        http2
            .and_then(h2::Error::get_io)
            .or_else(|| self.0.downcast_ref())
    }

    /// What the TLS library said: it wraps its errors in those of IO, which do not show them in their chain.
    fn tls(&self) -> Option<&'a rustls::Error> {
        let inner = self.io().and_then(io::Error::get_ref);
        inner
            .and_then(|inner| inner.downcast_ref())
            .or_else(|| self.0.downcast_ref())
    }
}

/// The error and what caused it, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = Cause<'a>> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(Cause(cause))
    })
}

/// Whether one side does not accept what the other shows of itself. That is for a person to mend, so it is told as
/// `Denied`; every other TLS error may be a cut connection or a server without TLS.
pub(crate) fn is_distrust(error: &rustls::Error) -> bool {
    use rustls::AlertDescription as Alert;
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(_) | Tls::NoCertificatesPresented => true,
        Tls::AlertReceived(alert) => matches!(
            alert,
            Alert::NoCertificate
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::CertificateRequired
        ),
        _ => false,
    }
}

/// A connection that has ended; the request that found out was not sent.
#[derive(Debug)]
pub(crate) struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection had ended")
    }
}

impl Error for Ended {}

/// A connection that could not be made, told to each request that would have used it.
#[derive(Debug)]
pub(crate) struct NotConnected(pub(crate) Option<Arc<Box<dyn Error + Send + Sync>>>);

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(why) => write!(f, "it could not be dialled: {why}"),
            None => f.write_str("it could not be dialled in time"),
        }
    }
}

impl Error for NotConnected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let why: &(dyn Error + 'static) = &***self.0.as_ref()?;
        Some(why)
    }
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, CertificateError, InvalidMessage};
    use tonic::Status;

    use super::*;

    fn connect(error: impl Into<Box<dyn Error + Send + Sync>>) -> Class {
        class_of(&ConnectError(error.into()))
    }

    fn tls(error: rustls::Error) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    #[test]
    fn only_the_type_of_an_error_says_that_nothing_was_sent() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(connect(refused()), Class::NeverSent);
        assert_eq!(connect(Ended), Class::Ended);
        assert_eq!(class_of(&refused()), Class::Unknown);
        assert_eq!(class_of(&Ended), Class::Unknown);
        for text in ["tcp connect error", "dns error", "connection refused"] {
            assert_eq!(class_of(&Status::unavailable(text)), Class::Unknown);
        }
    }

    #[test]
    fn only_a_tls_stack_says_that_it_does_not_trust() {
        let unknown = || tls(CertificateError::UnknownIssuer.into());
        let alert = |alert| tls(rustls::Error::AlertReceived(alert));
        assert_eq!(connect(unknown()), Class::Untrusted);
        assert_eq!(
            connect(alert(AlertDescription::UnknownCA)),
            Class::Untrusted
        );
        let late = alert(AlertDescription::CertificateRequired);
        assert_eq!(class_of(&late), Class::Untrusted);
        // No TLS at the other end, or the end of a dead backend behind a balancer.
        let no_tls = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert_eq!(connect(tls(no_tls)), Class::NeverSent);
        let ended = io::Error::new(io::ErrorKind::UnexpectedEof, "certificate");
        assert!(is_cut_short(&ended));
        assert_eq!(connect(ended), Class::NeverSent);
    }
}
