//! The gateway: chat over WebSockets, many replicas on one database.
//!
//! A connection passes `handshake` and `admission`; from then on it is a `link` in the replica's `hub`. What it sends
//! goes through its `inbox` to the `ops`, each in a task of its own and in a transaction on the user's behalf
//! (`database`); what it is sent goes through its bounded `outbox`. Events are rows, written together with what they tell
//! of; the `listener` hears of their commit and the `relay` brings them to their recipients, in commit order.

mod admission;
mod backends;
mod cache;
mod channels;
mod connection;
mod database;
#[cfg(feature = "echo")]
mod echo;
mod event;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gathering;
mod handshake;
mod hub;
mod identity;
mod inbox;
pub mod limits;
mod link;
mod listener;
mod notice;
mod ops;
mod outbox;
mod profiles;
mod protocol;
mod receipts;
mod relay;
mod replies;
mod send_buffers;
mod server;
mod slots;
mod state;
mod tokens;

pub use database::DatabaseError;
pub use server::{Replica, Settings, StartError};

/// What planted leaks need to know of a gateway.
#[cfg(feature = "mutants")]
pub(crate) mod inside {
    pub(crate) use super::admission::Admitted;
    pub(crate) use super::cache::Lying;
    pub(crate) use super::channels::Tuned;
    pub(crate) use super::connection::config;
    pub(crate) use super::database::{Acting, Arguments, Checkout};
    pub(crate) use super::event::{Encoded, Event};
    pub(crate) use super::handshake::acceptance;
    pub(crate) use super::identity::Identity;
    pub(crate) use super::link::{ConnectionId, Link};
    pub(crate) use super::ops::resume;
    pub(crate) use super::outbox::outbox;
    pub(crate) use super::protocol::{Dialect, Failure, Op, Request};
    pub(crate) use super::state::Gateway;
}
