//! What users do, in the harness's words.

use history::Role;

/// One kind of thing that a user asks of a connected service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Action {
    WhoAmI,
    CreateThread,
    ListThreads,
    FindThread,
    ReadThread,
    SubscribeThread,
    Post,
    Cancel,
    CreateRoom,
    ListRooms,
    AddMember,
    RemoveMember,
    SubscribeRoom,
    PostRoom,
    ReadRoom,
    Presence,
    Typing,
    LookUp,
    Resume,
    /// All that a client shows first.
    Snapshot,
    /// As [`Self::Post`], not willing to wait for its turn.
    PostHastily,
    /// As [`Self::ListThreads`], naming somebody else as the owner.
    ListThreadsOf,
    /// As [`Self::SubscribeRoom`], claiming to be somebody else.
    SubscribeRoomAs,
    /// As [`Self::WhoAmI`], with somebody else's token in the message.
    WhoAmIWith,
}

impl Action {
    /// Its role in histories.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::WhoAmI | Self::WhoAmIWith => Role::WhoAmI,
            Self::CreateThread => Role::CreateThread,
            Self::ListThreads | Self::ListThreadsOf => Role::ListThreads,
            Self::FindThread => Role::FindThread,
            Self::ReadThread => Role::ReadThread,
            Self::SubscribeThread | Self::SubscribeRoom | Self::SubscribeRoomAs => Role::Subscribe,
            Self::Post | Self::PostHastily => Role::Post,
            Self::Cancel => Role::Cancel,
            Self::CreateRoom => Role::CreateRoom,
            Self::ListRooms => Role::ListRooms,
            Self::AddMember => Role::JoinRoom,
            Self::RemoveMember => Role::LeaveRoom,
            Self::PostRoom => Role::PostRoom,
            Self::ReadRoom => Role::ReadRoom,
            Self::Presence => Role::Presence,
            Self::Typing => Role::Typing,
            Self::LookUp => Role::LookUp,
            Self::Resume => Role::Resume,
            Self::Snapshot => Role::Other,
        }
    }
}

/// What an action does to who may see what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Whoever asks is a member of the room from then on.
    Founds,
    /// The user that the request names becomes a member of the room.
    Joins,
    /// The user that the request names is a member no more.
    Leaves,
}
