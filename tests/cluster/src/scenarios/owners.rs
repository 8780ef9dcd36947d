//! Processes that hold a lock and a term, and are stopped where they are, or killed.
//!
//! The members themselves are well, but for one that leads.

use std::time::Duration;

use etcd_client::{GetOptions, KeyValue};
use globe::{Claim, Token};
use globe_oracle::Effect;
use tokio::time::{Instant, sleep, timeout};

use crate::rival::{Kind, Rival};
use crate::site::{CLAIMS, Site, TTL};

/// How long a process stands still: two and a half times as long as its lease lives.
const STOPPED: Duration = Duration::from_millis(7_500);
/// How much later than by its lease a claim may go: etcd looks for leases that have ended twice a second, and the machine is
/// busy with the whole cluster.
const LATE: Duration = Duration::from_secs(2);
/// Between two looks at the log.
const LOOK: Duration = Duration::from_millis(20);
/// How long a member may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
const KINDS: [Kind; 2] = [Kind::Lock, Kind::Term];

/// Who holds is stopped until another has long held instead. When that one is killed, the first holds again, as a new one.
pub(crate) async fn stop(site: &mut Site) {
    let mut one = Rival::start(site, "one");
    let tokens = holds(&mut one, &[]).await;
    let mut other = Rival::start(site, "other");
    waits(site, &other).await;
    let next = stop_and_go(site, (&mut one, tokens), &mut other).await;
    waits(site, &one).await;
    other.dies().await;
    are_gone(site, &next, TTL + LATE).await;
    holds(&mut one, &next).await;
    one.dies().await;
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
        let was_fooled = holder.has_lost(token, woken).await;
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
        waits(site, &next).await;
        holder.dies().await;
        are_gone(site, &tokens, TTL + LATE).await;
        tokens = holds(&mut next, &tokens).await;
        holder = next;
    }
}

/// Who holds is killed, and the leader moves again and again: each election prolongs all leases, and the last one ends them.
pub(crate) async fn kill_while_the_leader_moves(site: &mut Site) {
    let mut holder = Rival::start(site, "one");
    let tokens = holds(&mut holder, &[]).await;
    let mut next = Rival::start(site, "two");
    waits(site, &next).await;
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

/// Waits until one is in both queues, after whoever holds.
async fn waits(site: &mut Site, rival: &Rival) {
    let began = Instant::now();
    let is_its = |claim: &KeyValue| {
        let claim = serde_json::from_slice::<Claim>(claim.value());
        claim.is_ok_and(|claim| claim.by == rival.name())
    };
    while claims(site).await.iter().filter(|it| is_its(it)).count() < KINDS.len() {
        assert!(began.elapsed() < ANSWER, "nobody else waits for it");
        sleep(LOOK).await;
    }
}

fn is_of(claim: &KeyValue, token: Token) -> bool {
    claim.create_revision().unsigned_abs() == token.number
}

/// What is claimed, as whichever member answers says, linearizably.
async fn claims(site: &mut Site) -> Vec<KeyValue> {
    for source in site.sources() {
        let asked = timeout(ANSWER, async {
            let mut client = source.connect().await?;
            let prefix = GetOptions::new().with_prefix();
            client.get(format!("{CLAIMS}/"), Some(prefix)).await
        });
        if let Ok(Ok(answer)) = asked.await {
            return answer.kvs().to_vec();
        }
    }
    panic!("no member says what stands");
}
