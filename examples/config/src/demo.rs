//! Shows the service itself through: two instances, whoever sets something, and a log that is away at start and later.
//!
//! Never looks inside: it asks over HTTP, as anybody does, but for what stands in the log by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use globe::Globe;
use globe_stage::{Answer, Caller, Outcome, Story};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::level::{Level, Levels};
use crate::power::Power;
use crate::routes::routes;
use crate::service::Service;

/// How long is waited for what should come in a moment; longer for a person.
const SOON: Duration = Duration::from_secs(10);
const PERSON: Duration = Duration::from_secs(60);

/// Where the instances run, and what they share.
struct Host {
    power: Power,
    keyspace: String,
    copies: TempDir,
}

/// An instance, and its address.
struct Instance {
    url: String,
    caller: Caller,
    service: Arc<Service>,
}

impl Instance {
    async fn start(host: &Host, name: &str) -> Outcome<Instance> {
        let (keyspace, copies) = (&host.keyspace, host.copies.path());
        let service = Service::start(host.power.log(), keyspace, name, copies)?;
        let service = Arc::new(service);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let serving = axum::serve(listener, routes(Arc::clone(&service)));
        tokio::spawn(serving.into_future());
        let caller = Caller::new(Duration::from_secs(5));
        Ok(Instance {
            url,
            caller,
            service,
        })
    }

    async fn get(&self, path: &str) -> Outcome<Answer> {
        self.caller.get(&format!("{}{path}", self.url)).await
    }

    async fn put(&self, path: &str, body: Value) -> Outcome<Answer> {
        let path = format!("{}/settings/{path}?by=anna", self.url);
        self.caller.put(&path, body).await
    }

    /// How many of so many requests, one after the other, are let in.
    async fn admitted(&self, requests: usize) -> Outcome<usize> {
        let mut admitted = 0;
        for _ in 0..requests {
            admitted += usize::from(self.get("/hello").await?.status == 200);
        }
        Ok(admitted)
    }

    async fn is_in_phase(&self, phase: &str) -> bool {
        let answer = self.get("/healthz").await;
        answer.is_ok_and(|answer| answer.status == 200 && answer.body["phase"] == phase)
    }

    async fn limit(&self) -> Outcome<Value> {
        Ok(self.get("/settings").await?.body["http.limit"].clone())
    }
}

pub(crate) async fn story(levels: &Levels) -> Outcome {
    let host = Host {
        power: Power::over_the_log().await?,
        keyspace: format!("example-config-{:x}", fastrand::u64(..)),
        copies: tempfile::tempdir()?,
    };
    let power = &host.power;
    let mut story = Story::default();

    story.step("The log is away. Two instances start all the same, from their defaults.");
    power.off_at_start();
    let web_7 = Instance::start(&host, "web-7").await?;
    let web_8 = Instance::start(&host, "web-8").await?;
    let _levels = levels.follow(&web_7.service.level);
    if power.is_away(&web_7.service).await {
        story.see("web-7 serves", web_7.admitted(3).await? == 3)?;
        let health = web_7.get("/healthz").await?;
        story.see(
            "it is healthy, and says that nothing is known yet",
            health.status == 200 && health.body["phase"] == "hydrating",
        )?;
        let set = web_7.put("http.limit/global", limit(1, 3)).await?;
        story.see("nothing can be set meanwhile: 503", set.status == 503)?;
        power.on();
    } else {
        story.say("(etcd is there already: to see this step, start with etcd stopped)");
    }
    let live = async || web_7.is_in_phase("live").await && web_8.is_in_phase("live").await;
    story
        .until("the log is there: both follow it", PERSON, live)
        .await?;

    story.step("Anna sets the limit at web-7: 1 request a second, 3 at once.");
    let set = web_7.put("http.limit/global", limit(1, 3)).await?;
    story.see("it is published", set.status == 200)?;
    let began = Instant::now();
    let admitted = web_7.admitted(20).await?;
    let most = 4.0 + began.elapsed().as_secs_f64();
    story.see(
        format!("web-7 lets in {admitted} of 20 requests at once"),
        admitted >= 3 && admitted as f64 <= most,
    )?;
    let there = async || shows(&web_8, &limit(1, 3), "global").await;
    story.until("web-8 has it as well", SOON, there).await?;
    let field = &web_8.limit().await?["why"]["fields"][0];
    story.see(
        format!("and knows why: {} at {}", field["by"], field["source"]),
        field["by"] == "anna" && field["source"] == "global",
    )?;

    story.step("A bad value is refused, wherever it comes from.");
    let set = web_7.put("http.limit/global", limit(0, 3)).await?;
    story.see(
        format!("published, it is {}: {}", set.status, set.body["error"]),
        set.status == 422,
    )?;
    let records: Globe<String, Value> = Globe::open(power.log(), &host.keyspace).await?;
    records.put("http.limit/global", limit(0, 9)).await?;
    let told = async || {
        let health = web_8.get("/healthz").await;
        health.is_ok_and(|health| health.body["problems"][0]["at"] == "http.limit/global")
    };
    story
        .until("written past it by hand, it is told of", SOON, told)
        .await?;
    story.see(
        "and the last good one stays",
        web_8.limit().await?["value"] == limit(1, 3),
    )?;

    story.step("web-7 alone is given more, and logs more.");
    web_7.put("http.limit/host:web-7", limit(500, 50)).await?;
    web_7.put("log.level/host:web-7", json!("info")).await?;
    story.see(
        "web-7 has its own limit, web-8 that of all",
        shows(&web_7, &limit(500, 50), "host:web-7").await
            && web_8.limit().await?["value"] == limit(1, 3),
    )?;
    let logs = async || levels.is(Level::Info);
    story.until("its log level has changed", SOON, logs).await?;
    web_7.put("log.level/host:web-7", json!("warn")).await?;

    story.step("Anna opens it for all, by a zero too few. Bert undoes it, and does it right.");
    web_7.put("http.limit/global", limit(50, 1)).await?;
    let undo = format!("{}/settings/http.limit/undo?by=bert", web_7.url);
    let undo = web_7.caller.post(&undo, json!({"layer": "global"})).await?;
    story.see("it is undone", undo.status == 200)?;
    let there = async || shows(&web_8, &limit(1, 3), "global").await;
    story
        .until("web-8 is limited as it was before", SOON, there)
        .await?;
    let past = web_7.get("/history/http.limit?layer=global").await?;
    let by = |number: usize| past.body[number]["by"].clone();
    story.see(
        format!("the history names {}, and before that {}", by(0), by(1)),
        by(0) == "bert" && by(1) == "anna",
    )?;
    let right = format!("{}/settings/http.limit/global?by=bert", web_8.url);
    let right = web_8.caller.put(&right, limit(500, 50)).await?;
    story.see("it is done right", right.status == 200)?;

    story.step("The log is killed while requests are served.");
    let load = Arc::new(Load::default());
    let requesting = tokio::spawn(Arc::clone(&load).run(web_8.caller.clone(), web_8.url.clone()));
    power.off();
    let stale = async || web_8.is_in_phase("stale").await;
    story
        .until("web-8 says that its settings may be old", PERSON, stale)
        .await?;
    let age = &web_8.get("/healthz").await?.body["age_seconds"];
    story.say(format!("(by {:.1} s)", age.as_f64().unwrap_or_default()));
    story.see(
        "it has the last ones",
        shows(&web_8, &limit(500, 50), "global").await,
    )?;
    let set = web_8.put("http.limit/global", limit(2, 2)).await?;
    story.see(
        "nothing can be set: 503, and nothing was written",
        set.status == 503,
    )?;

    story.step("A third instance starts now. It has nothing but the copy on this host's disk.");
    let web_9 = Instance::start(&host, "web-9").await?;
    let there = async || shows(&web_9, &limit(500, 50), "global").await;
    story
        .until("web-9 has the last settings as well", SOON, there)
        .await?;
    let map = &web_9.get("/healthz").await?.body["map"];
    story.see(
        "it says that they are from the copy",
        map["from_copy"] == true,
    )?;

    story.step("The log is back.");
    power.on();
    let live = async || live().await && web_9.is_in_phase("live").await;
    story.until("all follow it again", PERSON, live).await?;
    web_7.put("http.limit/global", limit(600, 60)).await?;
    let there = async || shows(&web_8, &limit(600, 60), "global").await;
    story
        .until("what is set at web-7 arrives at web-8", SOON, there)
        .await?;
    let there = async || shows(&web_9, &limit(600, 60), "global").await;
    story.until("and at web-9", SOON, there).await?;
    load.stop.store(true, Ordering::Relaxed);
    requesting.await?;
    let (answered, missed) = (&load.answered, &load.missed);
    let answered = answered.load(Ordering::Relaxed);
    story.see(
        format!("all of {answered} requests meanwhile were served"),
        answered > 20 && missed.load(Ordering::Relaxed) == 0,
    )?;
    // First: they would hold on to what is deleted.
    for instance in [&web_7, &web_8, &web_9] {
        instance.service.settings.close().await;
    }
    records.clear().await?; // What this run wrote.
    Ok(())
}

fn limit(per_second: u32, burst: u32) -> Value {
    json!({"per_second": per_second, "burst": burst})
}

/// Whether an instance has a limit, and by which layer.
async fn shows(instance: &Instance, limit: &Value, layer: &str) -> bool {
    let shown = instance.limit().await;
    shown.is_ok_and(|shown| shown["value"] == *limit && shown["why"]["source"] == layer)
}

/// Requests, one after the other.
#[derive(Debug, Default)]
struct Load {
    stop: AtomicBool,
    answered: AtomicUsize,
    missed: AtomicUsize,
}

impl Load {
    async fn run(self: Arc<Self>, caller: Caller, url: String) {
        while !self.stop.load(Ordering::Relaxed) {
            let answer = caller.get(&format!("{url}/hello")).await;
            let is_served = answer.is_ok_and(|answer| answer.status == 200);
            let counter = if is_served {
                &self.answered
            } else {
                &self.missed
            };
            counter.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(20)).await;
        }
    }
}
