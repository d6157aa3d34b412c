//! What users know of one another: written once by its owner in one phase, read by others in later ones.

use std::sync::OnceLock;

use history::{Room, User};

use crate::codec::Values;
use crate::plan::Plan;

/// Ids of all users, threads and rooms, as far as the service has issued them.
///
/// Each entry is set once, by the user that it belongs to; whoever reads it does so after the barrier that ends the phase in
/// which it is set. So no lock is held by anybody at any time.
#[derive(Debug)]
pub(crate) struct Board {
    users: Vec<UserEntry>,
    rooms: Vec<OnceLock<String>>,
}

/// What is known of one user.
#[derive(Debug, Default)]
pub(crate) struct UserEntry {
    /// Its account.
    pub(crate) account: OnceLock<Account>,
    /// Its first access token.
    pub(crate) access_token: OnceLock<String>,
    /// Its threads of [`Plan::TITLES`], in that order.
    pub(crate) threads: OnceLock<Vec<String>>,
    /// The thread that its connection is to, where each thread is a connection of its own; the first of [`Self::threads`].
    pub(crate) home: OnceLock<String>,
    /// What resumes its first connection.
    pub(crate) resume: OnceLock<String>,
}

/// An account, as the service made it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// The service's id of the user.
    pub(crate) user_id: String,
    /// All that its user logs in with: e-mail, password and the like, and what the service said of it.
    pub(crate) known: Values,
}

impl Board {
    /// An empty board for the users and rooms of `plan`.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            users: plan.people.iter().map(|_| UserEntry::default()).collect(),
            rooms: plan.rooms.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// What is known of `user`.
    pub(crate) fn user(&self, user: User) -> &UserEntry {
        &self.users[user.0 as usize]
    }

    /// The service's id of `user`.
    pub(crate) fn user_id(&self, user: User) -> Option<&str> {
        self.user(user)
            .account
            .get()
            .map(|account| account.user_id.as_str())
    }

    /// The service's id of `room`.
    pub(crate) fn room_id(&self, room: Room) -> Option<&str> {
        self.rooms[room.0 as usize].get().map(String::as_str)
    }

    /// Keeps the id of `room`; the first one stays.
    pub(crate) fn set_room(&self, room: Room, id: String) {
        self.rooms[room.0 as usize].get_or_init(|| id);
    }
}
