//! Somebody else's server, played by a private cluster.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use services::{Database, Error, POSTGRES_ENV, Postgres, PostgresConfig, PostgresSource, RoleOptions};
use support::{Bench, cache, config, connect};

/// A server, and the URL of somebody there with these attributes.
async fn server(bench: &Bench, attributes: &str) -> (Postgres, Database, String) {
    let mut config = config(bench, "server");
    config.connections = 100;
    let postgres = Postgres::start(config, &bench.guard, |_| {}).await.unwrap();
    let owner = postgres
        .create_role("owner", RoleOptions::default())
        .await
        .unwrap();
    let database = postgres.create_database("theirs", &owner).await.unwrap();
    let admin = connect(&postgres.admin_url(&database)).await.unwrap();
    let sql = format!(
        "create role somebody login password 'secret' {attributes}; grant connect on database theirs to somebody"
    );
    admin.batch_execute(&sql).await.unwrap();
    let url = postgres.admin_url(&database);
    let (_, rest) = url.split_once('@').unwrap();
    let url = format!("postgres://somebody:secret@{rest}");
    (postgres, database, url)
}

async fn attach(bench: &Bench, url: &str, connections: u16) -> Result<Postgres, Error> {
    let mut config = PostgresConfig::new(cache(), bench.path("run"));
    config.source = PostgresSource::Url(url.to_owned());
    config.connections = connections;
    Postgres::start(config, &bench.guard, |_| {}).await
}

/// Databases and roles of ours on the server.
async fn ours(postgres: &Postgres, database: &Database) -> i64 {
    let admin = connect(&postgres.admin_url(database)).await.unwrap();
    let sql = "select (select count(*) from pg_database where datname like 'crosstalk%')
        + (select count(*) from pg_roles where rolname like 'crosstalk%')";
    admin.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn who_may_create_databases_and_roles_needs_no_superuser_and_leaves_nothing() {
    let bench = Bench::new().await;
    let (theirs, their_database, url) = server(&bench, "createdb createrole").await;
    let first = attach(&bench, &url, 10).await.unwrap();
    let second = attach(&bench, &url, 10).await.unwrap();
    let mut databases = Vec::new();
    for postgres in [&first, &second] {
        let owner = postgres
            .create_role("owner", RoleOptions::default())
            .await
            .unwrap();
        let database = postgres.create_database("chat", &owner).await.unwrap();
        let client = connect(&postgres.url(&owner, &database)).await.unwrap();
        client
            .batch_execute("create table notes (text text)")
            .await
            .unwrap();
        let gateway = postgres
            .create_role("gateway", RoleOptions::default())
            .await
            .unwrap();
        postgres.admit(&gateway, &database).await.unwrap();
        connect(&postgres.url(&gateway, &database)).await.unwrap();
        databases.push((client, database));
    }
    assert_ne!(databases[0].1, databases[1].1);
    assert_eq!(ours(&theirs, &their_database).await, 6);
    assert!(
        first.notes()[0].ends_with("as somebody; databases and roles of this run alone"),
        "{:?}",
        first.notes()
    );

    // Open connections do not keep a database from being dropped.
    first.stop().await.unwrap();
    assert_eq!(ours(&theirs, &their_database).await, 3);
    second.stop().await.unwrap();
    assert_eq!(ours(&theirs, &their_database).await, 0);
    theirs.stop().await.unwrap();
    bench.stop().await;
}

#[track_caller]
fn check_unfit(error: &Error, expect_lacks: &str, expect_hint: &str) {
    let Error::PostgresUnfit { server, lacks, hint } = error else {
        panic!("{error}")
    };
    assert_eq!((lacks.as_str(), hint.as_str()), (expect_lacks, expect_hint));
    assert!(
        !server.contains("secret") && !error.to_string().contains("secret"),
        "{error}"
    );
}

#[tokio::test]
async fn a_role_without_the_rights_is_refused_with_the_statement_that_gives_them() {
    let bench = Bench::new().await;
    let (theirs, database, url) = server(&bench, "createdb").await;
    let error = attach(&bench, &url, 10).await.unwrap_err();
    check_unfit(
        &error,
        "its role somebody has no CREATEROLE",
        "ALTER ROLE \"somebody\" CREATEROLE",
    );

    let admin = connect(&theirs.admin_url(&database)).await.unwrap();
    admin
        .batch_execute("alter role somebody nocreatedb")
        .await
        .unwrap();
    let error = attach(&bench, &url, 10).await.unwrap_err();
    let lacks = "its role somebody has no CREATEDB and no CREATEROLE";
    check_unfit(&error, lacks, "ALTER ROLE \"somebody\" CREATEDB CREATEROLE");

    admin
        .batch_execute("alter role somebody superuser")
        .await
        .unwrap();
    attach(&bench, &url, 10).await.unwrap().stop().await.unwrap();
    theirs.stop().await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn a_server_that_cannot_serve_is_refused() {
    let bench = Bench::new().await;
    let (theirs, _, url) = server(&bench, "createdb createrole").await;
    let error = attach(&bench, &url, 1000).await.unwrap_err();
    let Error::PostgresUnfit { lacks, .. } = &error else {
        panic!("{error}")
    };
    assert!(
        lacks.ends_with("connections are free, 1000 are needed"),
        "{lacks}"
    );

    let error = attach(&bench, &format!("{url}?sslmode=require"), 10)
        .await
        .unwrap_err();
    let hint = "reach it over loopback, a Unix socket or a tunnel, with sslmode=disable";
    check_unfit(&error, "its url asks for tls, which is not supported", hint);

    let error = attach(&bench, &url.replace("secret", "wrong"), 10)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Sql { doing, .. } if doing.ends_with("as somebody")),
        "{error}"
    );
    let error = attach(&bench, "postgres://a:secret@h:notaport/x", 10)
        .await
        .unwrap_err();
    assert!(matches!(&error, Error::PostgresUrl { .. }), "{error}");
    assert!(!support::chain(&error).contains("secret"));
    theirs.stop().await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn a_harness_that_is_killed_leaves_no_database_behind() {
    let bench = Bench::new().await;
    let (theirs, their_database, url) = server(&bench, "createdb createrole").await;
    let mut harness = Command::new(env!("CARGO_BIN_EXE_scratch-postgres"))
        .args([cache(), bench.path("killed")])
        .env(POSTGRES_ENV, &url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(harness.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let facts: serde_json::Value = serde_json::from_str(&line).unwrap();
    let guard = i32::try_from(facts["guard"].as_i64().unwrap()).unwrap();
    assert_eq!(ours(&theirs, &their_database).await, 2);

    harness.kill().unwrap();
    harness.wait().unwrap();
    support::eventually("the guard is gone", || !support::alive(guard));
    assert_eq!(ours(&theirs, &their_database).await, 0);
    theirs.stop().await.unwrap();
    bench.stop().await;
}
