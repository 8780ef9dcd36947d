//! Runtimes that lack what the log needs, or no runtime at all: a typed error, and no panic that anybody but a hook sees.
#![allow(clippy::unwrap_used, reason = "a test may")]

use futures::FutureExt;
use globe_etcd::EtcdLog;
use globe_log_client::{Error, ErrorKind, Keyspace, LogClient, Result};
use tokio::runtime::Builder;

const ENDPOINT: &str = "http://127.0.0.1:1";

fn is_invalid<T>(answer: Result<T>, part: &str) -> Error {
    let error = answer.map(drop).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains(part), "{part}: {error}");
    error
}

#[test]
fn connecting_outside_of_a_runtime_is_invalid_and_no_panic() {
    let now = EtcdLog::connect([ENDPOINT]).now_or_never().unwrap();
    is_invalid(now, "tokio runtime");
    let url = EtcdLog::from_url("etcd://127.0.0.1:1").now_or_never();
    is_invalid(url.unwrap(), "tokio runtime");
    let built = EtcdLog::builder().endpoint(ENDPOINT).connect();
    is_invalid(built.now_or_never().unwrap(), "tokio runtime");
}

#[test]
fn a_call_outside_of_a_runtime_is_invalid_and_no_panic() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let log = runtime.block_on(EtcdLog::connect([ENDPOINT])).unwrap();
    let keyspace = Keyspace::new("flags").unwrap();
    let head = log.head(&keyspace).now_or_never().unwrap();
    is_invalid(head, "tokio runtime");
    let snapshot = log.snapshot(&keyspace).now_or_never().unwrap();
    is_invalid(snapshot, "tokio runtime");
}

#[test]
fn a_runtime_without_a_driver_is_invalid_and_the_error_names_it() {
    let connect = |mut builder: Builder| {
        let runtime = builder.build().unwrap();
        runtime.block_on(EtcdLog::connect([ENDPOINT]))
    };
    is_invalid(connect(Builder::new_current_thread()), "time driver");
    let mut builder = Builder::new_current_thread();
    builder.enable_io();
    is_invalid(connect(builder), "enable_time");
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_time();
    is_invalid(connect(builder), "enable_io");
}
