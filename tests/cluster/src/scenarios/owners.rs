//! Processes that hold a lock and a term, and are stopped where they are, or killed.
//!
//! The members themselves are well, but for one that leads.

use std::time::Duration;

use etcd_client::{GetOptions, KeyValue};
use globe::Token;
use globe_oracle::Effect;
use tokio::time::{Instant, sleep, timeout};

use crate::rival::{Kind, Rival, Told};
use crate::site::{CLAIMED, Site, TTL};

/// How long a process stands still: two and a half times as long as its lease lives.
const STOPPED: Duration = Duration::from_millis(7_500);
/// How much later than by its lease a claim may go: etcd looks for leases that have ended twice a second, and the machine is
/// busy with the whole cluster.
const LATE: Duration = Duration::from_secs(2);
/// Between two looks at the log.
const LOOK: Duration = Duration::from_millis(20);
/// How long a member may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// What names the queues of rivals.
const RIVALS: &str = "/rivals/";
const KINDS: [Kind; 2] = [Kind::Lock, Kind::Term];

/// Who holds is stopped until another has long held instead. When that one is killed, the first holds again, as a new one.
pub(crate) async fn stop(site: &mut Site) {
    let mut one = Rival::start(site, "one");
    let tokens = holds(&mut one, &[]).await;
    let mut other = Rival::start(site, "other");
    are_queued(site, 2).await;
    let next = stop_and_go(site, (&mut one, tokens), &mut other).await;
    are_queued(site, 2).await;
    other.dies().await;
    are_gone(site, &next, TTL + LATE).await;
    holds(&mut one, &next).await;
    one.dies().await;
    in_order(&[one, other]);
}

/// What it holds, after whoever held it by these.
async fn holds(rival: &mut Rival, before: &[Token]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, kind) in KINDS.into_iter().enumerate() {
        tokens.push(rival.is_granted(kind, before.get(index).copied()).await);
    }
    tokens
}

/// What the other holds then.
async fn stop_and_go(
    site: &mut Site,
    (holder, tokens): (&mut Rival, Vec<Token>),
    other: &mut Rival,
) -> Vec<Token> {
    holder.stops().await;
    let stopped = Instant::now();
    are_gone(site, &tokens, TTL + LATE).await;
    let next = holds(other, &tokens).await;
    sleep(STOPPED.saturating_sub(stopped.elapsed())).await;
    let woken = holder.goes_on().await;
    for token in tokens {
        let is_lost = |told: &Told| *told == Told::Lost { token };
        holder.tells("that it has lost", is_lost).await;
        let is_refused = |told: &Told| *told == Told::Refused { token };
        holder.tells("that it is refused", is_refused).await;
        let was_fooled = |told: &Told| told.says_held(token, woken);
        let was_fooled = holder.told.iter().any(was_fooled);
        assert!(!was_fooled, "it says that it holds {token} when it woke up");
    }
    next
}

/// Who holds is killed; another, who waits, holds when its lease has ended.
pub(crate) async fn kill(site: &mut Site) {
    let mut holder = Rival::start(site, "one");
    let mut tokens = holds(&mut holder, &[]).await;
    for name in ["two", "three"] {
        let mut next = Rival::start(site, name);
        are_queued(site, 2).await;
        holder.dies().await;
        are_gone(site, &tokens, TTL + LATE).await;
        tokens = holds(&mut next, &tokens).await;
        in_order(&[std::mem::replace(&mut holder, next)]);
    }
}

/// Who holds is killed, and the leader moves again and again: each election prolongs all leases, and the last one ends them.
pub(crate) async fn kill_while_the_leader_moves(site: &mut Site) {
    let mut holder = Rival::start(site, "one");
    let tokens = holds(&mut holder, &[]).await;
    let mut next = Rival::start(site, "two");
    are_queued(site, 2).await;
    holder.dies().await;
    for _ in 0..6 {
        site.breaks("another member is made the leader");
        site.cluster.move_leader().await;
        sleep(TTL / 6).await;
    }
    are_gone(site, &tokens, TTL + LATE).await;
    holds(&mut next, &tokens).await;
}

/// Waits until no claim of these tokens stands.
async fn are_gone(site: &mut Site, tokens: &[Token], bound: Duration) {
    let began = Instant::now();
    loop {
        let stands = claims(site).await;
        let is_gone = |token: &Token| !stands.iter().any(|claim| is_of(claim, *token));
        if tokens.iter().all(is_gone) {
            break;
        }
        assert!(
            began.elapsed() < bound,
            "a claim of the dead stands for {bound:?}"
        );
        sleep(LOOK).await;
    }
    let what = format!("what was claimed is gone after {:?}", began.elapsed());
    site.recorder.fault(what, Effect::Disturbs);
}

/// Waits until so many rivals are in each queue.
async fn are_queued(site: &mut Site, rivals: usize) {
    let began = Instant::now();
    while claims(site).await.len() < rivals * KINDS.len() {
        assert!(began.elapsed() < ANSWER, "nobody else waits for it");
        sleep(LOOK).await;
    }
}

fn is_of(claim: &KeyValue, token: Token) -> bool {
    claim.create_revision().unsigned_abs() == token.number
}

/// What rivals claim, as whichever member answers says, linearizably.
async fn claims(site: &mut Site) -> Vec<KeyValue> {
    for source in site.sources() {
        let asked = timeout(ANSWER, async {
            let mut client = source.connect().await?;
            let prefix = GetOptions::new().with_prefix().with_keys_only();
            client.get(format!("{CLAIMED}/"), Some(prefix)).await
        });
        if let Ok(Ok(answer)) = asked.await {
            let mut claims = answer.kvs().to_vec();
            claims.retain(|claim| claim.key_str().is_ok_and(|key| key.contains(RIVALS)));
            return claims;
        }
    }
    panic!("no member says what stands");
}

/// What was written under tokens was committed in the order of the tokens.
fn in_order(rivals: &[Rival]) {
    for of in KINDS {
        let told = rivals.iter().flat_map(|rival| &rival.told);
        let mut written: Vec<_> = told
            .filter_map(|told| match told {
                Told::Wrote {
                    kind,
                    token,
                    position,
                } if *kind == of => Some((position.revision, token.number)),
                _ => None,
            })
            .collect();
        written.sort_unstable();
        let is_in_order = written.is_sorted_by_key(|(_, token)| *token);
        assert!(
            is_in_order,
            "an old {of:?} wrote after a new one: {written:?}"
        );
        assert!(!written.is_empty(), "nobody wrote as {of:?}");
    }
}
