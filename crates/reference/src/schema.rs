//! The database's schema, and who may do what in it.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::grants::{GRANTS, Grantee};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The roles of the services and of the audit. They exist already; none owns anything.
#[derive(Clone, Debug, clap::Args)]
pub struct Roles {
    /// Role of the auth service
    #[arg(long, value_name = "NAME")]
    pub auth_role: String,
    /// Role of the gateways
    #[arg(long, value_name = "NAME")]
    pub gateway_role: String,
    /// Role of the audit, which reads every row of every table
    #[arg(long, value_name = "NAME")]
    pub audit_role: String,
}

impl Roles {
    fn name(&self, grantee: Grantee) -> &str {
        match grantee {
            Grantee::Auth => &self.auth_role,
            Grantee::Gateway => &self.gateway_role,
        }
    }

    fn names(&self) -> [&str; 3] {
        [&self.auth_role, &self.gateway_role, &self.audit_role]
    }
}

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The database could not be reached.
    #[error("cannot connect to the database")]
    Connect(#[source] sqlx::Error),
    /// A migration failed.
    #[error("a migration failed")]
    Migrate(#[from] MigrateError),
    /// A role is missing.
    #[error("the database role {role:?} does not exist; create it first (CREATE ROLE ... LOGIN)")]
    NoRole {
        /// Its name.
        role: String,
    },
    /// One name stands for two roles, whose rights would add up.
    #[error("the database role {role:?} is named twice; each needs a role of its own")]
    SameRole {
        /// Its name.
        role: String,
    },
    /// A right could not be granted.
    #[error("cannot grant rights: {statement}")]
    Grant {
        /// What was tried.
        statement: String,
        /// What the database said.
        source: sqlx::Error,
    },
}

/// Applies what is missing of the migrations, then sets the rights of `roles` to exactly those of [`GRANTS`]. `url` names the
/// database as its owner. It may be run again at any time.
///
/// # Errors
/// [`SchemaError`]; rights are changed all or none.
pub async fn migrate(url: &str, roles: &Roles) -> Result<(), SchemaError> {
    let mut database = PgConnection::connect(url).await.map_err(SchemaError::Connect)?;
    check_roles(&mut database, roles).await?;
    MIGRATIONS.run(&mut database).await?;
    #[cfg(feature = "mutants")]
    for function in crate::mutant::SQL {
        let made = sqlx::raw_sql(function).execute(&mut database).await;
        made.map_err(SchemaError::Connect)?;
    }
    grant(&mut database, roles).await?;
    database.close().await.map_err(SchemaError::Connect)
}

async fn check_roles(database: &mut PgConnection, roles: &Roles) -> Result<(), SchemaError> {
    let names = roles.names();
    for (place, role) in names.into_iter().enumerate() {
        if names[..place].contains(&role) {
            return Err(SchemaError::SameRole {
                role: role.to_owned(),
            });
        }
        let exists = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)").bind(role);
        let exists: bool = exists
            .fetch_one(&mut *database)
            .await
            .map_err(SchemaError::Connect)?;
        if !exists {
            return Err(SchemaError::NoRole {
                role: role.to_owned(),
            });
        }
    }
    Ok(())
}

async fn grant(database: &mut PgConnection, roles: &Roles) -> Result<(), SchemaError> {
    let mut transaction = database.begin().await.map_err(SchemaError::Connect)?;
    let protected = tables_with_row_security(&mut transaction).await?;
    for statement in statements(roles, &protected) {
        let done = transaction.execute(AssertSqlSafe(statement.clone())).await;
        done.map_err(|source| SchemaError::Grant { statement, source })?;
    }
    transaction.commit().await.map_err(SchemaError::Connect)
}

async fn tables_with_row_security(database: &mut PgConnection) -> Result<Vec<String>, SchemaError> {
    let tables = "select relname::text from pg_class \
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relrowsecurity order by relname";
    sqlx::query_scalar(tables)
        .fetch_all(database)
        .await
        .map_err(SchemaError::Connect)
}

/// Everything to be run, in order: rights are taken away first, so that none of an earlier version stays.
fn statements(roles: &Roles, protected: &[String]) -> Vec<String> {
    let mut statements = Vec::new();
    for role in roles.names().map(quoted) {
        for kind in ["tables", "sequences", "functions"] {
            statements.push(format!("revoke all on all {kind} in schema public from {role}"));
        }
        statements.push(format!("grant usage on schema public to {role}"));
    }
    for grant in GRANTS {
        let role = quoted(roles.name(grant.to));
        statements.push(format!("grant {} on {} to {role}", grant.rights, grant.on));
    }
    let audit = quoted(&roles.audit_role);
    statements.push(format!("grant select on all tables in schema public to {audit}"));
    for table in protected.iter().map(|table| quoted(table)) {
        statements.push(format!("drop policy if exists audit_reads_all on public.{table}"));
        statements.push(format!(
            "create policy audit_reads_all on public.{table} for select to {audit} using (true)"
        ));
    }
    statements
}

/// `name` as an identifier, whatever it holds.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_identifiers() {
        assert_eq!(quoted("auth"), "\"auth\"");
        assert_eq!(
            quoted("Robert\"; drop table users; --"),
            "\"Robert\"\"; drop table users; --\""
        );
    }

    #[test]
    fn rights_are_taken_away_before_any_is_given() {
        let roles = Roles {
            auth_role: "a".into(),
            gateway_role: "g".into(),
            audit_role: "r".into(),
        };
        let statements = statements(&roles, &["threads".into()]);
        let last_revoke = statements
            .iter()
            .rposition(|statement| statement.starts_with("revoke"));
        let first_grant = statements
            .iter()
            .position(|statement| statement.starts_with("grant select"));
        assert!(last_revoke < first_grant, "{statements:#?}");
        let policy = "create policy audit_reads_all on public.\"threads\" for select to \"r\" using (true)";
        assert_eq!(statements.last().map(String::as_str), Some(policy));
    }
}
