//! Who may see what: canaries, scanner, checkers, verdicts, and violations with their evidence.
//!
//! Every worker of a run hands its events to a [`Judge`] of its own. Inbound bytes are scanned where they land; what only
//! the whole run can tell (who owns a thread id, who was a member when) is kept as sightings. Judges merge in any
//! order, and [`Judge::finish`] joins sightings with facts into a [`Judgement`]: six verdicts with what they are worth, and
//! the distinct violations. [`Explainer`] then reads the history once more and fetches evidence for each of them.
//!
//! The same events judged from disk give the same judgement: the crate does no IO, asks no clock and draws no random numbers.
//!
//! It does not drive anything, does not read files or databases (rows reach it as events), and claims nothing about timing,
//! hashes, images or encrypted content.
//!
//! ```
//! use history::{
//!     At, Audience, ChannelKind, Check, Conn, Event, Fact, Inbound, Parts, Place, Replica, Session, Source, User,
//! };
//! use isolation::canary::{Datum, Mint};
//! use isolation::{Judge, State};
//!
//! let secret = Mint::new(User(7), 4711)?.mint(Audience::Owner, Datum::Secret)?;
//! let frame = format!(r#"{{"ev":"message","body":"{}"}}"#, secret.long());
//! let opened = Fact::Opened {
//!     conn: Conn(1),
//!     user: User(3),
//!     session: Some(Session(1)),
//!     replica: Replica(0),
//!     channel: ChannelKind::WebSocket,
//!     tcp_ns: 80_000,
//!     upgrade_ns: 900_000,
//! };
//! let bytes = frame.as_bytes().into();
//! let inbound = Fact::Inbound(Inbound { conn: Conn(1), source: Source::Text, bytes, parts: Parts::default() });
//!
//! let mut judge = Judge::new(4711);
//! for (index, fact) in [opened, inbound].into_iter().enumerate() {
//!     let index = index as u64;
//!     judge.observe(Place { worker: 1, index }, &Event { at: At(index), fact });
//! }
//! let judgement = judge.finish();
//! assert_eq!(judgement.verdict(Check::Secret).state, State::Violated);
//! assert_eq!((judgement.findings[0].observer, judgement.findings[0].victim), (User(3), Some(User(7))));
//! # Ok::<(), isolation::canary::MintError>(())
//! ```

pub mod canary;
pub mod scan;

mod bounded;
mod differential;
mod explain;
mod identity;
mod judge;
mod judgement;
mod limits;
mod overlap;
mod policy;
mod seen;
mod ticks;
mod verdict;

pub use differential::{Difference, NON_INTERFERENCE, NON_INTERFERENCE_LETTER, NonInterference};
pub use explain::{Evidence, Excerpt, Explainer, LastStep};
pub use identity::{fingerprint_of_id, fingerprints_of_name};
pub use judge::Judge;
pub use judgement::{Finding, Judgement, LostAck, LostAcks, Needle, PoolHygiene, Residue, Situation};
pub use verdict::{CheckVerdict, ProbeCount, State, Weakest, upper_bound};
