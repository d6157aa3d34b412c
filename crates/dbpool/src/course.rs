//! The operations of one pool, many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use crate::borrowed::{Borrowed, CheckoutError, DbError, Pool, Seen, Work};
use crate::hygiene;
use crate::plan::{Kind, Plan, Planned, SLEEP_CANCELLED, SLEEP_CANCELLED_BY_SERVER, body, user_name};
use crate::schema::Schema;
use crate::stress::Stress;
use crate::tally::{Fate, Gauge, Tally};

/// How long an impatient operation waits for a connection at first.
pub const IMPATIENCE: Duration = Duration::from_millis(2);

/// One pool's operations and all that they share.
pub(crate) struct Course<P> {
    pool: P,
    schema: Arc<Schema>,
    plan: Plan,
    patience: Duration,
    time_limit: Duration,
    spare_role: Option<String>,
    next: AtomicU64,
    gauge: Gauge,
}

/// What came of a course.
pub(crate) struct Ran {
    pub(crate) tally: Tally,
    pub(crate) in_flight_max: u32,
    pub(crate) wall: Duration,
}

/// Why an operation was not done.
enum Undone {
    /// For that reason.
    Failed(String),
    /// It was to be cancelled, and was.
    Cancelled,
}

impl<P: Pool> Course<P> {
    pub(crate) fn new(pool: P, schema: Arc<Schema>, stress: &Stress) -> Self {
        Self {
            pool,
            schema,
            plan: Plan::of(stress),
            patience: stress.patience,
            time_limit: stress.time_limit,
            spare_role: stress.spare_role.clone(),
            next: AtomicU64::new(0),
            gauge: Gauge::default(),
        }
    }

    /// Runs all operations, `in_flight` at once from a barrier on.
    pub(crate) async fn run(self, in_flight: u32) -> Ran {
        let course = Arc::new(self);
        let barrier = Arc::new(Barrier::new(in_flight as usize));
        let began = Instant::now();
        let mut lanes = JoinSet::new();
        for _ in 0..in_flight {
            let (course, barrier) = (course.clone(), barrier.clone());
            lanes.spawn(async move {
                barrier.wait().await;
                course.lane().await
            });
        }
        let mut tally = Tally::default();
        while let Some(lane) = lanes.join_next().await {
            match lane {
                Ok(lane) => tally = tally.merge(lane),
                Err(panic) => tally.failed(format!("a task of the harness failed: {panic}")),
            }
        }
        Ran {
            tally,
            in_flight_max: course.gauge.max(),
            wall: began.elapsed(),
        }
    }

    /// Takes operation after operation until there is none left or time is up.
    async fn lane(&self) -> Tally {
        let mut tally = Tally::default();
        let deadline = tokio::time::Instant::now() + self.time_limit;
        loop {
            let op = self.next.fetch_add(1, Ordering::Relaxed);
            if op >= self.plan.ops {
                return tally;
            }
            let planned = self.plan.planned(op);
            if timeout_at(deadline, self.operate(planned, &mut tally))
                .await
                .is_err()
            {
                tally.fates.insert(row_of(planned.op), Fate::Unknown);
                tally.failed(format!("not done within {:?}", self.time_limit));
            }
        }
    }

    async fn operate(&self, planned: Planned, tally: &mut Tally) {
        let _in_flight = self.gauge.enter();
        let Some(mut connection) = self.checkout(planned.kind, tally).await else {
            return;
        };
        let since = Instant::now();
        let done = match self.examine(&mut connection, planned, tally).await {
            Ok(pid) => self.act(connection, pid, planned, tally).await,
            Err(error) => Err(Undone::Failed(self.told(planned, &error, tally))),
        };
        tally.held(since.elapsed());
        match done {
            Ok(()) => tally.ok += 1,
            Err(Undone::Cancelled) => tally.cancelled += 1,
            Err(Undone::Failed(why)) => tally.failed(why),
        }
    }

    /// Waits for a connection; an impatient operation gives up once, and comes again.
    async fn checkout(&self, kind: Kind, tally: &mut Tally) -> Option<P::Borrowed> {
        let patiences = match kind {
            Kind::Impatient => vec![IMPATIENCE, self.patience],
            _ => vec![self.patience],
        };
        let mut last = None;
        for patience in patiences {
            let since = Instant::now();
            let connection = self.pool.checkout(patience).await;
            tally.waited(since.elapsed());
            match connection {
                Ok(connection) => return Some(connection),
                Err(CheckoutError::Timeout) => {
                    tally.timeouts += 1;
                    last = Some(format!("no connection within {patience:?}"));
                }
                Err(CheckoutError::Failed(error)) => last = Some(format!("checkout: {}", error.message)),
            }
        }
        tally.failed(last.unwrap_or_default());
        None
    }

    /// Looks at what the last borrower left, and whether rows can be seen without an identity. Gives the backend's pid.
    async fn examine(
        &self,
        connection: &mut P::Borrowed,
        planned: Planned,
        tally: &mut Tally,
    ) -> Result<Option<i32>, DbError> {
        let nonce = planned.op + 1_000_000;
        tally.examined += 1;
        let rows = match connection.simple(hygiene::sql(nonce)).await {
            Err(error) if error.is(DbError::IN_FAILED_TRANSACTION) => {
                tally.found(self.found(planned, "an open transaction that had failed"));
                return Err(error);
            }
            rows => rows?,
        };
        let examined = hygiene::examine(nonce, &self.schema.worker, &rows);
        for finding in &examined.findings {
            tally.found(self.found(planned, finding));
        }
        let visible = format!("SELECT DISTINCT owner FROM {} ORDER BY owner", self.schema.table);
        for owner in connection.simple(visible).await?.into_iter().flatten().flatten() {
            tally.found(self.found(planned, &format!("rows of {owner} visible without an identity")));
        }
        Ok(examined.pid)
    }

    /// Does what is planned; gives the connection back.
    async fn act(
        &self,
        mut connection: P::Borrowed,
        pid: Option<i32>,
        planned: Planned,
        tally: &mut Tally,
    ) -> Result<(), Undone> {
        let mut work = self.work(planned);
        match planned.kind {
            Kind::Drop(after) => {
                work.sleep = Some(SLEEP_CANCELLED);
                self.drop_in_flight(connection, work, after, tally).await
            }
            Kind::CancelByServer => {
                work.sleep = Some(SLEEP_CANCELLED_BY_SERVER);
                self.cancel_by_server(connection, work, pid, tally).await
            }
            Kind::Litter(litter) => {
                self.store(&mut connection, &work, planned, tally).await?;
                let sql = litter.sql(&work.table, &work.user, planned.op, self.spare_role.as_deref());
                match connection.simple(sql).await {
                    Err(error) if !litter.fails() => Err(Undone::Failed(self.told(planned, &error, tally))),
                    _ => {
                        tally.littered += 1;
                        Ok(())
                    }
                }
            }
            Kind::Commit | Kind::RollBack | Kind::Impatient => {
                self.store(&mut connection, &work, planned, tally).await
            }
        }
    }

    /// Writes a row, reads back, compares.
    async fn store(
        &self,
        connection: &mut P::Borrowed,
        work: &Work,
        planned: Planned,
        tally: &mut Tally,
    ) -> Result<(), Undone> {
        let fate = if work.commit { Fate::Committed } else { Fate::Gone };
        match connection.transact(work).await {
            Ok(seen) => {
                tally.fates.insert(work.op, fate);
                self.compare(work, &seen, planned, tally)
            }
            Err(error) => {
                tally.fates.insert(work.op, Fate::Unknown);
                Err(Undone::Failed(self.told(planned, &error, tally)))
            }
        }
    }

    fn compare(&self, work: &Work, seen: &Seen, planned: Planned, tally: &mut Tally) -> Result<(), Undone> {
        if seen.identity != work.user || seen.stored != work.op {
            let what = format!(
                "the answer to another question: {} and {}",
                seen.identity, seen.stored
            );
            tally.found(self.found(planned, &what));
        }
        for row in seen.rows.iter().filter(|row| row.owner != work.user) {
            tally.found(self.found(
                planned,
                &format!("row {} of {} visible to {}", row.op, row.owner, work.user),
            ));
        }
        let equal = seen
            .rows
            .iter()
            .any(|row| row.op == work.op && row.body == work.body);
        if equal {
            Ok(())
        } else {
            Err(Undone::Failed("the row did not read back as written".to_owned()))
        }
    }

    /// Drops the future of a transaction, and the connection with it, `after` it began.
    async fn drop_in_flight(
        &self,
        mut connection: P::Borrowed,
        work: Work,
        after: Duration,
        tally: &mut Tally,
    ) -> Result<(), Undone> {
        let row = work.op;
        tally.fates.insert(row, Fate::Gone);
        let transaction = async move { connection.transact(&work).await };
        match tokio::time::timeout(after, transaction).await {
            Err(_) => Err(Undone::Cancelled),
            Ok(Err(error)) => Err(Undone::Failed(error.message)),
            Ok(Ok(_)) => Err(Undone::Failed(format!(
                "was done within {after:?} though it sleeps longer"
            ))),
        }
    }

    /// Has the server cancel a statement that sleeps, and waits until it has.
    async fn cancel_by_server(
        &self,
        mut connection: P::Borrowed,
        work: Work,
        pid: Option<i32>,
        tally: &mut Tally,
    ) -> Result<(), Undone> {
        tally.fates.insert(work.op, Fate::Gone);
        let Some(pid) = pid else {
            return Err(Undone::Failed("the backend is not known".to_owned()));
        };
        let (done, found) = tokio::join!(connection.transact(&work), self.schema.cancel_sleeper(pid));
        match done {
            Err(error) if error.is(DbError::CANCELED) && found => Err(Undone::Cancelled),
            Err(error) => Err(Undone::Failed(error.message)),
            Ok(_) => Err(Undone::Failed("was not cancelled by the server".to_owned())),
        }
    }

    fn work(&self, planned: Planned) -> Work {
        Work {
            table: self.schema.table.clone(),
            user: user_name(planned.user),
            op: row_of(planned.op),
            body: body(planned.user, planned.op),
            sleep: None,
            commit: matches!(planned.kind, Kind::Commit | Kind::Impatient | Kind::Litter(_)),
        }
    }

    fn found(&self, planned: Planned, what: &str) -> String {
        format!(
            "operation {} of {} found {what}",
            planned.op,
            user_name(planned.user)
        )
    }

    /// The words for an error; a cancel that was not asked for is a finding too.
    fn told(&self, planned: Planned, error: &DbError, tally: &mut Tally) -> String {
        if error.is(DbError::CANCELED) {
            tally.found(self.found(planned, "a cancel that nobody asked for"));
        }
        error.message.clone()
    }
}

/// The key of an operation's row.
fn row_of(op: u64) -> i64 {
    i64::try_from(op).unwrap_or(i64::MAX)
}
