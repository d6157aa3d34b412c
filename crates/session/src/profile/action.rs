//! What users do, in the harness's words: what each request takes, what its answer gives.

use history::Role;

use crate::codec::Slot;

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
    /// Its name in profiles.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WhoAmI => "who-am-i",
            Self::CreateThread => "create-thread",
            Self::ListThreads => "list-threads",
            Self::FindThread => "find-thread",
            Self::ReadThread => "read-thread",
            Self::SubscribeThread => "subscribe-thread",
            Self::Post => "post",
            Self::Cancel => "cancel",
            Self::CreateRoom => "create-room",
            Self::ListRooms => "list-rooms",
            Self::AddMember => "add-member",
            Self::RemoveMember => "remove-member",
            Self::SubscribeRoom => "subscribe-room",
            Self::PostRoom => "post-room",
            Self::ReadRoom => "read-room",
            Self::Presence => "presence",
            Self::Typing => "typing",
            Self::LookUp => "look-up",
            Self::Resume => "resume",
            Self::Snapshot => "snapshot",
            Self::PostHastily => "post-hastily",
            Self::ListThreadsOf => "list-threads-of",
            Self::SubscribeRoomAs => "subscribe-room-as",
            Self::WhoAmIWith => "who-am-i-with",
        }
    }

    /// What the harness has for its request, beside the request id. The first `needed` of them have to be in the frame, or
    /// it would not be this request.
    #[must_use]
    pub fn takes(self) -> (&'static [Slot], usize) {
        match self {
            Self::WhoAmI | Self::ListThreads | Self::ListRooms | Self::Snapshot => (&[], 0),
            Self::CreateThread => (&[Slot::Title], 0),
            Self::FindThread => (&[Slot::Title], 1),
            Self::ReadThread => (&[Slot::Thread, Slot::After, Slot::Owner], 1),
            Self::SubscribeThread => (&[Slot::Thread, Slot::Owner], 1),
            Self::Post => (&[Slot::Body, Slot::Thread, Slot::Nonce], 1),
            Self::PostHastily => (&[Slot::Body, Slot::WaitMs, Slot::Thread, Slot::Nonce], 2),
            Self::Cancel => (&[Slot::Request], 1),
            Self::CreateRoom => (&[Slot::Name], 1),
            Self::AddMember | Self::RemoveMember => (&[Slot::Room, Slot::User], 2),
            Self::SubscribeRoom | Self::Typing => (&[Slot::Room], 1),
            Self::SubscribeRoomAs => (&[Slot::Room, Slot::User], 2),
            Self::PostRoom => (&[Slot::Room, Slot::Body, Slot::Note], 2),
            Self::ReadRoom => (&[Slot::Room, Slot::After], 1),
            Self::Presence => (&[Slot::Status], 1),
            Self::LookUp | Self::ListThreadsOf => (&[Slot::User], 1),
            Self::Resume => (&[Slot::Resume, Slot::After], 1),
            Self::WhoAmIWith => (&[Slot::AccessToken], 1),
        }
    }

    /// What the harness looks for in its answer. The first `needed` of them have to be said where they stand, or the op is of
    /// no use.
    #[must_use]
    pub fn gives(self) -> (&'static [Slot], usize) {
        match self {
            Self::WhoAmI => (&[Slot::User, Slot::Session], 1),
            Self::WhoAmIWith => (&[Slot::User], 1),
            Self::CreateThread => (&[Slot::Thread], 1),
            Self::CreateRoom => (&[Slot::Room], 1),
            Self::Cancel => (&[Slot::Done], 1),
            Self::ReadThread | Self::Post | Self::PostHastily | Self::ReadRoom | Self::PostRoom => {
                (&[Slot::Position], 0)
            }
            _ => (&[], 0),
        }
    }

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
