//! The migrations and grants against a real database.

mod common;

use common::Cluster;
use sqlx::Executor as _;

#[track_caller]
fn check(done: Result<impl Sized, sqlx::Error>, allowed: bool, what: &str) {
    let denied =
        matches!(&done, Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42501"));
    assert_eq!(done.is_ok(), allowed, "{what}: {:?}", done.err());
    assert_eq!(denied, !allowed, "{what}");
}

#[tokio::test]
async fn each_role_may_do_what_it_needs_and_no_more() {
    let cluster = Cluster::start().await;
    cluster.migrate().await.expect("a second time changes nothing");

    let mut gateway = cluster.connect("gateway").await;
    check(
        gateway
            .execute("select session_id, revoked_at from sessions")
            .await,
        false,
        "gateway, sessions",
    );
    check(
        gateway.execute("select user_id, name, email from users").await,
        false,
        "gateway, users",
    );
    check(
        gateway.execute("select user_id, name, email from profiles").await,
        true,
        "gateway, profiles of a tenant",
    );
    check(
        gateway.execute("select password_hash from users").await,
        false,
        "gateway, passwords",
    );
    check(
        gateway.execute("select token_hash from refresh_tokens").await,
        false,
        "gateway, refresh tokens",
    );
    check(
        gateway.execute("update sessions set revoked_at = null").await,
        false,
        "gateway, revocation",
    );

    let mut auth = cluster.connect("auth").await;
    check(
        auth.execute("select password_hash from users").await,
        true,
        "auth, passwords",
    );
    check(
        auth.execute("update users set email = ''").await,
        false,
        "auth, e-mail",
    );
    check(
        auth.execute("select body from messages").await,
        false,
        "auth, messages",
    );

    let mut audit = cluster.connect("audit").await;
    for table in [
        "users",
        "sessions",
        "refresh_tokens",
        "threads",
        "messages",
        "rooms",
        "events",
    ] {
        let count = sqlx::query(sqlx::AssertSqlSafe(format!("select count(*) from {table}")));
        check(count.fetch_one(&mut audit).await, true, table);
    }
    check(audit.execute("delete from users").await, false, "audit, users");
}

#[tokio::test]
async fn a_missing_role_is_named() {
    let cluster = Cluster::start().await;
    let roles = reference::schema::Roles {
        auth_role: "auth".into(),
        gateway_role: "no \"such\" role".into(),
        audit_role: "audit".into(),
    };
    let error = reference::schema::migrate(&cluster.url("owner"), &roles)
        .await
        .expect_err("it is missing");
    let expect =
        r#"the database role "no \"such\" role" does not exist; create it first (CREATE ROLE ... LOGIN)"#;
    assert_eq!(error.to_string(), expect);
}
