//! The other planes, once the users are done: database rows, operator ports, pools under stress. All of it goes into the
//! history, and whatever cannot be read is trouble, so that nothing is valid for want of it.

use std::time::Duration;

use dbpool::{AuditQuery, Audited, PoolRun, Stress, StressError};
use history::{At, Check, Fact, Replica};
use session::profile::Profile;
use tokio::task::JoinSet;

use crate::log::Log;
use crate::stack::{Chat, POSTGRES, Stack};
use crate::vigil::Vigil;

/// Reads every operator port but those of lost services: situations that arose, and how the services' own pools fared.
pub(crate) async fn operators(
    stack: &Stack,
    chat: &Chat,
    vigil: &Vigil<'_>,
    profile: &Profile,
    log: &mut Log,
) {
    let up = Duration::from_nanos(log.clock.now().since(At::START));
    for operator in chat
        .operators
        .iter()
        .filter(|operator| !vigil.lacks(&operator.name))
    {
        let counted = operator.scrape(stack.http(), up).await;
        let Some(counted) = log.survive_of(&operator.name, "reading an operator port", counted) else {
            continue;
        };
        // a process that users do not reach tells of what it alone can count
        let told = |count: u64| operator.replica.is_some() || count > 0;
        for (name, count) in counted.situations.iter().filter(|(_, count)| told(**count)) {
            let replica = operator.replica.unwrap_or_default();
            let required_by = required_by(profile, name);
            log.record(Fact::Situation {
                name: name.as_str().into(),
                replica,
                count: *count,
                required_by,
            });
        }
        for pool in counted.pools {
            log.record(Fact::Pool(Box::new(pool)));
        }
    }
    // one that no port counts has not been shown to occur
    for (name, checks) in &profile.situations {
        let (name, required_by) = (name.as_str().into(), checks.clone());
        log.record(Fact::Situation {
            name,
            replica: Replica::AUTH,
            count: 0,
            required_by,
        });
    }
}

fn required_by(profile: &Profile, situation: &str) -> Vec<Check> {
    let of = profile.situations.iter().find(|(name, _)| name == situation);
    of.map(|(_, checks)| checks.clone()).unwrap_or_default()
}

/// Reads the database's rows with the audit's own credential.
pub(crate) async fn rows(chat: &Chat, profile: &Profile, log: &mut Log) {
    let (Some(source), Some(url)) = (&profile.audit, &chat.audit_url) else {
        return;
    };
    // the profile fixes the order of columns, the audit goes by their names
    let sql = format!("select * from ({}) as rows ({COLUMNS})", source.sql);
    let audited = dbpool::audit(url, &AuditQuery::new(sql), |row| log.record(Fact::AuditRow(row))).await;
    let audited = log.survive_of(POSTGRES, "reading the database", audited.map_err(Into::into));
    let Audited { rows, complete } = audited.unwrap_or(Audited {
        rows: 0,
        complete: false,
    });
    log.record(Fact::AuditEnd { rows, complete });
}

const COLUMNS: &str = r#""table", container, owner, author, tenant, derived, body"#;

/// The stress of both connection pools.
pub(crate) struct Pools {
    stress: Stress,
    /// The stress, once it has begun; ends with this.
    under_way: JoinSet<Result<Vec<PoolRun>, StressError>>,
}

impl Pools {
    /// A stress that has not begun.
    pub(crate) fn new(stress: &Stress) -> Self {
        Self {
            stress: stress.clone(),
            under_way: JoinSet::new(),
        }
    }

    /// Begins, unless it has.
    pub(crate) fn begin(&mut self) {
        if self.under_way.is_empty() {
            let stress = self.stress.clone();
            self.under_way.spawn(async move { dbpool::stress(&stress).await });
        }
    }

    /// Waits for the end and records the figures.
    pub(crate) async fn end(&mut self, log: &mut Log) {
        self.begin();
        let Some(runs) = self.under_way.join_next().await else {
            return;
        };
        let runs = runs.map_err(Into::into).and_then(|runs| runs.map_err(Into::into));
        for pool in log
            .survive_of(POSTGRES, "stressing the connection pools", runs)
            .unwrap_or_default()
        {
            log.record(Fact::Pool(Box::new(pool.figures)));
        }
    }
}
