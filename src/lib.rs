//! Globe.
