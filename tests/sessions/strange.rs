//! Callers' own code that fails: it fails alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use globe::{CodecError, Decode, Encode, Globe, Json, SessionEvent, SessionState};
use tokio::time::sleep;

use crate::rig::until;
use crate::{Rig, TTL, is_in};

/// One that fails, or panics, from some time on.
#[derive(Clone, Default)]
struct Fickle {
    fails: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
}

impl Encode<u64> for Fickle {
    fn encode(&self, value: &u64) -> Result<Vec<u8>, CodecError> {
        assert!(!self.panics.load(Ordering::SeqCst), "it panics now");
        if self.fails.load(Ordering::SeqCst) {
            return Err("it fails now".into());
        }
        Json.encode(value)
    }
}

impl Decode<u64> for Fickle {
    fn decode(&self, bytes: &[u8]) -> Result<u64, CodecError> {
        Json.decode(bytes)
    }
}

/// The entry it cannot put back is given up, and the others are not.
#[tokio::test(start_paused = true)]
async fn a_codec_that_fails_later_costs_only_its_own_entries() {
    for panics in [false, true] {
        let mut rig = Rig::new().await;
        let fickle = Fickle::default();
        let odd = Globe::<String, u64>::builder_with(rig.way.clone(), "odd", fickle.clone());
        let odd = odd.open().await.unwrap();
        rig.put("a", 1).await;
        let put = odd.put_ephemeral(&rig.session, "b", 2);
        put.await.unwrap();
        let fault = if panics {
            &fickle.panics
        } else {
            &fickle.fails
        };
        fault.store(true, Ordering::SeqCst);
        rig.way.cut(true);
        rig.shows(&[]).await;
        rig.way.cut(false);
        let (put_back, kept_out) = rig.restored().await;
        assert_eq!((put_back, kept_out), (1, vec!["b".to_owned()]));
        rig.shows(&[("a", 1)]).await;
        sleep(TTL * 3).await;
        assert_eq!(rig.session.state(), SessionState::Live);
    }
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_costs_no_session() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    let waker = Waker::from(Arc::new(Panics));
    let mut context = Context::from_waker(&waker);
    let mut events = rig.session.events();
    let mut next = Box::pin(events.next());
    assert!(next.as_mut().poll(&mut context).is_pending());
    let mut changed = Box::pin(rig.session.changed(SessionState::Live));
    assert!(changed.as_mut().poll(&mut context).is_pending());
    rig.other.sync().await.unwrap();
    rig.revoke("a").await;
    rig.shows(&[("a", 1)]).await;
    is_in(&rig.session, SessionState::Live).await;
    sleep(TTL * 3).await;
    assert_eq!(rig.session.state(), SessionState::Live);
}

/// What it stands for is not alive, so it is not to stand again.
#[tokio::test(start_paused = true)]
async fn nothing_is_put_back_for_an_owner_that_is_not_alive() {
    let alive = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&alive);
    let mut rig =
        Rig::with(move |builder| builder.renew_while(move || asked.load(Ordering::SeqCst))).await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    let sent = rig.way.calls().commits;
    rig.way.lose_requests(true);
    rig.revoke("a").await;
    until("it is put back", || rig.way.calls().commits == sent + 1).await;
    assert_eq!(rig.lost().await, globe::Loss::Revoked);
    until("it is restored", || rig.way.calls().commits == sent + 2).await;
    alive.store(false, Ordering::SeqCst);
    rig.way.lose_requests(false);
    sleep(TTL * 3).await;
    assert_eq!(rig.way.calls().commits, sent + 2, "it was put back");
    rig.shows(&[]).await;
    assert_ne!(rig.session.state(), SessionState::Live);
    alive.store(true, Ordering::SeqCst);
    rig.restored().await;
    rig.shows(&[("a", 1)]).await;
}

/// What the log refuses for good is tried again and again; what it takes does not wait for that.
#[tokio::test(start_paused = true)]
async fn a_key_that_the_log_refuses_is_in_no_other_keys_way() {
    let rig = Rig::new().await;
    rig.put("refused", 1).await;
    rig.put("a", 1).await;
    rig.put("b", 1).await;
    rig.other.sync().await.unwrap();
    rig.way.refuse_key("refused");
    rig.other.clear().await.unwrap();
    rig.shows(&[("a", 1), ("b", 1)]).await;
    let commits = rig.way.calls().commits;
    sleep(TTL * 3).await;
    let commits = rig.way.calls().commits - commits;
    assert!((20..200).contains(&commits), "{commits} commits");
    rig.other.delete("a").await.unwrap();
    rig.shows(&[("a", 1), ("b", 1)]).await;
    rig.put("c", 1).await;
    rig.shows(&[("a", 1), ("b", 1), ("c", 1)]).await;
}

/// Nor is it in their way when all of them are to be put back.
#[tokio::test(start_paused = true)]
async fn a_key_that_the_log_refuses_keeps_no_session_from_being_restored() {
    let mut rig = Rig::new().await;
    rig.put("refused", 1).await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    rig.way.refuse_key("refused");
    rig.revoke("a").await;
    rig.restored().await;
    rig.shows(&[("a", 1)]).await;
    let SessionEvent::Lost(_) = ({
        rig.session.close().await.unwrap();
        rig.event().await
    }) else {
        panic!("it ends");
    };
    until("it is over", || rig.session.status().entries == 0).await;
}
