//! What a target can or cannot do, as a profile has to say of each.

use super::Action;

/// Something that targets have or do not have; each is a few actions or exchanges that make sense together only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Capability {
    WhoAmI,
    Threads,
    Cancel,
    Rooms,
    Presence,
    LookUp,
    Resume,
    Snapshot,
    Me,
    Refresh,
    Logout,
    ShortLogin,
}

impl Capability {
    /// All of them, with their names in profiles.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::WhoAmI, "who-am-i"),
        (Self::Threads, "threads"),
        (Self::Cancel, "cancel"),
        (Self::Rooms, "rooms"),
        (Self::Presence, "presence"),
        (Self::LookUp, "look-up"),
        (Self::Resume, "resume"),
        (Self::Snapshot, "snapshot"),
        (Self::Me, "me"),
        (Self::Refresh, "refresh"),
        (Self::Logout, "logout"),
        (Self::ShortLogin, "login-short"),
    ];

    /// The actions that it consists of; none for what is asked over HTTP.
    #[must_use]
    pub fn actions(self) -> &'static [Action] {
        match self {
            Self::WhoAmI => &[Action::WhoAmI],
            Self::Threads => &[
                Action::CreateThread,
                Action::ListThreads,
                Action::FindThread,
                Action::ReadThread,
                Action::SubscribeThread,
            ],
            Self::Cancel => &[Action::Cancel],
            Self::Rooms => &[
                Action::CreateRoom,
                Action::ListRooms,
                Action::AddMember,
                Action::RemoveMember,
                Action::SubscribeRoom,
                Action::PostRoom,
                Action::ReadRoom,
                Action::Typing,
            ],
            Self::Presence => &[Action::Presence],
            Self::LookUp => &[Action::LookUp],
            Self::Resume => &[Action::Resume],
            Self::Snapshot => &[Action::Snapshot],
            Self::Me | Self::Refresh | Self::Logout | Self::ShortLogin => &[],
        }
    }
}
