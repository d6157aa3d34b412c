//! The gateway: chat over WebSockets, many replicas on one database.
//!
//! A connection passes `handshake` and `admission`; from then on it is a `link` in the replica's `hub`. What it sends
//! goes through its `inbox` to the `ops`, each in a task of its own and in a transaction on the user's behalf
//! (`database`); what it is sent goes through its bounded `outbox`. Events are rows, written together with what they tell
//! of; the `listener` hears of their commit and the `relay` brings them to their recipients, in commit order.

mod admission;
mod cache;
mod connection;
mod database;
mod event;
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
mod relay;
mod replies;
mod server;
mod state;
mod tokens;

pub use database::DatabaseError;
#[cfg(feature = "mutants")]
pub(crate) use identity::Identity;
#[cfg(feature = "mutants")]
pub(crate) use link::{ConnectionId, Link};
pub use server::{Replica, Settings, StartError};
