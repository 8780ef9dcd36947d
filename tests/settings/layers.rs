//! Layers: which has a say, how they are merged, and what is explained of that.

use std::collections::BTreeMap;

use globe::settings::{Scope, Source};
use globe::{ErrorKind, MemoryLog};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::rig::{fails_with, until, write_raw};
use crate::{SPACE, delete, limit, one, put, settings, settings_of, shows};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Http {
    timeout: u64,
    retries: Option<u32>,
    pool: Pool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pool {
    size: u32,
    name: String,
}

fn http() -> Http {
    let name = "web".to_owned();
    Http {
        timeout: 250,
        retries: Some(2),
        pool: Pool { size: 10, name },
    }
}

#[tokio::test(start_paused = true)]
async fn the_specific_layer_wins() {
    let (log, limit) = one().await;
    assert_eq!(*limit.get().source(), Source::Default);
    for (number, layer) in ["global", "region:eu", "host:web-7"]
        .into_iter()
        .enumerate()
    {
        let value = number as u64 + 1;
        limit.publish(layer, value).await.unwrap();
        assert_eq!(*limit.get(), value, "read your writes");
        assert_eq!(*limit.get().source(), Source::Layer(layer.to_owned()));
    }
    // Others' layers have no say, nor has a wider one.
    limit.publish("region:us", 8).await.unwrap();
    limit.publish("host:web-70", 8).await.unwrap();
    limit.publish("global", 9).await.unwrap();
    assert_eq!(*limit.get(), 3);
    limit.clear("host:web-7").await.unwrap();
    assert_eq!(*limit.get(), 2);
    delete(&log, "region:eu").await;
    shows(&limit, 9).await;
    limit.clear("global").await.unwrap();
    assert_eq!(*limit.get(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_put_by_hand_is_a_publish() {
    let (log, limit) = one().await;
    put(&log, "global", "250").await;
    shows(&limit, 250).await;
    put(&log, "region:eu", " 300\n").await;
    shows(&limit, 300).await;
    put(&log, "region:eu/x", "7").await;
    put(&log, "region:europe", "7").await;
    put(&log, "globals", "7").await;
    limit.publish("host:web-8", 1).await.unwrap();
    assert_eq!(*limit.get(), 300);
}

#[tokio::test(start_paused = true)]
async fn structs_are_merged_field_by_field_and_each_field_is_explained() {
    let log = MemoryLog::new();
    let there = settings(&log, "admin")
        .await
        .declare("http", http())
        .open()
        .unwrap();
    let here = settings(&log, "web-7")
        .await
        .declare("http", http())
        .open()
        .unwrap();
    there
        .patch("global", json!({"pool": {"size": 20}, "retries": 5}))
        .await
        .unwrap();
    there
        .patch(
            "region:eu",
            json!({"retries": null, "pool": {"name": "eu"}}),
        )
        .await
        .unwrap();
    write_raw(
        &log,
        SPACE,
        "http/host:web-7",
        r#"{"timeout":400,"retries":null}"#,
    )
    .await;

    let mut expected = http();
    (expected.timeout, expected.retries) = (400, None);
    expected.pool = Pool {
        size: 20,
        name: "eu".to_owned(),
    };
    shows(&here, expected).await;
    assert_eq!((there.get().timeout, there.get().retries), (250, Some(5)));

    let explained = here.explain();
    let fields: Vec<_> = explained
        .fields
        .iter()
        .map(|field| {
            let by = field.by.clone().unwrap_or_default();
            (field.field.as_str(), field.source.to_string(), by)
        })
        .collect();
    let row = |field, source: &str, by: &str| (field, source.to_owned(), by.to_owned());
    assert_eq!(
        fields,
        [
            row("/pool/name", "region:eu", "admin"),
            row("/pool/size", "global", "admin"),
            row("/timeout", "host:web-7", ""),
        ]
    );
    assert!(explained.fields.iter().all(|field| field.since.is_some()));
    assert!(
        explained.fields[0]
            .at
            .as_ref()
            .is_some_and(|at| at.ends_with('Z'))
    );
    // It says where from, and never what.
    let written = serde_json::to_string(&explained).unwrap();
    assert!(
        written.contains(r#""field":"/timeout","source":"host:web-7""#),
        "{written}"
    );
    assert!(!written.contains("400"), "{written}");
}

/// A patch says what is different at its layer, and takes it back.
#[tokio::test(start_paused = true)]
async fn a_patch_leaves_the_other_fields_of_its_layer_as_they_are() {
    let log = MemoryLog::new();
    let http = settings(&log, "web-7")
        .await
        .declare("http", http())
        .open()
        .unwrap();
    http.patch("global", json!({"timeout": 300})).await.unwrap();
    http.patch("global", json!({"pool": {"size": 1}}))
        .await
        .unwrap();
    assert_eq!((http.get().timeout, http.get().pool.size), (300, 1));
    http.patch("global", json!({"timeout": null}))
        .await
        .unwrap();
    assert_eq!((http.get().timeout, http.get().pool.size), (250, 1));
    // A whole value says everything.
    let mut whole = self::http();
    whole.timeout = 9;
    http.publish("region:eu", whole.clone()).await.unwrap();
    http.patch("global", json!({"timeout": 301})).await.unwrap();
    assert_eq!(*http.get(), whole);
}

#[tokio::test(start_paused = true)]
async fn layers_are_as_specific_as_they_were_named_late() {
    let log = MemoryLog::new();
    let scope = Scope::new("web/7")
        .layer("region", "eu")
        .layer("zone", "eu:1/a");
    let limit = limit(&settings_of(&log, scope).await);
    limit.publish("zone:eu:1/a", 2).await.unwrap();
    limit.publish("region:eu", 1).await.unwrap();
    assert_eq!(*limit.get(), 2);
    limit.publish("host:web/7", 3).await.unwrap();
    assert_eq!(*limit.get(), 3);
    put(&log, "host:web%2F7", "4").await;
    shows(&limit, 4).await;
}

/// Whatever a name holds, and however much alike two are.
#[tokio::test(start_paused = true)]
async fn no_setting_hears_of_another() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let names = [
        "a",
        "a/global",
        "a.b",
        "a%2Fglobal",
        "global",
        "was",
        "rollout",
    ];
    let all = names.map(|name| settings.declare(name, String::new()).open().unwrap());
    for setting in &all {
        setting
            .publish("global", setting.name().to_owned())
            .await
            .unwrap();
    }
    for setting in &all {
        assert_eq!(*setting.get(), setting.name());
        assert!(setting.problems().is_empty(), "{:?}", setting.problems());
        assert_eq!(setting.history("global").unwrap().len(), 1);
    }
}

/// One value, exactly: also where JSON is at its limits.
#[tokio::test(start_paused = true)]
async fn values_are_those_that_were_published() {
    let log = MemoryLog::new();
    let (here, there) = (settings(&log, "a").await, settings(&log, "b").await);
    macro_rules! travels {
        ($name:literal, $default:expr, $value:expr) => {
            let value = $value;
            let setting = here.declare($name, $default).open().unwrap();
            setting.publish("global", value.clone()).await.unwrap();
            let other = there.declare($name, $default).open().unwrap();
            until($name, || *other.get() == value && *setting.get() == value).await;
        };
    }
    travels!("u64", 0_u64, u64::MAX);
    travels!("i64", 0_i64, i64::MIN);
    travels!("f64", 0.0_f64, 0.1 + 0.2);
    travels!("f32", 0.0_f32, 0.1_f32);
    travels!("none", Some(1_u8), None::<u8>);
    travels!("unit", (), ());
    travels!("text", String::new(), "null".to_owned());
    travels!(
        "map",
        std::collections::BTreeMap::new(),
        std::collections::BTreeMap::from([(7_u32, 'x')])
    );
    travels!("json", json!(null), json!({"a": [1, {"b": "c"}]}));
}

/// Five, unless something else is said: nothing, for one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Retries {
    #[serde(default = "five")]
    retries: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

fn five() -> Option<u32> {
    Some(5)
}

/// Whatever is wider has fields that this value has not.
#[tokio::test(start_paused = true)]
async fn what_was_published_is_what_is_shown_or_it_is_refused() {
    let settings = settings(&MemoryLog::new(), "web-7").await;
    let limits = |names: &[&str]| {
        names
            .iter()
            .map(|name| ((*name).to_owned(), 1))
            .collect::<BTreeMap<_, u8>>()
    };
    let of_users = settings
        .declare("users", limits(&["a", "b"]))
        .open()
        .unwrap();
    of_users
        .publish("global", limits(&["b", "c"]))
        .await
        .unwrap();
    assert_eq!(*of_users.get(), limits(&["b", "c"]));
    of_users.publish("region:eu", limits(&[])).await.unwrap();
    assert_eq!(*of_users.get(), limits(&[]));
    let _staged = of_users
        .rollout("host:web-7", limits(&["d"]))
        .percent(100)
        .start()
        .await
        .unwrap();
    assert_eq!(*of_users.get(), limits(&["d"]));

    let note = Some("x".to_owned());
    let noted = Retries {
        retries: Some(1),
        note,
    };
    let retries = settings.declare("retries", noted.clone()).open().unwrap();
    let bare = Retries {
        retries: Some(1),
        note: None,
    };
    retries.publish("global", bare.clone()).await.unwrap();
    assert_eq!(*retries.get(), bare);
    // No patch can say `null`, and a field that is missing is five.
    let error = fails_with(
        retries.publish("global", Retries::default()).await,
        ErrorKind::Invalid,
    );
    assert!(
        error.to_string().contains("a field of it is null"),
        "{error}"
    );
    let staged = retries.rollout("global", Retries::default()).start().await;
    fails_with(staged, ErrorKind::Invalid);
    assert_eq!(*retries.get(), bare);
}
