//! What the services keep their data in.

use anyhow::Result;
use services::{Postgres, RoleOptions};

/// The services' database, and the URLs by which each of its users reaches it.
pub(super) struct Databases {
    pub(super) roles: [String; 3],
    pub(super) owner_url: String,
    pub(super) auth_url: String,
    pub(super) gateway_url: String,
    pub(super) audit_url: String,
}

impl Databases {
    /// `prefix` keeps those of several services on one server apart.
    pub(super) async fn create(postgres: &Postgres, prefix: &str) -> Result<Self> {
        let name = |name: &str| format!("{prefix}{name}").replace('-', "_");
        let owner = postgres
            .create_role(&name("owner"), RoleOptions::default())
            .await?;
        let chat = postgres.create_database(&name("chat"), &owner).await?;
        let user = async |what| {
            let role = postgres.create_role(&name(what), RoleOptions::default()).await?;
            postgres.admit(&role, &chat).await?;
            anyhow::Ok(role)
        };
        let (auth, gateway, audit) = (user("auth").await?, user("gateway").await?, user("audit").await?);
        Ok(Self {
            roles: [&auth, &gateway, &audit].map(|role| role.name().to_owned()),
            owner_url: postgres.url(&owner, &chat),
            auth_url: postgres.url(&auth, &chat),
            gateway_url: postgres.url(&gateway, &chat),
            audit_url: postgres.url(&audit, &chat),
        })
    }
}
