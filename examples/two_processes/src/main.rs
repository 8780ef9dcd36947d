//! Two processes share a map through a file: no server, nothing to install. The second is killed, and what it had written for as
//! long as it lives goes with it; what it had written for good is there when the file is opened again.
//!
//! `cargo run -p two-processes`
#![allow(clippy::print_stdout, reason = "an example prints")]

mod first;
mod second;
mod tell;

use tell::{Done, URL};

#[tokio::main]
async fn main() -> Done {
    if let Ok(url) = std::env::var(URL) {
        return second::run(&url).await;
    }
    let folder = std::env::temp_dir().join(format!("globe-two-processes-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = first::run(&folder).await;
    std::fs::remove_dir_all(&folder)?;
    done
}
