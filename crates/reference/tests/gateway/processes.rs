//! Starting and ending.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::Cluster;
use crate::stack::{PATIENCE, Stack};

#[tokio::test]
async fn sigterm_says_goodbye_and_ends_in_time() {
    let mut stack = Stack::start().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    let (_, _, mut other) = stack.enter("two", "red", 1).await;
    let since = Instant::now();
    stack.gateways[0].terminate();
    assert_eq!(client.closed().await.0, Some(1001));
    drop(client);
    let ended = tokio::time::timeout(PATIENCE, stack.gateways[0].child.wait())
        .await
        .expect("it ends");
    assert!(ended.expect("it can be waited for").success());
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    other.ok("whoami", json!({})).await;
}

#[track_caller]
fn check(cluster: &Cluster, role: &str, expect: &str) {
    let arguments = [
        "--replica",
        "0",
        "--jwks-url",
        "http://127.0.0.1:1/",
        "--issuer",
        "i",
        "--audience",
        "a",
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(arguments)
        .args(["--agent", "127.0.0.1:1"])
        .env("DATABASE_URL", cluster.url(role))
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains(expect), "{said}");
}

#[tokio::test]
async fn a_role_that_policies_do_not_bind_is_refused() {
    let cluster = Cluster::start().await;
    check(&cluster, "root", "the database role root is a superuser");
    check(
        &cluster,
        "mighty",
        "the database role mighty is allowed to bypass row-level security",
    );
    check(&cluster, "owner", "the database role owns 7 tables");
}
