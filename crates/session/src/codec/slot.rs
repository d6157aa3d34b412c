//! What frames are filled with and answers are searched for.

/// What can be put into a frame or taken out of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Slot {
    /// The request id.
    Id,
    Thread,
    Room,
    User,
    Tenant,
    Session,
    Title,
    Body,
    Nonce,
    Note,
    Status,
    /// Another request's id.
    Request,
    /// What names an earlier connection.
    Resume,
    /// Position after which one reads.
    After,
    /// Position of what was written.
    Position,
    /// Whether something was done.
    Done,
    Email,
    Password,
    Name,
    TenantSlug,
    TenantKey,
    AccessToken,
    RefreshToken,
    /// Life of an access token, in seconds.
    LifeS,
    /// Public keys of access tokens, as JSON.
    KeySet,
    /// How long something may wait for its turn, in milliseconds.
    WaitMs,
    /// The e-mail's part before the `@`: a name to log in by, which no other user has.
    Handle,
    /// The service's id of the user whose thread it is.
    Owner,
    /// Now, in seconds since the Unix epoch.
    NowS,
    /// When a token that is signed now expires, in the same.
    ExpiresS,
    /// The service's id of the user who asks.
    Me,
    /// The handle of the user who asks.
    MyHandle,
    /// What one step of a log-in gives to the next: a CSRF token, a challenge, an administrator's token.
    Ticket,
    /// An id that is made for one request, and nobody else has.
    Uuid,
    /// Now, as ISO 8601 has it: `2024-05-06T07:08:09.010Z`.
    NowIso,
}

impl Slot {
    pub(crate) const ALL: [(Self, &'static str); 35] = [
        (Self::Id, "id"),
        (Self::Thread, "thread"),
        (Self::Room, "room"),
        (Self::User, "user"),
        (Self::Tenant, "tenant"),
        (Self::Session, "session"),
        (Self::Title, "title"),
        (Self::Body, "body"),
        (Self::Nonce, "nonce"),
        (Self::Note, "note"),
        (Self::Status, "status"),
        (Self::Request, "request"),
        (Self::Resume, "resume"),
        (Self::After, "after"),
        (Self::Position, "position"),
        (Self::Done, "done"),
        (Self::Email, "email"),
        (Self::Password, "password"),
        (Self::Name, "name"),
        (Self::TenantSlug, "tenant-slug"),
        (Self::TenantKey, "tenant-key"),
        (Self::AccessToken, "access-token"),
        (Self::RefreshToken, "refresh-token"),
        (Self::LifeS, "life-s"),
        (Self::KeySet, "key-set"),
        (Self::WaitMs, "wait-ms"),
        (Self::Handle, "handle"),
        (Self::Owner, "owner"),
        (Self::NowS, "now-s"),
        (Self::ExpiresS, "expires-s"),
        (Self::Me, "me"),
        (Self::MyHandle, "my-handle"),
        (Self::Ticket, "ticket"),
        (Self::Uuid, "uuid"),
        (Self::NowIso, "now-iso"),
    ];

    /// Its name in templates.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, other)| *other == name)
            .map(|(slot, _)| *slot)
    }

    pub(super) fn is_number(self) -> bool {
        matches!(
            self,
            Self::After | Self::Position | Self::LifeS | Self::WaitMs | Self::NowS | Self::ExpiresS
        )
    }
}

/// Some slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots(u64);

const _: () = assert!(Slot::ALL.len() <= u64::BITS as usize, "a bit for each");

impl Slots {
    pub(crate) fn has(self, slot: Slot) -> bool {
        self.0 & Self::bit(slot) != 0
    }

    pub(crate) fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    pub(super) fn add(&mut self, slot: Slot) {
        self.0 |= Self::bit(slot);
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        self.0 &= !Self::bit(slot);
    }

    fn bit(slot: Slot) -> u64 {
        1 << slot as u32
    }
}

impl FromIterator<Slot> for Slots {
    fn from_iter<T: IntoIterator<Item = Slot>>(slots: T) -> Self {
        Self(slots.into_iter().fold(0, |bits, slot| bits | Self::bit(slot)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_in_order_of_the_table() {
        for (index, (slot, _)) in Slot::ALL.iter().enumerate() {
            assert_eq!(*slot as usize, index);
        }
    }
}
