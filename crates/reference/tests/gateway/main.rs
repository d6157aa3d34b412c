//! The gateways as processes, two replicas of them, with auth, agent and a private PostgreSQL.

#[path = "../common/mod.rs"]
mod common;

mod boundaries;
#[allow(dead_code, reason = "each test binary uses a part")]
mod client;
mod events;
mod hostile;
mod isolation;
mod limits;
mod load;
mod processes;
mod replies;
mod resume;
#[allow(dead_code, reason = "each test binary uses a part")]
mod stack;
mod strangers;
mod upgrade;
