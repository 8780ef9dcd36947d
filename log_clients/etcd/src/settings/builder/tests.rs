//! Every setting is read, and what cannot be meant is refused by name.
//!
//! Never connects.

use super::*;

fn checked(builder: EtcdBuilder) -> Result<Settings> {
    let settings = builder.settings.checked()?;
    settings.check_files()?;
    Ok(settings)
}

fn refused(builder: EtcdBuilder) -> String {
    checked(builder).unwrap_err().to_string()
}

fn good() -> EtcdBuilder {
    EtcdBuilder::new().endpoint("127.0.0.1:2379")
}

#[test]
fn every_setting_reaches_its_place() {
    let second = Duration::from_secs(7);
    let builder = good()
        .namespace("app")
        .user("u", "p")
        .connect_timeout(second)
        .request_timeout(second * 2)
        .deadline(second * 3)
        .tail_timeout(second * 4)
        .keep_alive(second * 5, second * 6)
        .rebalance_after(second * 7)
        .page_size(5)
        .max_message_bytes(5 << 20)
        .server_version("3.6.9-rc.1")
        .max_operations(6)
        .max_transaction_bytes(7000)
        .fence_slots(8)
        .fence_ttl(second * 9);
    let settings = checked(builder).unwrap();
    assert_eq!(settings.commits.max_operations, 6);
    assert_eq!(settings.commits.max_transaction_bytes, 7000);
    assert_eq!(settings.commits.fence.slots, 8);
    assert_eq!(settings.commits.fence.ttl, second * 9);
    assert_eq!(settings.endpoints, ["http://127.0.0.1:2379"]);
    assert_eq!(settings.namespace, "app/");
    let login = settings.credentials.read().unwrap();
    assert_eq!(login, Some(("u".into(), "p".into())));
    assert_eq!(settings.connect_timeout, second);
    assert_eq!(settings.request_timeout, second * 2);
    assert_eq!(settings.deadline, second * 3);
    assert_eq!(settings.tail_timeout, second * 4);
    assert_eq!(settings.keep_alive_interval, second * 5);
    assert_eq!(settings.keep_alive_timeout, second * 6);
    assert_eq!(settings.rebalance_after, second * 7);
    assert_eq!(settings.page_size, 5);
    assert_eq!(settings.max_message_bytes, 5 << 20);
    assert_eq!(settings.server_version, Some(ServerVersion::parse("3.6.9")));
}

#[test]
fn a_namespace_ends_with_a_slash_and_a_prefix_as_it_was_given() {
    let table = [
        (good().namespace("a"), "a/"),
        (good().namespace("a/b/"), "a/b/"),
        (good().namespace("a").namespace(""), ""),
        (good().namespace("a").key_prefix("b-"), "b-"),
    ];
    for (builder, namespace) in table {
        assert_eq!(checked(builder).unwrap().namespace, namespace);
    }
}

#[test]
fn bad_settings_are_named() {
    let second = Duration::from_secs(1);
    let table = [
        (EtcdBuilder::new(), "endpoint"),
        (good().endpoint("ftp://h:1"), "endpoint 2 is neither http"),
        (good().endpoint("h:99999"), "endpoint 2 has a port"),
        (good().endpoint("u:p@h"), "endpoint 2 holds an @"),
        (good().endpoint("https://h:1"), "scheme"),
        (
            EtcdBuilder::new().endpoint("http://h:1").tls(Tls::new()),
            "TLS",
        ),
        (good().deadline(Duration::ZERO), "deadline"),
        (good().tail_timeout(Duration::MAX), "tail_timeout"),
        (good().request_timeout(Duration::ZERO), "request_timeout"),
        (good().connect_timeout(Duration::ZERO), "connect_timeout"),
        (good().keep_alive(second, second), "keep_alive_interval"),
        (
            good().keep_alive(second * 9, Duration::ZERO),
            "keep_alive_timeout",
        ),
        (good().rebalance_after(Duration::MAX), "rebalance_after"),
        (good().page_size(0), "page_size"),
        (good().max_message_bytes(1 << 20), "max_message_bytes"),
        (good().max_message_bytes(1 << 31), "max_message_bytes"),
        (good().server_version("newest"), "server_version"),
        (good().server_version("3.5"), "server_version"),
        (good().user("", "p"), "user name"),
        (good().user_name("u").password_file("/no/file"), "/no/file"),
        (good().namespace("n".repeat(300)), "namespace"),
    ];
    for (builder, part) in table {
        let message = refused(builder);
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn what_is_said_last_counts() {
    let provider = || Ok(("p".to_owned(), "asked".to_owned()));
    let builder = good().credentials(provider);
    let login = |builder: EtcdBuilder| checked(builder).unwrap().credentials.read().unwrap();
    let asked = Some(("p".into(), "asked".into()));
    assert_eq!(login(builder.clone()), asked);
    let said = Some(("u".into(), "said".into()));
    assert_eq!(login(builder.user("u", "said")), said);
    let builder = good().user("u", "said");
    assert_eq!(login(builder.clone().credentials(provider)), asked);
    assert!(refused(builder.password_file("/no/file")).contains("/no/file"));
}

#[test]
fn no_debug_shows_a_secret() {
    let tls = Tls::new().client_pem("cert-secret", "key-secret");
    let builder = good().endpoint("u:endpoint-secret@h");
    let builder = builder.user("alice", "hunter2").tls(tls);
    let shown = format!("{builder:?} {:?}", builder.settings);
    assert!(shown.contains("alice"));
    for secret in ["hunter2", "cert-secret", "key-secret", "endpoint-secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
