//! A story in steps: it says what one should see, and ends where that was not seen.
//!
//! Never waits without a bound.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// What comes of anything here.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// A story that is told: its steps are numbered.
#[derive(Debug, Default)]
pub struct Story {
    step: usize,
}

impl Story {
    /// Begins a step.
    pub fn step(&mut self, what: impl Display) {
        self.step += 1;
        println!("\n{}. {what}", self.step);
    }

    /// Says something, in one line or several.
    pub fn say(&self, what: impl Display) {
        for line in what.to_string().lines() {
            println!("      {line}");
        }
    }

    /// Says what one should see, if it is so.
    ///
    /// # Errors
    /// If it is not.
    pub fn see(&self, what: impl Display, is_so: bool) -> Outcome {
        if is_so {
            println!("   ok {what}");
            return Ok(());
        }
        Err(format!("this should have been seen, and was not: {what}").into())
    }

    /// Waits until something is so; how long that took.
    ///
    /// # Errors
    /// If it is not within the bound.
    pub async fn until(
        &self,
        what: impl Display,
        bound: Duration,
        mut is_so: impl AsyncFnMut() -> bool,
    ) -> Outcome<Duration> {
        let began = Instant::now();
        while !is_so().await {
            if began.elapsed() > bound {
                return Err(format!("not within {bound:?}: {what}").into());
            }
            sleep(LOOK).await;
        }
        let took = began.elapsed();
        println!("   ok {what} ({:.1} s)", took.as_secs_f64());
        Ok(took)
    }
}

/// Tells a story within a bound: 0 if all was seen that should be seen.
pub async fn tell(bound: Duration, story: impl Future<Output = Outcome>) -> ExitCode {
    match timeout(bound, story).await {
        Ok(Ok(())) => {
            println!("\nAll of it was seen.");
            return ExitCode::SUCCESS;
        }
        Ok(Err(error)) => println!("\nFAILED: {error}"),
        Err(_) => println!("\nFAILED: it was not over within {bound:?}"),
    }
    ExitCode::FAILURE
}
