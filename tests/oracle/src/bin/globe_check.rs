//! Checks saved histories again: `globe-check HISTORY.jsonl …`.
//!
//! It never changes a history.

use std::process::ExitCode;

use globe_oracle::History;
use globe_oracle::checks::check_all;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to its user"
)]
fn main() -> ExitCode {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        eprintln!("usage: globe-check HISTORY.jsonl …");
        return ExitCode::from(2);
    }
    let mut code = ExitCode::SUCCESS;
    for path in paths {
        match History::load(&path) {
            Ok(history) => {
                let violations = check_all(&history);
                println!(
                    "{path}: {} events, {} violations",
                    history.events.len(),
                    violations.len()
                );
                for violation in &violations {
                    println!("  {violation}");
                }
                if !violations.is_empty() {
                    code = ExitCode::FAILURE;
                }
            }
            Err(error) => {
                eprintln!("{path}: {error}");
                code = ExitCode::from(2);
            }
        }
    }
    code
}
