//! Scenario plan, target profile, codecs, login, WebSockets and virtual users.

mod board;
mod clock;
pub mod codec;
mod conductor;
mod drive;
mod http;
mod limits;
mod login;
pub mod plan;
mod pointer;
mod probe;
pub mod profile;
mod recorder;
mod socket;
mod user;
mod worker;

pub use clock::Clock;
pub use conductor::Progress;
pub use drive::{Drive, DriveError, Driven, LEADER, drive};
pub use limits::{BODY_LIMIT_BYTES, IN_FLIGHT_LIMIT, Limits, MESSAGE_LIMIT_BYTES, SILENT_LIMIT};
pub use recorder::{HISTORY_LIMIT_BYTES, RecordError, Recorded, Recorder};
pub use socket::{Happening, State};
pub use worker::Target;
