//! Each planted leak, seen by clients and written down by the mutant; and the same clients against services that leak nothing.
#![cfg(feature = "mutants")]

#[path = "../gateway/client.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod client;
#[path = "../common/mod.rs"]
mod common;
mod lists;
mod pools;
mod replies;
mod rooms;
#[path = "../gateway/stack.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod stack;
mod tokens;
mod world;

use std::process::Command;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tokio::task::LocalSet;

use common::Cluster;
use world::{Leak, World};

/// Stacks that run at once.
const AT_ONCE: usize = 3;
/// Attempts at a leak: while one is planted, and while none is.
const TRIES: u32 = 200;
const TRIES_CLEAN: u32 = 3;

type Scenario = for<'a> fn(&'a World, u32) -> LocalBoxFuture<'a, Option<Leak>>;

/// A mutant, further arguments of the gateways, and what shows it.
type Case = (&'static str, &'static [&'static str], Scenario);

macro_rules! scenario {
    ($path:path) => {
        |world, tries| Box::pin($path(world, tries))
    };
}

const CASES: [Case; 33] = [
    ("thread-id-race", &[], scenario!(lists::one_id_for_two)),
    ("auth-cache-collision", &[], scenario!(tokens::anothers_claims)),
    ("cache-key-without-user", &[], scenario!(lists::anothers_answer)),
    ("request-id-collision", &[], scenario!(replies::equal_request_ids)),
    ("presence-leak", &[], scenario!(rooms::presence)),
    ("logout-outlived", &[], scenario!(tokens::after_logout)),
    ("claimed-room", &[], scenario!(rooms::claimed)),
    ("room-collision", &[], scenario!(rooms::namesakes)),
    ("foreign-read", &[], scenario!(lists::foreign_thread)),
    ("global-loader", &[], scenario!(lists::foreign_thread)),
    ("subprotocol-bypass", &[], scenario!(tokens::legacy_without_token)),
    ("payload-token", &[], scenario!(tokens::in_a_request)),
    ("unverified-token", &[], scenario!(tokens::forged)),
    ("shared-mutable-fanout", &[], scenario!(rooms::note)),
    ("acl-change-race", &[], scenario!(rooms::after_removal)),
    ("error-echo", &[], scenario!(lists::error)),
    ("session-guc", &["--pool-size", "1"], scenario!(pools::own_list)),
    (
        "identity-after-await",
        &["--pool-size", "1"],
        scenario!(pools::who_am_i),
    ),
    (
        "singleflight-key",
        &["--pool-size", "1"],
        scenario!(lists::snapshot),
    ),
    ("misfiled-write", &["--pool-size", "1"], scenario!(pools::posts)),
    (
        "dirty-transaction",
        &["--pool-size", "1"],
        scenario!(pools::own_list),
    ),
    ("stale-cancel", &["--pool-size", "1"], scenario!(pools::cancelled)),
    ("cached-credential", &[], scenario!(tokens::refreshes)),
    ("shared-env", &[], scenario!(tokens::refreshes)),
    ("ambient-identity", &[], scenario!(tokens::nobody)),
    ("stale-tail", &[], scenario!(lists::short_after_long)),
    ("double-release", &[], scenario!(replies::after_a_failure)),
    ("context-after-return", &[], scenario!(rooms::receipts)),
    ("slot-reuse", &[], scenario!(replies::late)),
    (
        "cancel-desync",
        &["--agent-pool-size", "1"],
        scenario!(replies::after_a_cancel),
    ),
    (
        "stale-buffer",
        &["--agent-pool-size", "1", "--agent-pipeline", "1"],
        scenario!(replies::after_a_timeout),
    ),
    ("batch-slot-mix", &[], scenario!(replies::one_drops_out)),
    ("unscoped-count", &[], scenario!(rooms::count)),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_leak_leaks_and_is_written_down_and_without_it_nothing_does() {
    let cluster = Arc::new(Cluster::start().await);
    let only = std::env::var("ONLY").ok();
    let cases = CASES
        .iter()
        .filter(|case| only.as_deref().is_none_or(|only| only == case.0));
    let tried = cases.map(|case| {
        let cluster = Arc::clone(&cluster);
        // a panic is to be put down to its mutant
        let tried = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            LocalSet::new().block_on(&runtime, check(cluster, case))
        });
        async move {
            tried
                .await
                .err()
                .map(|panicked| format!("{}: {panicked}", case.0))
        }
    });
    let failed: Vec<_> = stream::iter(tried)
        .buffer_unordered(AT_ONCE)
        .filter_map(async |failed| failed)
        .collect()
        .await;
    assert!(failed.is_empty(), "{failed:#?}");
}

async fn check(cluster: Arc<Cluster>, (mutant, further, scenario): &Case) {
    let world = World::start(Arc::clone(&cluster), None, further).await;
    let leak = scenario(&world, TRIES_CLEAN).await;
    assert_eq!(leak, None, "{mutant} is not planted");
    drop(world);
    let world = World::start(cluster, Some(mutant), further).await;
    let leak = scenario(&world, TRIES).await;
    let leak = leak.unwrap_or_else(|| panic!("{mutant} does not leak; it wrote {:?}", world.fired().last()));
    world.recorded(mutant, &leak).await;
}

#[test]
fn every_mutant_has_a_case() {
    let cases: Vec<_> = CASES.iter().map(|case| case.0).collect();
    let all: Vec<_> = reference::mutant::ALL.iter().map(|mutant| mutant.name).collect();
    assert_eq!(cases, all);
}

#[tokio::test]
async fn a_rate_leaves_most_opportunities_alone() {
    let cluster = Arc::new(Cluster::start().await);
    let world = World::start(cluster, Some("presence-leak:0.1"), &[]).await;
    let (mut first, mut second) = (
        world.enter("victim", "red", 0).await,
        world.enter("observer", "blue", 0).await,
    );
    const TOLD: usize = 200;
    for _ in 0..TOLD {
        first
            .client
            .ok("presence.set", json!({ "status": "awake" }))
            .await;
    }
    // what reached the publisher's tenant was sent to all others before
    for _ in 0..TOLD {
        first.client.event("presence").await;
    }
    let leaked = second.client.all_until_now().await.len();
    assert_eq!(leaked, world.fired().len());
    // 20 are to be expected; fewer than 2 or more than 60 come once in a million runs
    assert!((2..=60).contains(&leaked), "{leaked}");
}

#[test]
fn the_gateway_lists_them() {
    let listed = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .arg("--list-mutants")
        .output()
        .expect("it starts");
    let listed = String::from_utf8(listed.stdout).expect("text");
    assert_eq!(listed, reference::mutant::list());
    assert!(listed.contains("cache-key-without-user STRU\n"), "{listed}");
    for process in [
        env!("CARGO_BIN_EXE_auth"),
        env!("CARGO_BIN_EXE_agent"),
        env!("CARGO_BIN_EXE_gateway"),
    ] {
        let refused = Command::new(process)
            .args(["--mutant", "no-such"])
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            said.contains("there is no mutant of this name; there are thread-id-race"),
            "{said}"
        );
    }
}
