//! What the last borrower left: asked of a connection before anything else.

use crate::borrowed::Rows;

/// The state of a connection as its next borrower finds it.
///
/// One statement by the simple protocol, where `now()` equals the statement's begin unless a transaction is open already.
/// Settings that drivers give at the start of a session have another source than `SET`.
pub(crate) fn sql(nonce: u64) -> String {
    format!(
        "SELECT '{nonce}'::text, pg_backend_pid()::text, coalesce(current_setting('app.user_id', true), '')::text, \
         (now() = statement_timestamp())::text, session_user::text, current_user::text, \
         (SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema())::text, \
         (SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())::text, \
         (SELECT coalesce(string_agg(name, ' ' ORDER BY name), '') FROM pg_catalog.pg_settings WHERE source = 'session' \
          AND name NOT IN ('role', 'session_authorization', 'is_superuser') AND name NOT LIKE 'transaction_%')::text, \
         (SELECT count(*) FROM pg_catalog.pg_listening_channels())::text, \
         (SELECT count(*) FROM pg_catalog.pg_cursors WHERE is_holdable)::text, \
         (SELECT count(*) FROM pg_catalog.pg_prepared_statements WHERE from_sql)::text"
    )
}

/// What was found of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Examined {
    /// The backend, if the answer could be read.
    pub(crate) pid: Option<i32>,
    /// What the last borrower left, in words.
    pub(crate) findings: Vec<String>,
}

/// Reads the answer to [`sql`]; `role` is the one that the pool logs in as.
pub(crate) fn examine(nonce: u64, role: &str, rows: &Rows) -> Examined {
    let row: Vec<&str> = rows
        .first()
        .map(|row| row.iter().map(|column| column.as_deref().unwrap_or("")).collect())
        .unwrap_or_default();
    let [
        answered,
        pid,
        identity,
        idle,
        session,
        current,
        temp,
        locks,
        settings,
        channels,
        cursors,
        prepared,
    ] = row[..]
    else {
        return crossed(nonce, &format!("{} columns", row.len()));
    };
    if answered != nonce.to_string() {
        return crossed(nonce, &format!("`{answered}`"));
    }
    let mut findings = Vec::new();
    let mut found = |is: bool, what: String| {
        if is {
            findings.push(what);
        }
    };
    found(!identity.is_empty(), format!("the identity setting `{identity}`"));
    found(idle != "true" && idle != "t", "an open transaction".to_owned());
    found(
        session != role,
        format!("session user {session} instead of {role}"),
    );
    found(current != role, format!("role {current} instead of {role}"));
    found(temp != "0", format!("{temp} temporary relations"));
    found(locks != "0", format!("{locks} advisory locks"));
    found(!settings.is_empty(), format!("changed settings ({settings})"));
    found(channels != "0", format!("{channels} channels listened to"));
    found(cursors != "0", format!("{cursors} cursors"));
    found(prepared != "0", format!("{prepared} prepared statements"));
    Examined {
        pid: pid.parse().ok(),
        findings,
    }
}

fn crossed(nonce: u64, got: &str) -> Examined {
    Examined {
        pid: None,
        findings: vec![format!(
            "the answer to another question: asked {nonce}, got {got}"
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: [&str; 12] = [
        "7", "4711", "", "true", "worker", "worker", "0", "0", "", "0", "0", "0",
    ];

    #[track_caller]
    fn check(column: usize, value: &str, finding: &str) {
        let mut row: Vec<Option<String>> = CLEAN.iter().map(|column| Some((*column).to_owned())).collect();
        row[column] = Some(value.to_owned());
        let examined = examine(7, "worker", &vec![row]);
        let expected: Vec<&str> = Some(finding)
            .filter(|finding| !finding.is_empty())
            .into_iter()
            .collect();
        assert_eq!(examined.findings, expected);
    }

    #[test]
    fn each_column_has_its_finding() {
        check(1, "4711", "");
        check(0, "6", "the answer to another question: asked 7, got `6`");
        check(2, "pool-user-3", "the identity setting `pool-user-3`");
        check(3, "false", "an open transaction");
        check(4, "root", "session user root instead of worker");
        check(5, "spare", "role spare instead of worker");
        check(6, "2", "2 temporary relations");
        check(7, "1", "1 advisory locks");
        check(
            8,
            "search_path work_mem",
            "changed settings (search_path work_mem)",
        );
        check(9, "1", "1 channels listened to");
        check(10, "1", "1 cursors");
        check(11, "1", "1 prepared statements");
    }

    #[test]
    fn an_answer_of_another_shape_is_somebody_elses() {
        let examined = examine(7, "worker", &vec![vec![Some("7".to_owned())]]);
        assert_eq!(
            examined.findings,
            ["the answer to another question: asked 7, got 1 columns"]
        );
        assert!(!examine(7, "worker", &vec![]).findings.is_empty());
    }
}
