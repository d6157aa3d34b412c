//! The auth service over HTTP, against a real database.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::Cluster;
use reference::auth::{self, Auth, PasswordCost, Settings};
use reference::config::{Shutdown, ShutdownTrigger};
use reference::http;
use reference::metrics::Metrics;
use reference::token::{SigningKey, Verifier};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sqlx::postgres::PgListener;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const PASSWORD: &str = "correct horse battery";
const PATIENCE: Duration = Duration::from_secs(20);

struct Service {
    addr: SocketAddr,
    client: Client,
    metrics: Arc<Metrics>,
    cluster: Cluster,
    _stop: ShutdownTrigger,
}

type Answer = (StatusCode, Value);

impl Service {
    async fn start() -> Self {
        let cluster = Cluster::start().await;
        let metrics = Metrics::new();
        let key = SigningKey::generate().expect("a key");
        let auth = Auth::start(&cluster.url("auth"), settings(), key, Arc::clone(&metrics)).await;
        let router = auth::router(auth.expect("it starts"));
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let addr = listener.local_addr().expect("it is bound");
        let (_stop, shutdown) = Shutdown::manual();
        tokio::spawn(http::serve(listener, router, shutdown));
        Self {
            addr,
            client: Client::new(),
            metrics,
            cluster,
            _stop,
        }
    }

    async fn send(&self, method: Method, path: &str, bearer: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = self.client.request(method, format!("http://{}{path}", self.addr));
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("the service answers");
        let status = response.status();
        let text = response.text().await.expect("a whole body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, None, Some(body)).await
    }

    async fn register(&self, email: &str, tenant: &str, key: &str) -> Answer {
        let name = format!("name of {email}");
        let body =
            json!({"email": email, "password": PASSWORD, "name": name, "tenant": tenant, "tenant_key": key});
        self.post("/register", body).await
    }

    async fn login(&self, email: &str) -> Value {
        let (status, tokens) = self
            .post("/login", json!({"email": email, "password": PASSWORD}))
            .await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        tokens
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.post("/refresh", json!({"refresh_token": token})).await
    }

    async fn me(&self, token: &str) -> Answer {
        self.send(Method::GET, "/me", Some(token), None).await
    }

    async fn with_user(email: &str) -> (Self, Value) {
        let service = Self::start().await;
        let (status, _) = service.register(email, "acme", "key").await;
        assert_eq!(status, StatusCode::CREATED);
        let tokens = service.login(email).await;
        (service, tokens)
    }
}

fn settings() -> Settings {
    Settings {
        issuer: "https://auth.test".into(),
        audience: "chat".into(),
        access_ttl: Duration::from_secs(900),
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        },
        pool_size: 4,
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {value}"))
}

#[track_caller]
fn check(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.0.as_u16(), answer.1["error"]["code"].as_str()),
        (status, Some(code)),
        "{}",
        answer.1
    );
}

#[tokio::test]
async fn a_user_registers_logs_in_and_is_known() {
    let service = Service::start().await;
    let (status, user) = service.register("Ada@x.example", "acme", "key").await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(text(&user, "email"), "Ada@x.example");

    let tokens = service.login("ada@X.example").await;
    assert_eq!(
        (text(&tokens, "token_type"), &tokens["expires_in_s"]),
        ("Bearer", &json!(900))
    );
    assert_eq!(tokens["user_id"], user["user_id"]);
    assert_eq!(text(&tokens, "refresh_token").len(), 43);

    let (status, me) = service.me(text(&tokens, "access_token")).await;
    assert_eq!(status, StatusCode::OK);
    for field in ["user_id", "tenant_id", "email", "name"] {
        assert_eq!(me[field], user[field]);
    }
    assert_eq!(me["session_id"], tokens["session_id"]);

    let (_, key_set) = service
        .send(Method::GET, "/.well-known/jwks.json", None, None)
        .await;
    let key_set = serde_json::from_value(key_set).expect("a key set");
    let verifier = Verifier::new(&key_set, "https://auth.test", "chat").expect("it has a key");
    let claims = verifier
        .verify(text(&tokens, "access_token"))
        .expect("the published key verifies it");
    assert_eq!(json!(claims.sub), user["user_id"]);
    assert_eq!(json!(claims.tenant), user["tenant_id"]);
    assert_eq!(json!(claims.sid), tokens["session_id"]);
    assert_eq!(claims.exp - claims.iat, 900);
}

#[tokio::test]
async fn a_tenant_has_one_key_and_an_address_one_account() {
    let service = Service::start().await;
    let (_, first) = service.register("a@x.example", "acme", "key").await;
    let (_, second) = service.register("b@x.example", "acme", "key").await;
    let (_, elsewhere) = service.register("c@x.example", "other", "another").await;
    assert_eq!(first["tenant_id"], second["tenant_id"]);
    assert_ne!(first["tenant_id"], elsewhere["tenant_id"]);
    check(
        &service.register("d@x.example", "acme", "guess").await,
        403,
        "wrong_tenant_key",
    );
    check(
        &service.register("A@X.example", "acme", "key").await,
        409,
        "email_taken",
    );
    // a failed registration founds nothing: the name is still free
    check(
        &service.register("a@x.example", "free", "mine").await,
        409,
        "email_taken",
    );
    assert_eq!(
        service.register("e@x.example", "free", "yours").await.0,
        StatusCode::CREATED
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn founders_in_the_same_moment_share_one_tenant() {
    let service = Arc::new(Service::start().await);
    let mut registrations = JoinSet::new();
    for who in 0..12 {
        let service = Arc::clone(&service);
        registrations.spawn(async move {
            service
                .register(&format!("u{who}@x.example"), "rush", "key")
                .await
        });
    }
    let mut tenants = std::collections::HashSet::new();
    while let Some(answer) = registrations.join_next().await {
        let (status, user) = answer.expect("no panic");
        assert_eq!(status, StatusCode::CREATED, "{user}");
        tenants.insert(text(&user, "tenant_id").to_owned());
    }
    assert_eq!(tenants.len(), 1);
}

#[tokio::test]
async fn wrong_credentials_look_alike() {
    let (service, _) = Service::with_user("a@x.example").await;
    let wrong = service
        .post(
            "/login",
            json!({"email": "a@x.example", "password": "wrong password"}),
        )
        .await;
    let nobody = service
        .post("/login", json!({"email": "n@x.example", "password": PASSWORD}))
        .await;
    check(&wrong, 401, "bad_credentials");
    assert_eq!(wrong, nobody);
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_reused_one_ends_the_session() {
    let (service, first) = Service::with_user("a@x.example").await;
    let other_session = service.login("a@x.example").await;
    let (status, second) = service.refresh(text(&first, "refresh_token")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(second["session_id"], first["session_id"]);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_ne!(second["access_token"], first["access_token"]);
    assert_eq!(service.me(text(&second, "access_token")).await.0, StatusCode::OK);

    check(
        &service.refresh(text(&first, "refresh_token")).await,
        401,
        "refresh_reused",
    );
    check(
        &service.refresh(text(&second, "refresh_token")).await,
        401,
        "unauthorized",
    );
    for tokens in [&first, &second] {
        check(
            &service.me(text(tokens, "access_token")).await,
            401,
            "unauthorized",
        );
    }
    assert_eq!(
        service.me(text(&other_session, "access_token")).await.0,
        StatusCode::OK
    );
    check(&service.refresh(&"A".repeat(43)).await, 401, "unauthorized");
    check(&service.refresh("short").await, 401, "unauthorized");
    assert!(
        service
            .metrics
            .text()
            .contains("situation_total{name=\"after_revocation\"} 2\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_refreshes_one_wins_and_the_session_ends() {
    let (service, tokens) = Service::with_user("a@x.example").await;
    let service = Arc::new(service);
    let mut refreshes = JoinSet::new();
    for _ in 0..8 {
        let (service, token) = (Arc::clone(&service), text(&tokens, "refresh_token").to_owned());
        refreshes.spawn(async move { service.refresh(&token).await });
    }
    let answers: Vec<Answer> = refreshes.join_all().await;
    let won: Vec<_> = answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::OK)
        .collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for answer in answers.iter().filter(|(status, _)| *status != StatusCode::OK) {
        check(answer, 401, "refresh_reused");
    }
    check(
        &service.me(text(&won[0].1, "access_token")).await,
        401,
        "unauthorized",
    );
}

#[tokio::test]
async fn logout_ends_this_session_alone_and_tells_the_gateways() {
    let (service, tokens) = Service::with_user("a@x.example").await;
    let other = service.login("a@x.example").await;
    let mut gateway = PgListener::connect(&service.cluster.url("gateway"))
        .await
        .expect("it connects");
    gateway.listen("session_revoked").await.expect("it listens");

    let token = text(&tokens, "access_token");
    let (status, _) = service.send(Method::POST, "/logout", Some(token), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let told = tokio::time::timeout(PATIENCE, gateway.recv())
        .await
        .expect("it is told")
        .expect("it is told");
    assert_eq!(told.payload(), text(&tokens, "session_id"));

    check(&service.me(token).await, 401, "unauthorized");
    check(
        &service.send(Method::POST, "/logout", Some(token), None).await,
        401,
        "unauthorized",
    );
    check(
        &service.refresh(text(&tokens, "refresh_token")).await,
        401,
        "unauthorized",
    );
    assert_eq!(service.me(text(&other, "access_token")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_access_token_lives_as_long_as_asked() {
    let (service, _) = Service::with_user("a@x.example").await;
    let login = |ttl_s: Value| json!({"email": "a@x.example", "password": PASSWORD, "ttl_s": ttl_s});
    let (_, tokens) = service.post("/login", login(json!(1))).await;
    assert_eq!(tokens["expires_in_s"], json!(1));
    let token = text(&tokens, "access_token");
    tokio::time::timeout(PATIENCE, async {
        while service.me(token).await.0 == StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("it never expires");
    // the session outlives its access token
    assert_eq!(
        service.refresh(text(&tokens, "refresh_token")).await.0,
        StatusCode::OK
    );
    for ttl_s in [json!(0), json!(901), json!(-1), json!("x")] {
        check(&service.post("/login", login(ttl_s)).await, 400, "bad_request");
    }
}

#[tokio::test]
async fn bad_requests_get_typed_errors() {
    let service = Service::start().await;
    check(
        &service.post("/login", json!({"email": "a"})).await,
        400,
        "bad_request",
    );
    check(
        &service
            .post("/login", json!({"email": "a\0", "password": "x"}))
            .await,
        400,
        "bad_request",
    );
    check(
        &service.register("no-address", "acme", "key").await,
        400,
        "bad_request",
    );
    check(
        &service.post("/login", json!({"email": "x".repeat(20_000)})).await,
        413,
        "too_large",
    );
    check(
        &service.send(Method::GET, "/nowhere", None, None).await,
        404,
        "not_found",
    );
    check(
        &service.send(Method::GET, "/login", None, None).await,
        405,
        "method_not_allowed",
    );
    check(
        &service.send(Method::GET, "/me", None, None).await,
        401,
        "unauthorized",
    );
    check(&service.me("not.a.token").await, 401, "unauthorized");
    assert_eq!(
        service.send(Method::GET, "/health", None, None).await,
        (StatusCode::OK, json!({"status": "ok"}))
    );
    let text = service.metrics.text();
    assert!(
        text.contains("requests_total{op=\"login\",outcome=\"bad_request\"} 2\n"),
        "{text}"
    );
    assert!(
        text.contains("requests_total{op=\"other\",outcome=\"not_found\"} 1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_role_that_row_security_does_not_bind_is_refused() {
    let cluster = Cluster::start().await;
    for (role, fault) in [
        ("root", "a superuser"),
        ("mighty", "allowed to bypass row-level security"),
    ] {
        let key = SigningKey::generate().expect("a key");
        let started = Auth::start(&cluster.url(role), settings(), key, Metrics::new()).await;
        let error = started.err().expect("it is refused").to_string();
        assert!(
            error.starts_with(&format!("the database role {role} is {fault};")),
            "{error}"
        );
    }
}
