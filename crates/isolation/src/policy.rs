//! Who may see what.

mod membership;

use std::collections::BTreeMap;

use history::{Audience, Interval, Tenant, User};

pub(crate) use membership::Memberships;

/// Entitlements of a run, as far as its history tells.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Who may see a user's ids and e-mail.
    pub(crate) identity: Audience,
    pub(crate) tenants: BTreeMap<User, Tenant>,
    pub(crate) memberships: Memberships,
}

impl Policy {
    /// Whether `observer` may have seen, at some instant of `span`, what `owner` planted for `audience`; `None` if
    /// the history does not tell the tenant of either.
    pub(crate) fn entitled(
        &self,
        observer: User,
        owner: User,
        audience: Audience,
        span: Interval,
    ) -> Option<bool> {
        if observer == owner {
            return Some(true);
        }
        match audience {
            Audience::Owner => Some(false),
            Audience::Room(room) => Some(self.memberships.possibly_member(room, observer, span)),
            Audience::Tenant(tenant) => Some(*self.tenants.get(&observer)? == tenant),
            Audience::OwnTenant => Some(self.tenants.get(&observer)? == self.tenants.get(&owner)?),
        }
    }

    /// Whether `observer` may see the ids and the e-mail of `owner`.
    pub(crate) fn knows(&self, observer: User, owner: User, span: Interval) -> Option<bool> {
        self.entitled(observer, owner, self.identity, span)
    }
}
