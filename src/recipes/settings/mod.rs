//! Settings: values that every process reads at once and follows, layer over layer, checked before anybody sees them.
//!
//! Nothing here: each noun has its own file.

pub(crate) mod append;
pub(crate) mod binding;
pub(crate) mod book;
pub(crate) mod builder;
pub(crate) mod current;
pub(crate) mod declare;
pub(crate) mod explanation;
pub(crate) mod follower;
pub(crate) mod history;
pub(crate) mod judge;
pub(crate) mod keys;
pub(crate) mod merge;
pub(crate) mod problem;
pub(crate) mod publish;
pub(crate) mod reading;
pub(crate) mod record;
pub(crate) mod recorder;
pub(crate) mod resolve;
pub(crate) mod rollout;
pub(crate) mod run;
pub(crate) mod scope;
pub(crate) mod setting;
pub(crate) mod sheet;
pub(crate) mod slot;
pub(crate) mod source;
pub(crate) mod stages;
pub(crate) mod stamp;
pub(crate) mod subscription;
pub(crate) mod watch;
