//! Values are never shown: not by a `Debug`, an error, a message or a trace of the map.
//!
//! The credentials of a server are its backend's to test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::fmt::{Debug, Write};
use std::time::Duration;

use globe::{Expected, Globe, MemoryLog};
use rig::{Around, until, within, write_raw};
use serde::{Deserialize, Serialize};

const SECRET: &str = "hunter2";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Login {
    password: String,
}

fn login() -> Login {
    Login {
        password: SECRET.to_owned(),
    }
}

/// Everything that was shown, to be searched.
#[derive(Default)]
struct Shown(String);

impl Shown {
    fn debug(&mut self, what: &impl Debug) {
        writeln!(self.0, "{what:?} {what:#?}").unwrap();
    }

    fn error(&mut self, error: &globe::Error) {
        self.debug(error);
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            writeln!(self.0, "{error}").unwrap();
            cause = error.source();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_value_is_ever_shown() {
    let (ear, _listening) = rig::ear::listen();
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let mut shown = Shown::default();
    let builder =
        Globe::<String, Login>::builder(log.clone(), "logins").deadline(Duration::from_secs(1));
    shown.debug(&builder);
    let map = within("a map", builder.open()).await.unwrap();
    let mut watches = [
        map.watch(),
        map.watch().every_revision(2),
        map.watch_key("a"),
    ];
    map.put("a", login()).await.unwrap();
    map.update("a", |_| login()).await.unwrap();
    let bad = [
        &br#""hunter2""#[..],
        br#"{"password":["hunter2"]}"#,
        br#"{"hunter2":1}"#,
        b"hunter2",
        br#"{"password":"hunter2"#,
    ];
    for (number, bad) in bad.iter().enumerate() {
        write_raw(&log, "logins", &format!("bad{number}"), bad).await;
    }
    until("they are kept out", || map.quarantine().len() == bad.len()).await;
    for watch in &mut watches {
        shown.debug(watch);
        let changes = watch.try_next().unwrap();
        shown.debug(&changes);
        shown.debug(&changes.after());
        changes.iter().for_each(|change| shown.debug(change));
    }
    shown.debug(&map);
    shown.debug(&map.view());
    shown.debug(&map.get_entry("a"));
    shown.debug(&map.status());
    shown.debug(&map.quarantine());
    shown.debug(&map.view().diff(&watches[0].catch_up()));

    let txn: globe::Result<globe::Committed<()>> = map
        .transact(|txn| {
            txn.put(&map, "b", login())?;
            shown.debug(txn);
            Err(txn.abort("enough"))
        })
        .await;
    shown.error(&txn.unwrap_err());
    shown.error(&map.create("a", login()).await.unwrap_err());
    shown.error(
        &map.put_if("a", login(), Expected::Absent)
            .await
            .unwrap_err(),
    );
    shown.error(&map.update("bad0", |_| login()).await.unwrap_err());
    shown.error(
        &map.put(
            "huge",
            Login {
                password: SECRET.repeat(300_000),
            },
        )
        .await
        .unwrap_err(),
    );
    let many = (0..500).map(|key| (format!("k{key}"), login()));
    let too_many = map.transact(|txn| {
        many.clone()
            .try_for_each(|(key, value)| txn.put(&map, key, value))
    });
    shown.error(&too_many.await.unwrap_err());
    let strict = Globe::<String, Login>::builder(log.clone(), "logins")
        .strict(true)
        .open()
        .await;
    shown.error(&strict.unwrap_err());
    log.hold_tails(true);
    shown.error(&map.put("late", login()).await.unwrap_err());
    log.hold_tails(false);
    around.lose_replies(true);
    let lossy = Globe::<String, Login>::builder(around, "logins")
        .deadline(Duration::from_secs(1))
        .open()
        .await
        .unwrap();
    shown.error(&lossy.put("late", login()).await.unwrap_err());
    log.set_available(false);
    shown.error(&map.put("down", login()).await.unwrap_err());
    map.close().await;
    shown.error(&map.put("closed", login()).await.unwrap_err());

    assert!(
        shown.0.contains("logins") && shown.0.contains("bad0"),
        "keys are shown"
    );
    for text in [shown.0, ear.all()] {
        let found = text.lines().find(|line| line.contains(SECRET));
        assert!(found.is_none(), "{found:?}");
        assert!(!text.contains("104, 117, 110, 116"), "nor as bytes");
    }
}
