//! The hook by which a copy is encrypted, and how it is called.
//!
//! Never keeps a key, which who implements the hook does; and never lets a panic of his through.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Encrypts what a copy holds before it reaches the disk, and decrypts it again.
///
/// It is called for each frame by itself (what one commit did, or up to a thousand records), on threads of the copy's own: it
/// may block, and it must be fast enough for every commit, or the copy falls behind. What it seals it must be able to open in
/// another process. One that fails, or panics, ends the writing until it works again, and never harms the map.
///
/// Each frame holds what tells the one before it, so frames that are left out, repeated or put in another order are found if
/// the encryption is authenticated. That the whole file is an older one cannot be found; its age tells.
pub trait Seal: fmt::Debug + Send + Sync + 'static {
    /// Encrypts, best with authentication and a nonce of its own for each call.
    ///
    /// # Errors
    /// Why it cannot, for `tracing`: it must hold no secret.
    fn seal(&self, plain: &[u8]) -> io::Result<Vec<u8>>;

    /// Decrypts.
    ///
    /// # Errors
    /// Where it was sealed by something else, or changed since, or the key cannot be had: the copy is then refused, and the
    /// reason told to `tracing`. It must hold no secret.
    fn open(&self, sealed: &[u8]) -> io::Result<Vec<u8>>;
}

/// The hook, if there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sealer(pub(crate) Option<Arc<dyn Seal>>);

impl Sealer {
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn seal(&self, plain: Vec<u8>) -> io::Result<Vec<u8>> {
        match &self.0 {
            None => Ok(plain),
            Some(seal) => called(|| seal.seal(&plain)),
        }
    }

    pub(crate) fn open(&self, sealed: &[u8]) -> io::Result<Vec<u8>> {
        match &self.0 {
            None => Ok(sealed.to_vec()),
            Some(seal) => called(|| seal.open(sealed)),
        }
    }
}

fn called(call: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
        // It may panic again where it is dropped.
        std::mem::forget(payload);
        Err(io::Error::other("the seal panicked"))
    })
}
