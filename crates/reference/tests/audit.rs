//! The audit's role sees what row-level security hides from others.

mod common;

use common::Cluster;
use sqlx::Executor as _;
use sqlx::postgres::PgConnection;

async fn rows(connection: &mut PgConnection) -> i64 {
    let count = sqlx::query_scalar("select count(*) from hidden");
    count.fetch_one(connection).await.expect("the table can be read")
}

#[tokio::test]
async fn the_audit_reads_rows_that_policies_hide() {
    let cluster = Cluster::start().await;
    let mut owner = cluster.connect("owner").await;
    for statement in [
        "create table hidden (id int)",
        "alter table hidden enable row level security",
        "insert into hidden values (1)",
    ] {
        owner.execute(statement).await.expect(statement);
    }
    // the second run finds the new table, the third one its policy
    for _ in 0..2 {
        cluster.migrate().await.expect("the grants are made again");
    }
    assert_eq!(rows(&mut cluster.connect("audit").await).await, 1);
    owner
        .execute("grant select on hidden to gateway")
        .await
        .expect("a right beyond the table of grants");
    assert_eq!(rows(&mut cluster.connect("gateway").await).await, 0);
    cluster.migrate().await.expect("the grants are made again");
    let denied = cluster
        .connect("gateway")
        .await
        .execute("select from hidden")
        .await;
    assert!(
        denied.is_err(),
        "a right that is not in the table of grants stays"
    );
}
