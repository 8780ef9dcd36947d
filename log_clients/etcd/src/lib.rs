//! The etcd log.
