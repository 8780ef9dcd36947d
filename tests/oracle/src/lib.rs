//! One history and one oracle for every test of Globe: a [`Recorder`] writes down what a [`Workload`] did and saw, a
//! [`Truth`] what the log itself says, and the [`checks`] judge.
//!
//! It never drives faults itself: whoever does says so to the recorder.
//!
//! ```text
//! let recorder = Recorder::new();
//! let truth = Truth::listen(log.clone(), "log", &KEYSPACES, &recorder).await?;
//! let running = Workload::light(seed).start(&nodes, &recorder);
//! let claimants = Claiming::light(seed).start(&logs, &recorder).await?;   // with CLAIM_KEYSPACES in the truth
//! let players = Recipes::light(seed).start(&logs, &recorder).await?;        // with RECIPE_KEYSPACES in the truth
//! …  break things, telling recorder.fault(…), calling truth.drain() before the log is made to forget  …
//! recorder.fault("healed", Effect::HealsAll);
//! claimants.finish(bound).await;        // they let go of everything, which is waited for
//! players.finish(bound).await;          // once all is quiet they leave
//! running.finish(bound).await;          // clients stop, nodes synchronise, watches are followed to the end
//! truth.finish(bound).await;
//! judge(&recorder.history());           // panics with what was wrong, the seed, and where the history lies
//! ```

mod ballast;
mod history;
mod judge;
mod recorder;
mod truth;
mod workload;

pub mod checks;
pub mod wgl;

pub use ballast::{BALLAST, folded, laid};
pub use history::{
    Action, Admission, Asked, At, Base, Cause, ClaimAsked, ClaimDid, ClaimLimits, ClaimRun,
    ClaimStep, Delivered, Effect, Ended, EntryStep, Event, Fault, Fenced, Filter, Gauge, Health,
    History, LifeDid, LifeStep, Limits, Listed, Meddled, Meddling, Mode, Moved, Op, Opened,
    Outcome, Place, Read, RecipeLimits, RecipeRun, Run, Sample, SessionDid, SessionStep,
    SettingDid, SettingStep, ShardDid, ShardStep, Share, Shown, Standing, Stood, Stored,
    Truth as Commit, Value, Verdict, Version,
};
pub use judge::{judge, judge_except};
pub use recorder::Recorder;
pub use truth::Truth;
pub use workload::{
    CLAIM_KEYSPACES, Claimants, Claiming, KEYSPACES, Map, Node, Players, RECIPE_KEYSPACES, Recipes,
    Running, Workload,
};
