//! Scenario plan, target profile, codecs, login, WebSockets and virtual users.

mod clock;
pub mod codec;
pub mod plan;
pub mod profile;

pub use clock::Clock;
