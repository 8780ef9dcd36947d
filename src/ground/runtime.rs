//! The runtime a map is opened in, with all that a map needs of one.
//!
//! It starts nothing there.

use std::panic::catch_unwind;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

/// The runtime this is called in; `Invalid` outside of one, and in one without a timer.
pub(crate) fn runtime() -> Result<Handle> {
    let runtime = Handle::try_current().map_err(|error| {
        Error::new(ErrorKind::Invalid, "a map needs a tokio runtime").with_source(error)
    })?;
    // Tokio says only by a panic that a runtime was built without a timer.
    if catch_unwind(|| tokio::time::sleep(Duration::ZERO)).is_err() {
        let why =
            "a map needs a tokio runtime with a timer: build it with `enable_all` or `enable_time`";
        return Err(Error::new(ErrorKind::Invalid, why));
    }
    Ok(runtime)
}
