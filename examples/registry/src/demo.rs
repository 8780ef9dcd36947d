//! Shows it through: three greeters and a gateway, one greeter killed, one told to stop, one come back.
//!
//! Never knows where anybody listens: it finds the gateway as everybody does.

use std::time::Duration;

use globe::Registry;
use globe::registry::Pick;
use globe_stage::{Caller, Member, Outcome, Stage, Story};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::address::{Address, GATEWAY, GREETER, registry};
use crate::presence::TTL;
use crate::tally::{Guest, Tally, WAYS};
use crate::{gateway, greeter};

const SOON: Duration = Duration::from_secs(20);
/// In which calls are under way, and what one copy shows is shown by all.
const MOMENT: Duration = Duration::from_millis(200);

pub(crate) async fn story() -> Outcome {
    let stage = Stage::open("registry").await?;
    println!("{}", stage.describes_itself());
    let registry = registry(stage.log(), stage.keyspace()).await?;
    let guest = Guest {
        gateway: registry.picker(GATEWAY, Pick::RoundRobin),
        caller: Caller::new(Duration::from_secs(10)),
    };
    let mut story = Story::default();

    story.step("Three greeters and a gateway start.");
    let greeter_1 = stage.start(greeter::ROLE, "greeter-1")?;
    let greeter_2 = stage.start(greeter::ROLE, "greeter-2")?;
    let greeter_3 = stage.start(greeter::ROLE, "greeter-3")?;
    let gateway = stage.start(gateway::ROLE, "gateway-1")?;
    are_there(&registry, &story, 3).await?;
    guest.gateway.ready().await?;
    find_each_other(&story, &guest).await?;

    story.step(format!(
        "greeter-1 is killed. It stays listed until its lease ends ({TTL:?}); calls go on."
    ));
    killed(&story, &guest, &registry, greeter_1).await?;

    story.step("greeter-2 is told to stop, while it has calls that take longer.");
    drained(&story, &guest, &registry, greeter_2).await?;

    story.step("greeter-1 comes again.");
    let greeter_1 = stage.start(greeter::ROLE, "greeter-1")?;
    are_there(&registry, &story, 2).await?;
    sleep(MOMENT).await;
    for way in WAYS {
        let tally = guest.calls(way, 30).await;
        let is_called = tally.failed == 0 && tally.of("greeter-1") > 0;
        story.see(format!("/{way}: {tally}"), is_called)?;
    }
    for member in [greeter_1, greeter_3, gateway] {
        member.stop().await?;
    }
    let are_gone = async || registry.services().is_empty();
    story.until("all have left", SOON, are_gone).await?;
    stage.clear(&[""]).await
}

async fn are_there(registry: &Registry<Address>, story: &Story, members: usize) -> Outcome {
    let are_there = async || registry.members(GREETER).len() == members;
    let what = format!("greeters listed: {members}");
    story.until(what, SOON, are_there).await.map(drop)
}

async fn find_each_other(story: &Story, guest: &Guest) -> Outcome {
    let answer = guest.call("hello/1").await?;
    story.see(
        format!(
            "{} greets, and had the name from {}: {}",
            answer["by"], answer["named_by"], answer["greeting"]
        ),
        answer["named_by"] == "gateway-1" && answer["greeting"] == "Hello, Bert!",
    )?;
    for (way, how) in WAYS.into_iter().zip(["a picker", "tower"]) {
        let tally = guest.calls(way, 60).await;
        let is_shared = tally.failed == 0 && tally.by.len() == 3;
        story.see(format!("/{way}, by {how}: {tally}"), is_shared)?;
    }
    Ok(())
}

async fn killed(
    story: &Story,
    guest: &Guest,
    registry: &Registry<Address>,
    member: Member,
) -> Outcome {
    member.kill().await?;
    let died = Instant::now();
    let mut tallies = [Tally::default(), Tally::default()];
    while registry.members(GREETER).get("greeter-1").is_some() {
        for (tally, way) in tallies.iter_mut().zip(WAYS) {
            tally.count(guest.call(&format!("{way}/1")).await);
        }
        if died.elapsed() > SOON {
            return Err("greeter-1 stays listed".into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    let took = died.elapsed();
    for (tally, way) in tallies.iter().zip(WAYS) {
        let others = ["greeter-2", "greeter-3"].map(|other| tally.of(other));
        let goes_on = tally.failed == 0 && !others.contains(&0);
        story.see(format!("/{way}: {tally}; none failed"), goes_on)?;
    }
    let in_vain = tallies[0].in_vain;
    story.see(
        format!("the picker tried greeter-1 {in_vain} times, and set it aside longer each time"),
        in_vain <= 4,
    )?;
    story.see(
        format!("it is gone after {:.1} s", took.as_secs_f64()),
        took <= TTL + Duration::from_secs(3),
    )
}

async fn drained(
    story: &Story,
    guest: &Guest,
    registry: &Registry<Address>,
    member: Member,
) -> Outcome {
    let mut slow = JoinSet::new();
    for number in 0..8 {
        let (guest, way) = (guest.clone(), WAYS[number % 2]);
        slow.spawn(async move { guest.call(&format!("{way}/1?pause_ms=1500")).await });
    }
    sleep(MOMENT).await; // They are under way.
    let stopping = tokio::spawn(member.stop());
    let is_seen = async || {
        let there = guest.call("members").await.unwrap_or_default();
        let mut members = there[GREETER]["members"].as_array().into_iter().flatten();
        members.any(|member| member["id"] == "greeter-2" && member["state"] == "draining")
    };
    story
        .until("it drains, as the gateway has heard", SOON, is_seen)
        .await?;
    for way in WAYS {
        let tally = guest.calls(way, 30).await;
        let goes_on = tally.failed == 0 && tally.of("greeter-2") == 0;
        story.see(format!("new calls, /{way}: {tally}"), goes_on)?;
    }
    let mut tally = Tally::default();
    while let Some(answer) = slow.join_next().await {
        tally.count(answer?);
    }
    story.see(
        format!("those it had are finished: {tally}"),
        tally.failed == 0 && tally.of("greeter-2") > 0,
    )?;
    stopping.await??;
    are_there(registry, story, 1).await
}
