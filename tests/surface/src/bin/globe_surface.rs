//! Lists the public surface of each published crate in `docs/surface`: `cargo run -p globe-surface`.
//!
//! It never writes a listing that did not change.

use std::path::Path;
use std::process::ExitCode;

use globe_surface::PUBLISHED;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to its user"
)]
fn main() -> ExitCode {
    let tree = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    for listed in PUBLISHED {
        match listed.list(tree) {
            Ok(true) => println!("{}: listed anew", listed.package),
            Ok(false) => println!("{}: as it was listed", listed.package),
            Err(error) => {
                eprintln!("{}: {error}", listed.package);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
