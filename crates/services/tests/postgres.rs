//! Private clusters, with a real server.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};
use services::{Database, Error, Postgres, PostgresConfig, PostgresSource, Role, RoleOptions, Signal};
use sqlx::Connection;
use support::{Bench, PATIENCE, alive, cache, chain, config, connect, eventually, start};

async fn chat(postgres: &Postgres) -> (Role, Database) {
    let owner = postgres
        .create_role("owner", RoleOptions::default())
        .await
        .unwrap();
    let database = postgres.create_database("chat", &owner).await.unwrap();
    (owner, database)
}

#[tokio::test]
async fn both_drivers_reach_a_database_by_its_url_and_its_owner_may_make_tables() {
    let bench = Bench::new().await;
    let postgres = start(&bench, "run").await;
    let (owner, database) = chat(&postgres).await;
    let url = postgres.url(&owner, &database);

    let client = connect(&url).await.unwrap();
    client
        .batch_execute("create table notes (text text); insert into notes values ('kept')")
        .await
        .unwrap();
    let mut other = sqlx::PgConnection::connect(&url).await.unwrap();
    let text: String = sqlx::query_scalar("select text from notes")
        .fetch_one(&mut other)
        .await
        .unwrap();
    assert_eq!(text, "kept");
    postgres.stop().await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn roles_have_no_more_rights_than_they_were_given() {
    let bench = Bench::new().await;
    let postgres = start(&bench, "run").await;
    let (owner, database) = chat(&postgres).await;
    let gateway = postgres
        .create_role("gateway", RoleOptions::default())
        .await
        .unwrap();
    let audit = postgres
        .create_role("audit", RoleOptions { bypass_rls: true })
        .await
        .unwrap();

    let admin = connect(&postgres.admin_url(&database)).await.unwrap();
    let sql =
        "select rolsuper or rolcreatedb or rolcreaterole, rolbypassrls from pg_roles where rolname = $1";
    for (role, bypass) in [(&owner, false), (&gateway, false), (&audit, true)] {
        let row = admin.query_one(sql, &[&role.name()]).await.unwrap();
        assert_eq!(
            (row.get::<_, bool>(0), row.get::<_, bool>(1)),
            (false, bypass),
            "{role:?}"
        );
    }
    let refused = connect(&postgres.url(&gateway, &database)).await.unwrap_err();
    assert!(
        chain(&refused).contains("permission denied for database"),
        "until it is granted: {refused}"
    );
    postgres.admit(&gateway, &database).await.unwrap();
    connect(&postgres.url(&gateway, &database)).await.unwrap();

    let wrong = postgres.url(&owner, &database).replace(":5432", "x:5432");
    assert!(connect(&wrong).await.is_err(), "another socket");
    let stranger = postgres.url(&owner, &database).replace("owner:", "postgres:");
    let refused = connect(&stranger).await.unwrap_err();
    assert!(
        chain(&refused).contains("password authentication failed"),
        "{}",
        chain(&refused)
    );
    postgres.stop().await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn a_cluster_is_private_durable_against_process_death_and_as_wide_as_asked() {
    let bench = Bench::new().await;
    let mut config = config(&bench, "run");
    config.connections = 42;
    let postgres = Postgres::start(config, &bench.guard, |_| {}).await.unwrap();
    let (_, database) = chat(&postgres).await;
    let admin = connect(&postgres.admin_url(&database)).await.unwrap();
    for (setting, value) in [
        ("listen_addresses", ""),
        ("fsync", "off"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "off"),
        ("max_connections", "45"),
    ] {
        let row = admin
            .query_one("select current_setting($1)", &[&setting])
            .await
            .unwrap();
        assert_eq!(row.get::<_, String>(0), value, "{setting}");
    }
    let folder = fs::metadata(bench.path("run/postgres")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    let rules = admin
        .query(
            "select distinct type || ' ' || auth_method from pg_hba_file_rules",
            &[],
        )
        .await
        .unwrap();
    assert!(
        rules
            .iter()
            .all(|rule| rule.get::<_, String>(0).ends_with("scram-sha-256"))
    );
    assert!(
        postgres.notes()[0].starts_with("PostgreSQL "),
        "{:?}",
        postgres.notes()
    );
    postgres.stop().await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn an_acknowledged_commit_survives_a_server_that_is_killed() {
    let bench = Bench::new().await;
    let postgres = start(&bench, "run").await;
    let (owner, database) = chat(&postgres).await;
    let client = connect(&postgres.url(&owner, &database)).await.unwrap();
    client
        .batch_execute("create table notes (text text); insert into notes values ('kept')")
        .await
        .unwrap();

    // The server restarts by itself after the death of a backend, and recovers from its log.
    let admin = connect(&postgres.admin_url(&database)).await.unwrap();
    let backend: i32 = admin
        .query_one("select pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    kill_process(Pid::from_raw(backend).unwrap(), rustix::process::Signal::KILL).unwrap();
    let recovered = async {
        while client.query_one("select 1", &[]).await.is_ok() {}
        loop {
            if let Ok(client) = connect(&postgres.url(&owner, &database)).await {
                break client
                    .query_one("select text from notes", &[])
                    .await
                    .unwrap()
                    .get::<_, String>(0);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, recovered).await.unwrap();
    assert_eq!(found, "kept");
    postgres.stop().await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn two_clusters_live_side_by_side_and_leave_nothing() {
    let bench = Bench::new().await;
    let other = Bench::new().await;
    let (first, second) = tokio::join!(start(&bench, "run"), start(&other, "run"));
    let (mut folders, mut segments) = (Vec::new(), Vec::new());
    for (bench, postgres) in [(&bench, &first), (&other, &second)] {
        let link = bench.path("run/postgres");
        let folder = fs::read_link(&link).unwrap();
        segments.push(segment(bench));
        folders.extend([link, folder]);
        chat(postgres).await;
    }
    assert_ne!(folders[1], folders[3]);

    first.stop().await.unwrap();
    let client = connect(&second.admin_url(&chat_of(&second).await)).await.unwrap();
    client.query_one("select 1", &[]).await.unwrap();
    bench.stop().await;
    // The guard stops what nobody stopped.
    drop(second);
    let (farewell, _folder) = other.stop().await;
    assert_eq!(farewell, services::Farewell::default());
    for path in folders {
        assert!(fs::symlink_metadata(&path).is_err(), "{}", path.display());
    }
    for segment in segments {
        assert!(!is_shared(&segment), "{segment}");
    }
}

/// The number of the server's System V shared memory segment.
fn segment(bench: &Bench) -> String {
    let lock = fs::read_to_string(bench.path("run/postgres/data/postmaster.pid")).unwrap();
    let line = lock.lines().nth(6).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

/// Whether the machine has the segment; without System V shared memory in `/proc` it has none to show.
fn is_shared(segment: &str) -> bool {
    let shared = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let mut lines = shared.lines();
    lines.any(|line| line.split_whitespace().nth(1) == Some(segment))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_is_killed_leaves_no_shared_memory_and_no_folder() {
    let bench = Bench::new().await;
    let postgres = start(&bench, "run").await;
    let folder = fs::read_link(bench.path("run/postgres")).unwrap();
    let segment = segment(&bench);
    postgres.answers(PATIENCE).await.unwrap();

    let process = postgres.process().unwrap();
    process.strike(Signal::Kill).await.unwrap();
    process.exited().await;
    assert!(postgres.answers(PATIENCE).await.is_err());
    assert!(is_shared(&segment), "the system keeps it for whoever comes");

    postgres.stop().await.unwrap();
    assert!(!is_shared(&segment));
    let (farewell, _folder) = bench.stop().await;
    assert_eq!(farewell, services::Farewell::default());
    assert!(!folder.exists());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_frozen_server_does_not_answer_and_stops_all_the_same() {
    let bench = Bench::new().await;
    let postgres = start(&bench, "run").await;
    postgres.process().unwrap().strike(Signal::Stop).await.unwrap();
    let error = silence(&postgres).await;
    assert_eq!(error.to_string(), "postgresql did not answer within 200ms");
    postgres.stop().await.unwrap();
    let (farewell, _folder) = bench.stop().await;
    assert_eq!(
        farewell,
        services::Farewell::default(),
        "nothing had to be forced"
    );
}

/// A signal is on its way for a moment: the first time that the server does not answer.
async fn silence(postgres: &Postgres) -> services::Error {
    const LIMIT: Duration = Duration::from_secs(30);
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        if let Err(error) = postgres.answers(Duration::from_millis(200)).await {
            return error;
        }
    }
    panic!("it answered for {LIMIT:?}");
}

async fn chat_of(postgres: &Postgres) -> Database {
    let owner = postgres
        .create_role("second", RoleOptions::default())
        .await
        .unwrap();
    postgres.create_database("second", &owner).await.unwrap()
}

#[tokio::test]
async fn of_two_runs_that_make_the_first_template_both_succeed_and_the_cache_is_clean() {
    let bench = Bench::new().await;
    let other = Bench::new().await;
    let cache = bench.path("cache");
    let start = async |bench: &Bench| {
        let mut lines = Vec::new();
        let config = PostgresConfig::new(&cache, bench.path("run"));
        let postgres = Postgres::start(config, &bench.guard, |line| lines.push(line.to_owned())).await;
        postgres.unwrap().stop().await.unwrap();
        lines
    };
    let (first, second) = tokio::join!(start(&bench), start(&other));
    assert!(
        first[0].starts_with("initialising a template for PostgreSQL "),
        "{first:?}"
    );
    assert_eq!(first, second);
    assert_eq!(
        start(&bench).await,
        Vec::<String>::new(),
        "the third finds it made"
    );
    let entries: Vec<_> = fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    other.stop().await;
    bench.stop().await;
}

#[tokio::test]
async fn a_folder_without_binaries_is_refused_with_a_hint() {
    let bench = Bench::new().await;
    let mut config = config(&bench, "run");
    config.source = PostgresSource::BinDir("/nonexistent".into());
    let error = Postgres::start(config, &bench.guard, |_| {}).await.unwrap_err();
    let Error::PostgresMissing { looked, hint, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(looked.0, ["/nonexistent: it has no initdb"]);
    assert!(hint.starts_with("install version 15 or newer: "), "{hint}");
    bench.stop().await;
}

#[tokio::test]
async fn with_nothing_in_the_cache_and_offline_it_says_how_to_install_one() {
    let bench = Bench::new().await;
    let mut config = PostgresConfig::new(bench.path("cache"), bench.path("run"));
    (config.source, config.offline) = (PostgresSource::Fetched, true);
    let mut lines = Vec::new();
    let progress = |line: &str| lines.push(line.to_owned());
    let error = Postgres::start(config, &bench.guard, progress).await.unwrap_err();
    let Error::PostgresMissing { looked, hint, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        looked.0,
        [
            "installed ones were not looked for",
            "none is in the cache, and fetching one was forbidden (offline)",
        ]
    );
    assert!(hint.starts_with("install version 15 or newer: "), "{hint}");
    assert_eq!(lines, Vec::<String>::new());
    let (farewell, _folder) = bench.stop().await;
    assert_eq!(farewell.problems, Vec::<String>::new());
}

#[test]
fn a_harness_that_is_killed_leaves_neither_processes_nor_folders() {
    let run = tempfile::tempdir().unwrap();
    let mut harness = Command::new(env!("CARGO_BIN_EXE_scratch-postgres"))
        .args([cache(), run.path().to_owned()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(harness.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let facts: serde_json::Value = serde_json::from_str(&line).unwrap();
    let pid = |name: &str| i32::try_from(facts[name].as_i64().unwrap()).unwrap();
    let (guard, postgres) = (pid("guard"), pid("postgres"));
    let folder = std::path::PathBuf::from(facts["folder"].as_str().unwrap());
    assert!(alive(guard) && alive(postgres) && folder.is_dir());

    harness.kill().unwrap();
    harness.wait().unwrap();

    eventually("guard and server are gone", || !alive(guard) && !alive(postgres));
    assert!(!folder.exists());
    assert!(fs::symlink_metadata(run.path().join("postgres")).is_err());
    assert_eq!(fs::read_to_string(run.path().join("guard.log")).unwrap(), "");
}
