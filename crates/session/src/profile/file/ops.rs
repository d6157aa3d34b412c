//! The ops of a dialect: one key for each thing that users do.

use schemars::JsonSchema;
use serde::Deserialize;

use super::placed::Placed;
use super::shape::Op;
use crate::profile::Action;

macro_rules! ops {
    ($($(#[$doc:meta])+ $field:ident: $action:ident,)+) => {
        /// What users ask for. `post` has to be there: without it no user has anything that could leak.
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub(super) struct Ops {
            $($(#[$doc])+ pub(super) $field: Option<Placed<Op>>,)+
        }

        impl Ops {
            /// Those that are there.
            pub(super) fn given(&self) -> impl Iterator<Item = (Action, &Placed<Op>)> {
                let all = [$((Action::$action, self.$field.as_ref()),)+];
                all.into_iter().filter_map(|(action, op)| Some((action, op?)))
            }
        }

        /// Every op's action and key.
        pub(super) const KEYS: &[(Action, &str)] = &[$((Action::$action, stringify!($field)),)+];
    };
}

ops! {
    /// Says who the service takes the caller for. The answer holds `user`, and perhaps `session`.
    who_am_i: WhoAmI,
    /// Makes something of the user's own that has an id: a thread, a document, a channel. May take `${title}`, which is the same for
    /// all users; the answer holds `thread`, the id that the service gave it.
    create_thread: CreateThread,
    /// Lists the user's own threads.
    list_threads: ListThreads,
    /// Finds a thread of the user's own by its `${title}`.
    find_thread: FindThread,
    /// Reads a thread by its id, `${thread}`; from a position on, `${after}`, if there are positions. The answer may hold
    /// `position`, that of the last message in it. `${owner}` is its owner's id. Others' threads are tried, and must be refused.
    read_thread: ReadThread,
    /// Listens to a thread, `${thread}`, or to all that is its owner's, `${owner}`. Others' are tried, and must be refused.
    subscribe_thread: SubscribeThread,
    /// Stores content of the user's own, `${body}`: into a thread, `${thread}`, if there are threads. `${nonce}` is content too,
    /// a short one. The answer holds some of the content, unless `derives` is false, and perhaps its `position`.
    post: Post,
    /// Stops an answer that streams, by its request id, `${request}`. The answer holds `done`: `true` if there was one to stop.
    cancel: Cancel,
    /// Makes a room that users share, by `${name}`, the same in all tenants. The answer holds `room`, its id.
    create_room: CreateRoom,
    /// Lists the rooms that the user is in.
    list_rooms: ListRooms,
    /// Takes `${user}` into `${room}`.
    add_member: AddMember,
    /// Puts `${user}` out of `${room}`.
    remove_member: RemoveMember,
    /// Listens to `${room}`.
    subscribe_room: SubscribeRoom,
    /// Posts `${body}` for all members of `${room}`, and perhaps `${note}`, which the author alone may see.
    post_room: PostRoom,
    /// Reads `${room}`, as `read-thread` does a thread.
    read_room: ReadRoom,
    /// Says how one is, `${status}`; others of the tenant are told.
    presence: Presence,
    /// Says that one types in `${room}`; its members are told.
    typing: Typing,
    /// Asks who `${user}` is: somebody of one's own tenant, and, which must be refused, of another.
    look_up: LookUp,
    /// Goes on where an earlier connection broke: `${resume}`, as the greeting named it, from position `${after}` on.
    resume: Resume,
    /// Asks for all that a client shows first.
    snapshot: Snapshot,
    /// As `post`, not willing to wait longer than `${wait-ms}` milliseconds for its turn. A service with no such thing leaves it
    /// out.
    post_hastily: PostHastily,
    /// As `list-threads`, naming somebody else, `${user}`, as whose threads are meant: a probe. A service whose request has no
    /// place for that leaves it out.
    list_threads_of: ListThreadsOf,
    /// As `subscribe-room`, claiming to be `${user}`: a probe.
    subscribe_room_as: SubscribeRoomAs,
    /// As `who-am-i`, with somebody else's `${access-token}` in the message: a probe.
    who_am_i_with: WhoAmIWith,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_actions_names() {
        for (action, key) in KEYS {
            assert_eq!(action.name(), key.replace('_', "-"));
        }
    }
}
