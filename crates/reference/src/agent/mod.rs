//! The agent, which derives the reply to a message, and the gateways' client of it.
//!
//! [`wire`] is what the two say to each other, [`reply`] is the text and its pieces; [`client`] pools and pipelines,
//! [`server`] takes requests, [`batch`] answers several at once.

pub mod batch;
pub mod client;
mod link;
pub mod reply;
mod request_buffers;
pub mod server;
mod streams;
pub mod wire;

pub use client::{AgentClient, ReplyRequest, ReplyStream};
pub use link::PIPELINE_DEPTH;
#[cfg(feature = "mutants")]
pub(crate) use streams::Item;
pub use streams::{AgentError, Piece};
