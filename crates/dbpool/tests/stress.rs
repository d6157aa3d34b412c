//! Both pools against a real server: nothing found where nothing is wrong, every planted fault found.

mod common;

use std::time::Duration;

use common::Cluster;
use dbpool::{Litter, PoolRun, Recycling, Stress, StressError, stress};

fn findings(run: &PoolRun) -> String {
    run.figures.hygiene_findings.join("\n")
}

#[tokio::test]
async fn a_wiped_pool_is_clean_under_litter_and_cancels() {
    let cluster = Cluster::start().await;
    let runs = stress(&cluster.stress()).await.unwrap();
    let labels: Vec<_> = runs.iter().map(|run| run.figures.label.as_str()).collect();
    assert_eq!(labels, ["deadpool-postgres", "sqlx"]);
    for run in &runs {
        let figures = &run.figures;
        assert_eq!(findings(run), "", "{}", figures.label);
        assert_eq!(
            (figures.failed, figures.ok, run.cancelled, run.littered),
            (0, 108, 12, 12),
            "{run:?}"
        );
        assert_eq!(figures.hygiene_checked, 120);
        assert!(figures.stress && figures.size == 4);
        assert_eq!(figures.in_flight_max, 24);
        let [median, p99, max] = figures.wait_us.unwrap();
        assert!(median > 0 && median <= p99 && p99 <= max);
        assert!(
            figures.used_us > 0 && figures.used_us <= figures.available_us,
            "{figures:?}"
        );
        assert!(
            figures.timeouts > 0,
            "24 operations on 4 connections keep an impatient one waiting"
        );
    }
    let left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'crosstalk%'";
    let owner = cluster.connect("owner").await.unwrap();
    assert_eq!(owner.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_bare_pool_shows_each_litter() {
    let cluster = Cluster::start().await;
    let plants = [
        (Litter::Identity, "the identity setting `pool-user-"),
        (Litter::Identity, "visible without an identity"),
        (Litter::OpenTransaction, "an open transaction"),
        (Litter::OpenTransaction, "is stored though nobody committed it"),
        (Litter::FailedTransaction, "an open transaction that had failed"),
        (Litter::TempTable, "temporary relations"),
        (Litter::AdvisoryLock, "1 advisory locks"),
        (Litter::SearchPath, "changed settings (search_path)"),
        (Litter::Setting, "changed settings (work_mem)"),
        (Litter::Listen, "1 channels listened to"),
        (Litter::Cursor, "1 cursors"),
        (Litter::Role, "role spare instead of worker"),
        (Litter::Prepared, "1 prepared statements"),
    ];
    for (litter, finding) in plants {
        let planted = Stress {
            recycling: Recycling::Bare,
            cancels: false,
            litter: vec![litter],
            spare_role: Some("spare".to_owned()),
            ops: 60,
            ..cluster.stress()
        };
        for run in stress(&planted).await.unwrap() {
            let found = findings(&run);
            assert!(
                found.contains(finding),
                "{litter:?} in {}: {found}\n{run:?}",
                run.figures.label
            );
        }
    }
}

#[tokio::test]
async fn a_bare_pool_without_litter_is_clean() {
    let cluster = Cluster::start().await;
    let tame = Stress {
        recycling: Recycling::Bare,
        cancels: false,
        litter: vec![],
        ..cluster.stress()
    };
    for run in stress(&tame).await.unwrap() {
        assert_eq!(findings(&run), "", "{}", run.figures.label);
        assert_eq!((run.figures.ok, run.figures.failed), (120, 0));
    }
}

/// The default reset leaves a `PREPARE` in place, as [`dbpool::RESET_SQL`] says, and wipes a role.
#[tokio::test]
async fn the_reset_wipes_a_role_and_no_prepared_statement() {
    let cluster = Cluster::start().await;
    let planted = |litter| Stress {
        litter: vec![litter],
        spare_role: Some("spare".to_owned()),
        ..cluster.stress()
    };
    for run in stress(&planted(Litter::Role)).await.unwrap() {
        assert_eq!(findings(&run), "");
    }
    for run in stress(&planted(Litter::Prepared)).await.unwrap() {
        assert!(findings(&run).contains("prepared statements"));
    }
}

/// A second policy that lets everybody see everything, added behind the stress's back.
const WIDEN: &str = "
    CREATE FUNCTION widen() RETURNS event_trigger LANGUAGE plpgsql AS $$
    DECLARE policy record;
    BEGIN
        FOR policy IN SELECT polname, polrelid::regclass AS target FROM pg_event_trigger_ddl_commands() AS command
            JOIN pg_policy ON pg_policy.oid = command.objid
        LOOP
            IF policy.polname = 'own_rows' THEN
                EXECUTE format('CREATE POLICY leak ON %s USING (true)', policy.target);
            END IF;
        END LOOP;
    END $$;
    CREATE EVENT TRIGGER widen ON ddl_command_end WHEN TAG IN ('CREATE POLICY') EXECUTE FUNCTION widen()";

#[tokio::test]
async fn rows_of_others_are_found() {
    let cluster = Cluster::start().await;
    cluster
        .connect("owner")
        .await
        .unwrap()
        .batch_execute(WIDEN)
        .await
        .unwrap();
    for run in stress(&Stress {
        ops: 60,
        ..cluster.stress()
    })
    .await
    .unwrap()
    {
        let found = findings(&run);
        assert!(found.contains("visible to pool-user-"), "{found}");
        assert!(found.contains("visible without an identity"), "{found}");
    }
}

/// How often somebody has the chance to cancel before it counts as never found.
const STRESSES_MAX: u32 = 20;

/// Somebody cancels statements that are not theirs, as a cancel that comes too late does.
#[tokio::test]
async fn a_cancel_that_nobody_asked_for_is_found() {
    let cluster = Cluster::start().await;
    let vandal = cluster.connect("owner").await.unwrap();
    let vandalism = tokio::spawn(async move {
        let sql = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'worker' AND query LIKE '%pool%'";
        while vandal.execute(sql, &[]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let quiet = Stress {
        cancels: false,
        ..cluster.stress()
    };
    // where the machine is busy elsewhere, one stress may be over between two of his looks
    for _ in 0..STRESSES_MAX {
        let runs = stress(&quiet).await.unwrap();
        let found: String = runs.iter().map(findings).collect();
        if found.contains("a cancel that nobody asked for") {
            vandalism.abort();
            return;
        }
    }
    panic!("not found in {STRESSES_MAX} stresses");
}

#[tokio::test]
async fn time_that_runs_out_is_no_success() {
    let cluster = Cluster::start().await;
    let hurried = Stress {
        time_limit: Duration::from_millis(1),
        ..cluster.stress()
    };
    for run in stress(&hurried).await.unwrap() {
        let figures = run.figures;
        assert!(figures.failed > 0, "{figures:?}");
        assert_eq!(figures.ok + figures.failed + run.cancelled, 120);
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_refused() {
    let cluster = Cluster::start().await;
    let refused = async |request: Stress| stress(&request).await.unwrap_err().to_string();
    let as_owner = Stress {
        worker_url: cluster.url("owner"),
        ..cluster.stress()
    };
    assert_eq!(
        refused(as_owner).await,
        "the worker's role owner is above row-level security: take one that is neither superuser nor BYPASSRLS"
    );
    let none = Stress {
        size: 0,
        ..cluster.stress()
    };
    assert_eq!(
        refused(none).await,
        "0 connections asked for, the limit is 1 to 64"
    );
    let role = Stress {
        litter: vec![Litter::Role],
        ..cluster.stress()
    };
    assert!(refused(role).await.contains("needs a spare role"));
    let nobody = Stress {
        worker_url: cluster.url("nobody"),
        ..cluster.stress()
    };
    assert_eq!(refused(nobody).await, "the worker cannot connect to the database");
    let url = Stress {
        worker_url: "postgres://worker:secret@[".to_owned(),
        ..cluster.stress()
    };
    assert_eq!(refused(url).await, "the worker's database URL cannot be read");
    let not_an_owner = Stress {
        owner_url: cluster.url("worker"),
        ..cluster.stress()
    };
    assert!(matches!(
        stress(&not_an_owner).await,
        Err(StressError::Setup { .. })
    ));
}
