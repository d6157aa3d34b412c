//! What a checkout costs: taken, wiped between borrowers, given back.
//!
//! Against the server that `DBPOOL_BENCH_URL` names, any role will do; without the variable nothing is measured.

use criterion::{Criterion, criterion_group, criterion_main};
use dbpool::RESET_SQL;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::NoTls;

const SIZE: u32 = 4;

fn checkout(c: &mut Criterion) {
    let Ok(url) = std::env::var("DBPOOL_BENCH_URL") else {
        return;
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut group = c.benchmark_group("checkout");
    for (name, method) in [
        ("deadpool-postgres/bare", RecyclingMethod::Fast),
        (
            "deadpool-postgres/reset",
            RecyclingMethod::Custom(RESET_SQL.to_owned()),
        ),
    ] {
        let pool = deadpool(&url, method);
        runtime.block_on(async { drop(pool.get().await.expect("a connection")) });
        group.bench_function(name, |b| {
            b.iter(|| runtime.block_on(async { drop(pool.get().await) }))
        });
    }
    for (name, reset) in [("sqlx/bare", false), ("sqlx/reset", true)] {
        let pool = sqlx(&runtime, &url, reset);
        group.bench_function(name, |b| {
            b.iter(|| runtime.block_on(async { drop(pool.acquire().await) }))
        });
    }
    group.finish();
}

fn deadpool(url: &str, recycling_method: RecyclingMethod) -> Pool {
    let config = url.parse().expect("DBPOOL_BENCH_URL is a database URL");
    let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
    Pool::builder(manager)
        .max_size(SIZE as usize)
        .build()
        .expect("a pool")
}

fn sqlx(runtime: &Runtime, url: &str, reset: bool) -> sqlx::PgPool {
    let mut pool = PgPoolOptions::new().max_connections(SIZE);
    if reset {
        pool = pool.after_release(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(RESET_SQL).execute(connection).await?;
                Ok(true)
            })
        });
    }
    runtime.block_on(pool.connect(url)).expect("a connection")
}

criterion_group!(benches, checkout);
criterion_main!(benches);
