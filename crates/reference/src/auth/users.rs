//! Accounts, and the tenants they belong to.

use serde::Serialize;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::Auth;
use super::answer::AuthError;
use super::input::Register;
use super::password::Lane;

/// How often a tenant may turn out to have been founded by somebody else in the same moment.
const FOUNDING_ATTEMPTS: usize = 3;

/// The answer to `POST /register`.
#[derive(Serialize)]
pub(super) struct Registered {
    user_id: Uuid,
    tenant_id: Uuid,
    email: String,
    name: String,
}

/// The tenant of a new account.
enum Tenant {
    /// It exists and the key was right.
    Joined(Uuid),
    /// It is founded together with the account.
    Founded { tenant_id: Uuid, key_hash: String },
}

impl Auth {
    /// Makes an account, and its tenant if nobody named that before.
    pub(super) async fn register(&self, input: Register) -> Result<Registered, AuthError> {
        let password_hash = self
            .passwords
            .hash(Lane::Register, input.password.clone())
            .await?;
        for _ in 0..FOUNDING_ATTEMPTS {
            let tenant = self.tenant(&input.tenant, &input.tenant_key).await?;
            if let Some(registered) = self.insert(&input, &password_hash, &tenant).await? {
                return Ok(registered);
            }
        }
        Err(AuthError::Busy)
    }

    async fn tenant(&self, slug: &str, key: &str) -> Result<Tenant, AuthError> {
        let known = sqlx::query_as("select tenant_id, key_hash from tenants where slug = $1").bind(slug);
        let known: Option<(Uuid, String)> = known.fetch_optional(&mut *self.database.lend().await?).await?;
        let Some((tenant_id, hash)) = known else {
            let key_hash = self.passwords.hash(Lane::Register, key.to_owned()).await?;
            return Ok(Tenant::Founded {
                tenant_id: Uuid::new_v4(),
                key_hash,
            });
        };
        if self
            .passwords
            .matches(Lane::Register, key.to_owned(), Some(hash))
            .await?
        {
            Ok(Tenant::Joined(tenant_id))
        } else {
            Err(AuthError::WrongTenantKey)
        }
    }

    /// Inserts account and tenant, both or neither; `None` if the tenant was founded by somebody else meanwhile.
    async fn insert(
        &self,
        input: &Register,
        password_hash: &str,
        tenant: &Tenant,
    ) -> Result<Option<Registered>, AuthError> {
        let mut lent = self.database.lend().await?;
        let mut transaction = lent.begin().await?;
        let tenant_id = match tenant {
            Tenant::Joined(tenant_id) => *tenant_id,
            Tenant::Founded { tenant_id, key_hash } => {
                if !found(&mut transaction, *tenant_id, &input.tenant, key_hash).await? {
                    transaction.rollback().await?;
                    return Ok(None);
                }
                *tenant_id
            }
        };
        let user_id = Uuid::new_v4();
        let inserted = sqlx::query(
            "insert into users (user_id, tenant_id, email, name, password_hash) values ($1, $2, $3, $4, $5) \
             on conflict do nothing",
        );
        let bound = inserted
            .bind(user_id)
            .bind(tenant_id)
            .bind(&input.email)
            .bind(&input.name)
            .bind(password_hash);
        if bound.execute(&mut *transaction).await?.rows_affected() == 0 {
            transaction.rollback().await?;
            return Err(AuthError::EmailTaken);
        }
        transaction.commit().await?;
        Ok(Some(Registered {
            user_id,
            tenant_id,
            email: input.email.clone(),
            name: input.name.clone(),
        }))
    }
}

async fn found(
    transaction: &mut PgConnection,
    tenant_id: Uuid,
    slug: &str,
    key_hash: &str,
) -> Result<bool, sqlx::Error> {
    let tenant = sqlx::query(
        "insert into tenants (tenant_id, slug, key_hash) values ($1, $2, $3) on conflict (slug) do nothing",
    );
    let inserted = tenant
        .bind(tenant_id)
        .bind(slug)
        .bind(key_hash)
        .execute(transaction)
        .await?;
    Ok(inserted.rows_affected() == 1)
}
