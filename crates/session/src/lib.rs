//! Drives virtual users against a realtime service, and records everything that happens.
//!
//! - [`plan`] (pure) says who does what when: one seed, one workload.
//! - [`profile`] says, as data, what a target is; [`codec`] (no IO) turns its bytes into messages and back. Nothing else knows a target.
//! - [`drive`] runs a plan: worker threads, each with its share of the users, from log-in over phases with a barrier each
//!   to a drain and the close. Every frame, refusal and broken connection becomes a [`history::Event`] in the
//!   worker's [`Recorder`], which puts it into the history, and from there before the judge and the meter.
//!
//! What must be denied is tried as well (the probes), with the same on one's own object as the control.
//!
//! It does not decide anything: verdicts are [`isolation`]'s, figures [`perf`]'s. It does not start or stop services and
//! reads no database. However a service behaves, a run ends: every wait is bounded ([`Limits`]), and what could not be done is
//! recorded, so that nothing is valid for want of evidence.
//!
//! ```
//! use session::codec::{Slot, Values};
//! use session::plan::{Plan, Scale};
//! use session::profile::{Action, Profile};
//!
//! let plan = Plan::new(Scale { seed: 7, users: 6, ..Scale::default() })?;
//! assert_eq!(plan.people[5].tenant, history::Tenant(2));
//!
//! let profile = Profile::reference();
//! let dialect = &profile.dialects[0];
//! let values = Values::new().with(Slot::Id, "1").with(Slot::Title, "notes");
//! let frame = dialect.framing.codec().encode(&dialect.ops[&Action::CreateThread].frame, &values)?;
//! assert_eq!(frame.shown(), r#"{"id":"1","op":"thread.create","title":"notes"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alarm;
mod answer;
mod asker;
mod asking;
mod board;
mod carrier;
mod client;
mod clock;
pub mod codec;
mod conductor;
mod cue;
mod drive;
#[cfg(fuzzing)]
pub mod fuzzing;
mod home;
mod http;
mod limits;
mod login;
pub mod plan;
mod player;
mod pointer;
mod probe;
pub mod profile;
mod recorder;
mod socket;
mod subject;
mod tls;
mod trace;
mod user;
mod worker;

pub use client::{Client, Unanswered};
pub use clock::Clock;
pub use conductor::Progress;
pub use drive::{Drive, DriveError, Driven, LEADER, drive, rehearse};
pub use limits::{
    BODY_LIMIT_BYTES, CONNECTS_AT_ONCE, FRAMES_LIMIT, HTTP_AT_ONCE, IN_FLIGHT_LIMIT, Limits,
    MESSAGE_LIMIT_BYTES, SILENT_LIMIT, UNFINISHED_LIMIT_BYTES, USERS_AT_ONCE,
};
pub use recorder::{HISTORY_LIMIT_BYTES, RecordError, Recorded, Recorder};
pub use socket::{Happening, State};
pub use tls::{Tls, TlsError, Trust};
pub use trace::{Trace, Traced, TracedProbe, TracedStep};
pub use worker::{Stranger, Target};
