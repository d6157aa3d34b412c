//! The system under test that Crosstalk ships: auth, gateway and agent, as one would write them for production.
//!
//! PROTOCOL.md, beside this crate's manifest, is the contract: what goes over the wire, how the processes are started, what
//! their operator ports tell. [`auth`] keeps accounts and sessions and signs [`token`]s, [`agent`] derives replies and has
//! the client that the gateways reach it by, [`schema`] and [`grants`] are the database's side. [`config`], [`http`],
//! [`operator`], [`metrics`] and [`pool`] are what every process shares.
//!
//! It does not know the harness: a system under test shares no code with its judge. It keeps no state but what is in
//! PostgreSQL.
//!
//! ```
//! use reference::agent::{reply, wire::Ask};
//!
//! let (title, bodies) = ("Rome".into(), vec!["a".into()]);
//! let ask = Ask { user_id: uuid::Uuid::nil(), title, bodies, nonce: "n1".into() };
//! let text = reply::text(&ask);
//! assert!(text.starts_with("n1 is message 1 of \"Rome\"; the thread reads "));
//! assert_eq!(reply::pieces(&text).concat(), text);
//! ```

pub mod agent;
pub mod auth;
pub mod config;
pub mod gateway;
pub mod grants;
pub mod http;
pub mod metrics;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod operator;
mod places;
pub mod pool;
pub mod schema;
pub mod token;
