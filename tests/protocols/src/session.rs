//! What a session does about a key, as the map's table has it.
//!
//! Never a rule of its own: only what the table and the fences mention is stood in for.

#[path = "../../../src/session/judgement.rs"]
pub(crate) mod judgement;

/// What becomes of entries after a loss. No claim is treated by it.
pub(crate) mod settings {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Policy {
        Reclaim,
        ReclaimIfUnowned,
        GiveUp,
    }
}

/// What the fences mention of claims.
pub(crate) mod claims {
    use globe_log_client::{Error, ErrorKind, Keyspace, LogId, Position};

    pub struct Claimed {
        map: (LogId, Keyspace),
        text: Vec<u8>,
        created: Position,
    }

    impl Claimed {
        pub(crate) fn map(&self) -> &(LogId, Keyspace) {
            &self.map
        }

        pub(crate) fn text(&self) -> &[u8] {
            &self.text
        }

        pub(crate) fn created(&self) -> Position {
            self.created
        }
    }

    pub(crate) fn not_held(_: &[u8]) -> Error {
        Error::new(ErrorKind::NotHeld, "it is not held any more")
    }
}
