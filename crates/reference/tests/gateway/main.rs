//! The gateways as processes, two replicas of them, with auth, agent and a private PostgreSQL.

#[path = "../common/mod.rs"]
mod common;

mod boundaries;
mod client;
mod events;
mod isolation;
mod limits;
mod load;
mod processes;
mod replies;
mod resume;
mod stack;
mod upgrade;
