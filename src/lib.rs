//! A map that every node holds a copy of, kept current by a replicated log.
//!
//! [`Globe<K, V>`](Globe) reads are local memory reads, as fast as a concurrent
//! hash map. Writes go through a log (etcd, a file that the processes of one
//! host share, or one inside your process). Every other node sees them arrive, because it tails the log. It is for cluster-wide
//! configuration, sharding assignment tables and service registries: data that
//! fits in memory, is read all the time, and must never be silently wrong.
//!
//! ```
//! use globe::{Globe, MemoryLog};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> globe::Result<()> {
//! // Or: globe::connect("sqlite:limits.db").await?, globe::connect("etcd://h1:2379,h2:2379").await?
//! let log = MemoryLog::new();
//! let limits: Globe<String, u64> = Globe::open(log, "limits").await?;
//! let mut watch = limits.watch();
//!
//! // Through the log; visible here when it returns.
//! limits.put("uploads", 25).await?;
//!
//! // Local: no await, no network.
//! assert_eq!(limits.get("uploads").as_deref(), Some(&25));
//!
//! // The exact difference, one step at a time.
//! let changes = watch.next().await.expect("the map is open");
//! assert_eq!(changes.as_slice()[0].key(), "uploads");
//! # Ok(())
//! # }
//! ```
//!
//! # What belongs together
//!
//! | to … | there is |
//! |---|---|
//! | **open** a map | [`Globe::open`], [`Globe::connect`]; with settings [`Globe::builder`] and [`Builder`]; without waiting for the log [`Builder::start`]; with a copy on disk [`Offline`], with the module [`offline`]; with a [`Guard`] against losing all at once, which says what is [`Withheld`]; to read only [`Reader::open`]. Which log: [`connect`], [`MemoryLog`], [`SqliteLog`] with the module [`sqlite`], [`EtcdLog`] with the module [`etcd`] |
//! | **read** it | [`get`](Reader::get); [`view`](Reader::view) and [`View`] for all of it at one position, with [`Entry`], [`Iter`], [`Range`]; [`Cached`] for one key on every request; [`consistent_views`] for several maps ([`Maps`]) |
//! | **wait** before reading | [`view_at`](Reader::view_at) with a [`Consistency`], [`sync`](Reader::sync), [`wait_for`](Reader::wait_for), [`hydrated`](Reader::hydrated); a [`Position`] is what one service tells another ([`Epoch`], [`Revision`]) |
//! | **hear** of changes | [`watch`](Reader::watch) and [`Watch`], with [`Changes`], [`Change`], [`Cause`], [`ResyncReason`]; [`ValueWatch`] for one setting; [`PhaseWatch`]; [`QuarantineWatch`] with [`QuarantineChanges`]; [`WithheldWatch`]; each as a [`WatchStream`] |
//! | **write** it | [`put`](Globe::put), [`create`](Globe::create), [`delete`](Globe::delete), [`put_all`](Globe::put_all) answer with [`Written`] or [`WrittenAll`]; [`put_if`](Globe::put_if) takes an [`Expected`] or a [`Version`]; [`update`](Globe::update), or [`try_update`](Globe::try_update) with [`Edit`] and [`Updated`]; [`transact`](Globe::transact) with [`Txn`] and [`Committed`] |
//! | **end with its owner** | a [`Session`] ([`SessionBuilder`], [`Policy`], [`SessionState`], [`Loss`]) and what is written under it: [`put_ephemeral`](Globe::put_ephemeral), [`create_ephemeral`](Globe::create_ephemeral), [`Txn::put_ephemeral`]; [`SessionEvents`] with [`SessionEvent`], [`SessionStatus`] |
//! | let **one at a time** | [`Lock`], [`RwLock`], [`Semaphore`], [`Election`] with [`LockGuard`], [`ReadGuard`], [`WriteGuard`], [`Permit`], [`Leadership`], each a [`Hold`]; asked for by a [`Request`]; told by [`Holder`], [`Observe`]. They stand in [`Claims`] ([`Claim`], [`Mode`]) |
//! | **refuse** who held before | [`Txn::require`]; a [`Gate`] for the [`Token`] of what is [`Fenced`] |
//! | **find services** | a [`Registry`], with the module [`registry`]: a [`Member`](registry::Member) and its [`Registration`](registry::Registration); [`Members`](registry::Members), [`MembersWatch`](registry::MembersWatch); a [`Picker`](registry::Picker) by a [`Pick`](registry::Pick); [`Vanish`](registry::Vanish) |
//! | **wait for one another**, count, number | [`Barrier`], [`DoubleBarrier`] ([`Entered`]), [`Latch`]; [`Counter`], [`Ids`] in [`Counts`] ([`Count`]) |
//! | follow **live configuration** | [`Settings`] and the module [`settings`]: a [`Setting`](settings::Setting) over the layers of a [`Scope`](settings::Scope), published, explained, rolled out, undone |
//! | divide **work** | [`Shards`] and the module [`shards`]: a table of who owns what; a [`Worker`](shards::Worker) is told its [`Step`](shards::Step)s, or [`Shards::run`] runs a closure for each shard; [`Shards::enter`] lets work in; [`Partition`] does without a planner |
//! | know **how it goes** | [`status`](Reader::status): [`Status`], [`Phase`]; of a log [`LogClient::status`]: [`LogStatus`]; [`quarantine`](Reader::quarantine): [`Quarantined`], [`LastGood`]; [`Error`] and [`ErrorKind`] below, with [`Conflict`], [`FailedPrecondition`], [`Standing`] |
//! | use **keys and values** of your own | [`Key`] ([`key_error`]), made of [`IntoKey`], looked up by [`Lookup`] and [`Finder`], begun by [`KeyPrefix`], between the ends of a [`KeyRange`]; [`Codec`]: [`Encode`], [`Decode`], [`CodecError`], [`Json`], [`MessagePack`] |
//! | **test** your code | [`MemoryLog`], which can be made to fail; the module [`testing`] for one that fails by a seed |
//! | **write a log** | [`LogClient`], [`Keyspace`], [`Capabilities`], [`Precondition`], [`LeaseId`]; all its nouns: [`log_client`] |
//!
//! # What an error means
//!
//! [`Error::kind`] says what the caller can do next. Every failure is one
//! [`Error`]; none shows a value or a credential.
//!
//! | [`ErrorKind`] | was it written? | what to do |
//! |---|---|---|
//! | [`Conflict`](ErrorKind::Conflict) | no | look at what stands there, which is inside, and decide anew |
//! | [`Indeterminate`](ErrorKind::Indeterminate) | perhaps | [`sync`](Reader::sync), read, and decide anew |
//! | [`Behind`](ErrorKind::Behind) | yes | wait for the position inside; do not repeat it |
//! | [`EpochChanged`](ErrorKind::EpochChanged) | no, of a version of a former life; otherwise not known | read, and decide anew: the log was restored |
//! | [`Unavailable`](ErrorKind::Unavailable), [`Full`](ErrorKind::Full) | no | try again later; of `Full`, tell an operator |
//! | [`Denied`](ErrorKind::Denied) | no | a person has to change something |
//! | [`TooLarge`](ErrorKind::TooLarge), [`Codec`](ErrorKind::Codec), [`Invalid`](ErrorKind::Invalid), [`Unsupported`](ErrorKind::Unsupported) | no | mend the call: a later one fails as well |
//! | [`Stale`](ErrorKind::Stale) | of a look: nothing so new by the deadline | look at what is there, or wait longer |
//! | [`Closed`](ErrorKind::Closed), [`Panicked`](ErrorKind::Panicked) | no | open the map again; mend the `Hash`, `Ord`, `Clone` or `Drop` that panicked |
//! | [`Aborted`](ErrorKind::Aborted) | no | as your closure decided |
//! | [`LeaseLost`](ErrorKind::LeaseLost) | no | the lease the key had is gone: write again |
//! | [`NotHeld`](ErrorKind::NotHeld) | no | stop what relies on the lock or term; acquire it anew |
//! | [`Busy`](ErrorKind::Busy) | no | try again later, or wait longer |
//! | [`Compacted`](ErrorKind::Compacted) | – | only who speaks to a log by himself meets it |
//!
//! # What you may rely on
//!
//! The README names the tests that show each of these.
//!
//! 1. **A read is local**: it never waits, never fails, never touches the
//!    network. It costs the memory of the whole map on every node.
//! 2. **A [`View`] is the whole map at exactly one revision**, in O(1). A
//!    transaction is seen whole or not at all.
//! 3. **A replica never goes back**, across `get`, `view` and `watch`, unless
//!    the log itself was restored: then it is in a new [`Epoch`].
//! 4. **A write that returned `Ok` is committed and visible in this process.**
//!    Others see it as it arrives, or when they wait for its [`Position`].
//! 5. **Errors tell the truth**, also where the outcome is not known.
//! 6. **[`Consistency`] is how long you wait before you look.**
//! 7. **Nothing is lost at a gap**: after an outage, a compaction or a restore
//!    the map moves on by one exact difference, marked as such.
//! 8. **A slow watcher harms nobody**, and costs no unbounded memory.
//! 9. **A dead stream is noticed and replaced**; [`Status::staleness`] counts
//!    from the last linearizable proof, not from the last message.
//! 10. **A bad value stays out** ([`Quarantined`]); the other keys live on.
//! 11. **What a [`Session`] wrote ends with it**, and it stops trusting its lease
//!     before that can end. An outage is a pause and not a death. A key stays
//!     with its lease, unless it is taken off by name ([`Globe::put_detached`]).
//! 12. **Every call can be dropped at any await.** A write that was dropped may
//!     or may not have been committed, but never in part.
//!
//! # Where it stops
//!
//! - Every node holds every key, decoded, and applies every write of the
//!   keyspace; the log orders them all. Very high write rates, many writers on
//!   one key, and more data than fits in memory are not for it.
//! - A lock is advice; what must not happen twice needs its token, as
//!   `docs/recipes.md` says. It is no queue.
//! - A transaction validates the keys it read, not ranges: see [`Txn::range`].
//! - One commit is bounded by the log: see [`Capabilities`].
//! - Values are decoded on arrival, on a runtime thread: a codec that blocks
//!   there blocks the map. So do `Hash`, `Ord`, `Clone` and `Drop` of keys.
//!
//! # Features
//!
//! None is a default, and none changes what the others do.
//!
//! | feature | what it brings |
//! |---|---|
//! | `etcd` | [`EtcdLog`], and the module [`etcd`] to build one that differs from the default; its build needs `protoc` |
//! | `sqlite` | [`SqliteLog`], and the module [`sqlite`] to open one that differs from the default; its build needs a C compiler |
//! | `messagepack` | the codec [`MessagePack`]: smaller and faster than JSON, not readable in the log's own tools |
//! | `tower` | `Registry::discover`: the members of a service for a balancer of tower or tonic |
//! | `uuid` | `uuid::Uuid` as a [`Key`] |
//! | `testing` | the module [`testing`] |
//!
// What a feature brings is a link where it is there, and otherwise one to the table of features.
#![cfg_attr(feature = "etcd", doc = "[`EtcdLog`]: crate::EtcdLog")]
#![cfg_attr(feature = "etcd", doc = "[`etcd`]: crate::etcd")]
#![cfg_attr(feature = "sqlite", doc = "[`SqliteLog`]: crate::SqliteLog")]
#![cfg_attr(feature = "sqlite", doc = "[`sqlite`]: crate::sqlite")]
#![cfg_attr(feature = "messagepack", doc = "[`MessagePack`]: crate::MessagePack")]
#![cfg_attr(feature = "testing", doc = "[`testing`]: crate::testing")]
#![cfg_attr(not(feature = "etcd"), doc = "[`EtcdLog`]: #features")]
#![cfg_attr(not(feature = "etcd"), doc = "[`etcd`]: #features")]
#![cfg_attr(not(feature = "sqlite"), doc = "[`SqliteLog`]: #features")]
#![cfg_attr(not(feature = "sqlite"), doc = "[`sqlite`]: #features")]
#![cfg_attr(not(feature = "messagepack"), doc = "[`MessagePack`]: #features")]
#![cfg_attr(not(feature = "testing"), doc = "[`testing`]: #features")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// So that what the README shows is compiled and run as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod builder;
mod cached;
mod connect;
mod consistent_views;
mod entry;
mod fence;
mod follow;
mod globe;
mod ground;
mod hearing;
mod map_settings;
mod read;
mod reader;
mod recipes;
mod replica;
mod session;

mod transaction;
mod write;
mod writing;

pub use builder::Builder;
pub use cached::Cached;
pub use connect::connect;
pub use consistent_views::{AnyMap, Maps, consistent_views};
pub use entry::Entry;
pub use entry::change::{Change, ResyncReason};
#[cfg(feature = "messagepack")]
pub use entry::codec::MessagePack;
pub use entry::codec::{Codec, CodecError, Decode, Encode, Json};
pub use entry::into_key::IntoKey;
pub use entry::key::{Key, key_error};
pub use entry::key_range::KeyRange;
pub use entry::lookup::{Finder, Lookup};
pub use entry::prefix::KeyPrefix;
pub use entry::quarantine::{LastGood, Quarantined};
pub use fence::{Fenced, Gate, Token};
pub use globe::Globe;
pub use read::consistency::Consistency;
pub use read::iter::{Iter, Range};
pub use read::phase_watch::PhaseWatch;
pub use read::quarantine_watch::{QuarantineChanges, QuarantineWatch};
pub use read::stream::WatchStream;
pub use read::value_watch::ValueWatch;
pub use read::view::View;
pub use read::watch::{Cause, Changes, Watch};
pub use read::withheld_watch::WithheldWatch;
pub use reader::Reader;
pub use recipes::barrier::Barrier;
pub use recipes::claim::{Claim, Claims, Mode};
pub use recipes::counter::{Count, Counter, Counts};
pub use recipes::double_barrier::{DoubleBarrier, Entered};
pub use recipes::election::{Election, Leadership, Observe};
pub use recipes::hold::Hold;
pub use recipes::ids::Ids;
pub use recipes::latch::Latch;
pub use recipes::lock::{Holder, Lock, LockGuard};
pub use recipes::partition::Partition;
pub use recipes::registry::handle::Registry;
pub use recipes::request::Request;
pub use recipes::rw_lock::{ReadGuard, RwLock, WriteGuard};
pub use recipes::semaphore::{Permit, Semaphore};
pub use recipes::settings::book::Settings;
pub use recipes::shards::handle::Shards;
pub use replica::guard::Guard;
pub use replica::status::{Phase, Status};
pub use replica::withheld::Withheld;
pub use session::builder::SessionBuilder;
pub use session::settings::Policy;
pub use session::state::{Loss, SessionEvent, SessionState, SessionStatus};
pub use session::{Session, SessionEvents};
pub use transaction::txn::Txn;
pub use write::expected::Expected;
pub use write::written::{Committed, Edit, Updated, Written, WrittenAll};

/// What it takes to build an etcd log that differs from the default.
#[cfg(feature = "etcd")]
pub mod etcd {
    pub use globe_etcd::{EtcdBuilder, EtcdLog, Tls};
}

/// A copy of a map on disk, with which it starts while its log is down. It begins with [`Offline`].
pub mod offline {
    pub use globe_offline::{Offline, OfflineCopy, RecordedLog, Refusal, Seal, Start};
}

/// What it takes to open an SQLite log in another way than the default.
#[cfg(feature = "sqlite")]
pub mod sqlite {
    pub use globe_sqlite::{SqliteLog, SqliteLogBuilder, Synchronous};
}

/// A table of shards: which member of a cluster owns what, and how that moves. It begins with [`Shards`].
pub mod shards {
    pub use crate::recipes::shards::balance::Balance;
    pub use crate::recipes::shards::builder::ShardsBuilder;
    pub use crate::recipes::shards::handle::Shards;
    pub use crate::recipes::shards::incarnation::Incarnation;
    pub use crate::recipes::shards::operating::ShardsStatus;
    pub use crate::recipes::shards::owned::{NotOwner, OwnedShard, ShardGuard};
    pub use crate::recipes::shards::planner::{Move, Planner, Situation};
    pub use crate::recipes::shards::row::{Mode, Phase, Row};
    pub use crate::recipes::shards::shard_member::{MemberState, Peer, ShardMember};
    pub use crate::recipes::shards::steps::{Drain, Dropped, Prepare, Step};
    pub use crate::recipes::shards::table::{Owner, Table};
    pub use crate::recipes::shards::worker::{Leaver, Worker};
}

/// The live configuration of a process: [`Settings`], and all that belongs to it.
pub mod settings {
    pub use crate::recipes::settings::binding::Binding;
    pub use crate::recipes::settings::book::Settings;
    pub use crate::recipes::settings::builder::SettingsBuilder;
    pub use crate::recipes::settings::current::{CachedSetting, Current};
    pub use crate::recipes::settings::declare::Declare;
    pub use crate::recipes::settings::explanation::{Explanation, Field};
    pub use crate::recipes::settings::history::{Past, PastValue};
    pub use crate::recipes::settings::problem::Problem;
    pub use crate::recipes::settings::rollout::Rollout;
    pub use crate::recipes::settings::scope::Scope;
    pub use crate::recipes::settings::setting::Setting;
    pub use crate::recipes::settings::source::Source;
    pub use crate::recipes::settings::stages::Staged;
    pub use crate::recipes::settings::subscription::Subscription;
    pub use crate::recipes::settings::watch::SettingWatch;
}

/// Who offers a service, and whom to ask: all that belongs to a [`Registry`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::registry::{Member, Pick};
/// use globe::{MemoryLog, Registry, Session};
///
/// let log = MemoryLog::new();
/// let registry: Registry<String> = Registry::open(log.clone(), "services").await?;
/// let session = Session::open(log).await?;
/// let me = Member::new("web-7", "10.0.0.7:80".to_owned()).zone("eu-1");
/// let mine = registry.register(&session, "billing", me).await?;
/// let picker = registry.picker("billing", Pick::Weighted);
/// assert_eq!(picker.pick().expect("there is one").id, "web-7");
/// mine.deregister().await?;
/// assert!(picker.pick().is_none());
/// # Ok(()) }
/// ```
pub mod registry {
    pub use crate::recipes::registry::builder::RegistryBuilder;
    #[cfg(feature = "tower")]
    pub use crate::recipes::registry::discover::Discovery;
    pub use crate::recipes::registry::handle::Registry;
    pub use crate::recipes::registry::health::Health;
    pub use crate::recipes::registry::member::{Member, State};
    pub use crate::recipes::registry::members::{Members, MembersIter};
    pub use crate::recipes::registry::pick::Pick;
    pub use crate::recipes::registry::picker::{Picked, Picker};
    pub use crate::recipes::registry::registration::Registration;
    pub use crate::recipes::registry::status::{HeldBack, RegistryStatus};
    pub use crate::recipes::registry::vanish::Vanish;
    pub use crate::recipes::registry::watch::{MemberChange, MembersWatch};
}

/// Logs to test one's own code on: one that lives in the process, with the verbs of its operator, and one around any log that
/// fails by a seed.
///
/// ```
/// # use globe::{Globe, Result};
/// use globe::testing::{FaultyLog, Faults, MemoryLog};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let builder = FaultyLog::builder(MemoryLog::new());
/// let log = builder.seed(7).faults(Faults::none()).build();
/// let flags: Globe<String, bool> = Globe::open(log.clone(), "flags").await?;
/// log.set_faults(Faults::legal()); // From here on it is a bad day.
/// # log.heal();
/// # flags.put("dark-mode", true).await?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "testing")]
pub mod testing {
    pub use globe_faulty::{Fault, Faults, FaultyLog, FaultyLogBuilder, Operator, Restore};
    pub use globe_memory::{MemoryBackup, MemoryLog, MemoryLogBuilder};
}

#[cfg(feature = "etcd")]
pub use globe_etcd::EtcdLog;
pub use globe_memory::MemoryLog;
pub use globe_offline::Offline;
#[cfg(feature = "sqlite")]
pub use globe_sqlite::SqliteLog;

pub use globe_log_client::{
    Capabilities, Conflict, Epoch, Error, ErrorKind, FailedPrecondition, Keyspace, LeaseId,
    LogClient, LogStatus, Position, Precondition, Result, Revision, Standing, Version,
};

/// The contract of a log, for those who write a backend: every noun of it is here.
pub use globe_log_client as log_client;
