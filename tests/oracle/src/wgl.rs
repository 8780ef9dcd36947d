//! A search for an order that explains a history: the second opinion on linearizability.
//!
//! It knows nothing of revisions.
