//! The rights of the services' database roles, as a table. The audit's are in [`crate::schema`]: it reads everything.

/// Who is granted something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// The auth service.
    Auth,
    /// The gateways.
    Gateway,
}

/// `GRANT rights ON on TO to`.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// The role.
    pub to: Grantee,
    /// The rights, with their columns where not all are meant.
    pub rights: &'static str,
    /// The table (or `sequence ...`, `function ...`).
    pub on: &'static str,
}

const fn grant(to: Grantee, rights: &'static str, on: &'static str) -> Grant {
    Grant { to, rights, on }
}

/// Every right of the services. What is not here is taken away by [`crate::schema::migrate`].
pub const GRANTS: &[Grant] = &[
    grant(Grantee::Auth, "select, insert", "tenants"),
    grant(Grantee::Auth, "select, insert", "users"),
    grant(
        Grantee::Auth,
        "select, insert, update (revoked_at, revoked_for), delete",
        "sessions",
    ),
    grant(
        Grantee::Auth,
        "select, insert, update (spent_at)",
        "refresh_tokens",
    ),
    grant(Grantee::Gateway, "select", "live_sessions"),
    grant(Grantee::Gateway, "select", "profiles"),
    grant(Grantee::Gateway, "select, insert, update (last_seq)", "threads"),
    grant(Grantee::Gateway, "select, insert", "messages"),
    grant(Grantee::Gateway, "select, insert, update (last_seq)", "rooms"),
    grant(Grantee::Gateway, "select, insert, delete", "room_members"),
    grant(Grantee::Gateway, "select, insert", "room_messages"),
    grant(Grantee::Gateway, "select, insert", "events"),
    grant(Grantee::Gateway, "select, insert, update (subjects)", "resumes"),
    grant(Grantee::Gateway, "execute", "function prune_chat(interval)"),
];
