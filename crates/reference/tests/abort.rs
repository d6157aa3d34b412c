//! Requests whose clients go away, at every moment that a request can be left.

mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use common::Cluster;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use reference::auth::{self, Auth, PasswordCost, Settings};
use reference::metrics::Metrics;
use reference::token::SigningKey;
use serde_json::json;

/// More polls than a request takes.
const POLLS_MAX: usize = 40;
/// What PostgreSQL logs when a transaction begins on a connection that is in one already.
const DIRTY: &str = "there is already a transaction in progress";

fn post(path: &str, body: &serde_json::Value) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/json");
    request.body(Body::from(body.to_string())).expect("a request")
}

/// Sends a request and drops it after that many polls; the status if it was answered before.
async fn abandoned_after(polls: usize, router: &Router, request: Request<Body>) -> Option<StatusCode> {
    let mut answer = pin!(TowerToHyperService::new(router.clone()).call(request));
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        answer
            .as_mut()
            .poll(context)
            .map(|answer| Some(answer.expect("it cannot fail").status()))
    })
    .await
}

#[tokio::test]
async fn an_abandoned_request_leaves_no_transaction_to_the_next() {
    let cluster = Cluster::start().await;
    let settings = Settings {
        issuer: "iss".into(),
        audience: "aud".into(),
        access_ttl: Duration::from_secs(900),
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        },
        // one connection, so that each request gets what the one before left
        pool_size: 1,
    };
    let key = SigningKey::generate().expect("a key");
    let auth = Auth::start(&cluster.url("auth"), settings, key, Metrics::new())
        .await
        .expect("it starts");
    let router = auth::router(auth);
    let (email, password) = ("a@x.example", "correct horse");
    let user = json!({"email": email, "password": password, "name": "A", "tenant": "t", "tenant_key": "k"});
    let registered = abandoned_after(usize::MAX, &router, post("/register", &user)).await;
    assert_eq!(registered, Some(StatusCode::CREATED));

    let login = json!({"email": email, "password": password});
    for polls in 1..POLLS_MAX {
        abandoned_after(polls, &router, post("/login", &login)).await;
        let next = abandoned_after(usize::MAX, &router, post("/login", &login)).await;
        assert_eq!(next, Some(StatusCode::OK), "after {polls} polls");
        assert!(
            !cluster.log().contains(DIRTY),
            "after {polls} polls: {}",
            cluster.log()
        );
    }
}
