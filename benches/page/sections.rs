//! The tables of the page in their order, and what is said of each: the only words of the page that were written by hand, beside
//! those at its head.
//!
//! It never says what came out: that is in the tables.

/// A table.
pub(crate) struct Section {
    /// Its name among the results.
    pub(crate) group: &'static str,
    /// What stands above it.
    pub(crate) title: &'static str,
    /// What there is to know of it.
    pub(crate) about: &'static str,
}

impl Section {
    /// Whether it is drawn as well.
    pub(crate) fn is_drawn(&self) -> bool {
        DRAWN.contains(&self.group)
    }
}

const fn section(group: &'static str, title: &'static str, about: &'static str) -> Section {
    Section {
        group,
        title,
        about,
    }
}

const DRAWN: &[&str] = &[
    "point_reads",
    "point_reads_p99",
    "rpc_reads",
    "one_key",
    "views",
    "watches",
    "watches_p99",
];

const POINT_READS: &str = "How long a reader takes for a read, each on a thread of its own, all on the same data: keys of 30 bytes \
    in an order no cache knows, values that are kept after the read (`Arc<u64>`; of kube-runtime's store, `Arc<ConfigMap>`). \
    Somebody writes meanwhile on one more thread: to Globe by commits to its log in memory, which the map decodes and applies on yet \
    another, to the others right into the map. At full speed each is written as fast as it takes it, so whoever takes more \
    disturbs his readers more: look at the writes below.";

const SINGLE: &str = "With a look at the clock in each, which the same figures of a handle on one key show nearly by itself.";

const WRITES: &str = "By one writer, while the readers read as fast as they can. A write of Globe is a commit of its own to the \
    log, read, decoded, and applied to a map that keeps views; the others only swap a value.";

const MANY_WRITERS: &str = "Tasks of one process put at once, each its own keys, one after the other, and wait until its own map shows \
    it. A row that says *each* is the time divided by all writes of all tasks. By hand is a transaction of etcd-client that is \
    guarded by the revision of the key and by a slot of its writer, as Globe's are, and keeps no map.";

const VIEWS: &str = "A view of Globe, beside the list that kube-runtime's store hands out (`state()`). The list has no order, so who \
    wants a part of it looks at all; what has changed is found by comparing two lists by hand.";

const WATCHES: &str = "One write after the other to a key that all of them watch, each when all have shown the one before; beside \
    receivers of a `tokio::sync::broadcast`, which carries what it is sent and knows no map, no log and no difference. What Globe \
    does for a delivery begins with the commit to its log in memory.";

const STALLED: &str = "Among those that watch all, one is there that never looks, while everything is written again and again: how \
    long the others wait for what was written, beside the same without it.";

const QUIET: &str = "How fast writes of other keys come through to a map while keys that nobody writes are watched, beside a map \
    without watches.";

const TRANSACTIONS: &str = "Each worker makes one transaction after the other, all in one process: it reads five numbers, and puts one \
    of them back, one larger. By hand is etcd's `concurrency.NewSTM` as etcd-client would do it, at its default, which is serializable \
    with snapshots: the first read asks for the newest revision, the others for that one, the commit compares what was read, and one \
    that is refused reads anew what the next attempt needs. Where there are conflicts, all keys are drawn from ten. In the end all \
    numbers together must be as large as transactions were made. A row that says *each* is the time divided by all transactions of all \
    workers.";

const MAPS: &str = "The maps are opened by one URL, so they share a client, and each follows a keyspace with one entry. Beside bare \
    watches: as many of one client of etcd-client, which keep nothing. What is called idle is measured while nobody writes, the rest \
    while a client of its own puts 100 times a second, to all keyspaces in turn. Each number has a server of its own, and a process of \
    its own; what the process has of the memory is what no file is behind. Of etcd it is all that its process has and takes, with \
    what it does by itself and for the puts. *One more* is the slope of the line that is nearest to the numbers above it (least \
    squares).";

const PROCESSES: &str = "All follow the same keyspace of 1,000 entries, to which the puts go. Of the clients it is what all of them have \
    and take together. Beside a bare watch of each process, which has read none of the entries. Each process looks four \
    times a second whether all is over. Otherwise as above.";

const VISIBLE: &str = "From the call of a put until another process says that it has seen it, one after the other. By hand is a transaction of \
    etcd-client that is guarded by the revision of the key and by a slot of its writer, as Globe's are, in a process that watches \
    as well; the others are no more than a put. What shows them is a map of Globe or a bare watch of etcd-client. Meanwhile nothing \
    else is written, or somebody else of the same process puts other keys in the same way.";

const HYDRATION: &str = "From nothing to a map of 30-byte keys and texts of 100 bytes, beside ranges of etcd-client whose pages are as \
    large and are dropped: as it is done without a thought, where etcd counts for each page how many keys are left, and by one who \
    knows all keys and says where each page ends. The last two keep what the latter reads: a `HashMap<String, Arc<String>>`, and \
    the store of kube-runtime with a `ConfigMap` for each record.";

const HYDRATION_BYTES: &str = "What a process has got more of the system's memory than before, divided by the entries: 30-byte keys \
    and `u64` values, which are an `Arc<u64>` each in the `HashMap`, and a `ConfigMap` in the store. Each is measured in a process \
    of its own. At the peak there are pages of etcd as well, and what its allocator has not given back is counted.";

const HYDRATION_STALL: &str = "The longest that a task which does nothing but yield waits for its next turn, on a runtime of one worker \
    that reads a keyspace meanwhile: by the clock, and without what that worker waited for a processor which others had, as the \
    system tells it. A page comes as one message, which tonic parses at once: that is a gap of all who read it.";

const PUT_ALL: &str = "Puts by hand have no guards, and nobody's map shows them: `put_all` of Globe compares each key with what is \
    known of it, and returns when its own map shows all.";

const SYNC: &str = "After `sync` the map shows all that was committed before the call; a range of etcd-client brings one key. Those who \
    call at once share questions that were asked after they called: how many these are shows in what etcd is sent, which is all \
    of it, with what a map asks by itself.";

pub(crate) const SECTIONS: &[Section] = &[
    section(
        "point_reads",
        "A read of one key, beside maps of this process",
        POINT_READS,
    ),
    section("point_reads_p50", "Single reads: the median", SINGLE),
    section(
        "point_reads_p99",
        "Single reads: 99 of 100 took at most",
        "",
    ),
    section(
        "point_reads_p999",
        "Single reads: 999 of 1,000 took at most",
        "",
    ),
    section(
        "point_reads_writes",
        "Writes that readers were shown in a second",
        WRITES,
    ),
    section(
        "rpc_reads",
        "A read of one key, beside servers that are asked for it",
        "The same, beside servers on this machine. Each reader has a connection of its own.",
    ),
    section(
        "rpc_reads_p50",
        "Single reads beside servers: the median",
        "",
    ),
    section(
        "rpc_reads_p99",
        "Single reads beside servers: 99 of 100 took at most",
        "",
    ),
    section(
        "rpc_reads_p999",
        "Single reads beside servers: 999 of 1,000 took at most",
        "",
    ),
    section("rpc_reads_writes", "Writes in a second beside servers", ""),
    section(
        "one_key",
        "A handle on one key",
        "`Globe::cached`, beside the cache of an `arc_swap`, while other keys are written.",
    ),
    section(
        "one_key_p50",
        "A handle on one key: the median of single reads",
        "",
    ),
    section(
        "one_key_p99",
        "A handle on one key: 99 of 100 took at most",
        "",
    ),
    section(
        "one_key_p999",
        "A handle on one key: 999 of 1,000 took at most",
        "",
    ),
    section(
        "one_key_writes",
        "A handle on one key: writes to others in a second",
        "",
    ),
    section("views", "All of a map at one moment", VIEWS),
    section("watches", "Deliveries to watches in a second", WATCHES),
    section(
        "watches_p99",
        "From the write to its delivery: 99 of 100 took at most",
        "",
    ),
    section(
        "watches_stalled",
        "One watch of many never looks: what 99 of 100 deliveries to the others took at most",
        STALLED,
    ),
    section("watches_quiet", "Watches of keys that are quiet", QUIET),
    section(
        "watches_bytes",
        "What a watch of a key takes of the memory",
        "Beside a receiver of a `tokio::sync::watch`.",
    ),
    section("figures", "Reads, beside what they are made of", ""),
    section("settings", "Settings", ""),
    section("registry", "Registries", ""),
    section("shards", "Shard tables", ""),
    section("tables", "Shard tables, on etcd", ""),
    section("sqlite", "The embedded log", ""),
    section("offline", "The copy on disk", ""),
    section(
        "visible",
        "A put until another process shows it, on etcd",
        VISIBLE,
    ),
    section(
        "visible_noise",
        "What somebody else put meanwhile, in a second",
        "",
    ),
    section("hydration", "From nothing to a map, on etcd", HYDRATION),
    section(
        "hydration_bytes",
        "What an entry takes of the memory",
        HYDRATION_BYTES,
    ),
    section(
        "hydration_stall",
        "How long others on the executor wait while a map is read",
        HYDRATION_STALL,
    ),
    section("put_all", "Many entries at once, on etcd", PUT_ALL),
    section("sync", "A linearizable read, on etcd", SYNC),
    section("writes", "Many writers at once, on etcd", MANY_WRITERS),
    section(
        "transactions",
        "Transactions of five reads and a write, on etcd",
        TRANSACTIONS,
    ),
    section("sessions", "Sessions, on etcd", ""),
    section("locks", "Locks, on etcd", ""),
    section("growth_maps", "More and more maps of one process", MAPS),
    section(
        "growth_many",
        "What 100 maps of one process cost etcd, beside one map",
        "In the same rounds: the one map follows one of 100 keyspaces, to all of which the puts go.",
    ),
    section(
        "growth_processes",
        "More and more processes with one map",
        PROCESSES,
    ),
    section("load", "What clients cost an etcd cluster", ""),
];
