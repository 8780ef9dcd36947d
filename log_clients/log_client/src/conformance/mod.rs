//! The conformance suite: each MUST of the contract as named cases.
