//! Rows come as they are stored, streamed, within limits.

mod common;

use std::time::Duration;

use common::Cluster;
use dbpool::{AuditQuery, Audited, audit};

const ROWS: &str = "
    CREATE TABLE message (id integer, thread uuid, owner uuid, author uuid, tenant text, role text, body text, raw bytea);
    INSERT INTO message SELECT n, '00000000-0000-0000-0000-00000000000a', CASE WHEN n % 2 = 0 THEN
        '00000000-0000-0000-0000-00000000000b'::uuid END, '00000000-0000-0000-0000-00000000000c', 'acme',
        CASE WHEN n % 3 = 0 THEN 'agent' ELSE 'user' END, 'body ' || n, '\\x00ff'::bytea FROM generate_series(0, 9) AS n";

fn select(body: &str) -> String {
    format!(
        "SELECT 'message' AS \"table\", thread AS container, owner, author, tenant, role = 'agent' AS derived, {body} AS body \
         FROM message ORDER BY id"
    )
}

async fn read(cluster: &Cluster, query: &AuditQuery) -> Result<(Audited, Vec<String>), String> {
    let mut rows = Vec::new();
    let url = cluster.url("owner");
    let audited = audit(&url, query, |row| {
        let body = String::from_utf8_lossy(&row.body);
        let (owner, container) = (row.owner.as_deref().unwrap_or("-"), &row.container);
        rows.push(format!(
            "{} {container} {owner} {} {} {} {body}",
            row.table, row.author, row.tenant, row.derived
        ));
    });
    match audited.await {
        Ok(audited) => Ok((audited, rows)),
        Err(error) => Err(error.to_string()),
    }
}

async fn with_rows() -> Cluster {
    let cluster = Cluster::start().await;
    let owner = cluster.connect("owner").await.expect("a connection");
    owner.batch_execute(ROWS).await.expect("rows");
    cluster
}

#[tokio::test]
async fn rows_are_streamed_by_column_name() {
    let cluster = with_rows().await;

    let (audited, rows) = read(&cluster, &AuditQuery::new(select("body"))).await.unwrap();
    assert_eq!(
        audited,
        Audited {
            rows: 10,
            complete: true
        }
    );
    let [a, b, c] = ["a", "b", "c"].map(|end| format!("00000000-0000-0000-0000-00000000000{end}"));
    assert_eq!(rows[0], format!("message {a} {b} {c} acme true body 0"));
    assert_eq!(rows[1], format!("message {a} - {c} acme false body 1"));

    let (_, rows) = read(&cluster, &AuditQuery::new(select("raw"))).await.unwrap();
    assert!(rows[0].ends_with("true \0\u{fffd}"));

    let limited = |rows_max| AuditQuery {
        rows_max,
        ..AuditQuery::new(select("body"))
    };
    let (audited, rows) = read(&cluster, &limited(9)).await.unwrap();
    assert_eq!(
        (audited, rows.len()),
        (
            Audited {
                rows: 9,
                complete: false
            },
            9
        )
    );
    let (audited, _) = read(&cluster, &limited(10)).await.unwrap();
    assert!(audited.complete, "all ten are as many as the limit");

    let slow = select("body").replace("FROM message", "FROM message, pg_sleep(60)");
    let slow = AuditQuery {
        time_limit: Duration::from_millis(100),
        ..AuditQuery::new(slow)
    };
    let (audited, _) = read(&cluster, &slow).await.unwrap();
    assert_eq!(
        audited,
        Audited {
            rows: 0,
            complete: false
        }
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error() {
    let cluster = with_rows().await;
    let error = async |sql: String| read(&cluster, &AuditQuery::new(sql)).await.unwrap_err();
    let without = select("body").replace("tenant,", "");
    assert_eq!(
        error(without).await,
        "the audit's query has no column `tenant` of text or uuid"
    );
    assert_eq!(
        error(select("id")).await,
        "the audit's query has no column `body` of text or bytea"
    );
    assert_eq!(
        error("SELECT nothing".to_owned()).await,
        "the audit's query failed"
    );
    assert_eq!(
        error("CREATE TABLE written ()".to_owned()).await,
        "the audit's query failed"
    );
    let nowhere = audit(
        "postgres://owner@/postgres?host=/nowhere",
        &AuditQuery::new("SELECT 1"),
        |_| {},
    )
    .await;
    assert_eq!(
        nowhere.unwrap_err().to_string(),
        "the audit cannot connect to the database"
    );
}
