//! The events of a run and their codec: what everybody upstream writes and everybody downstream reads.
//!
//! One vocabulary ([`Event`], [`Fact`]) joins the drivers to the judge, the clock and the files. Each worker writes its
//! events into a segment ([`SegmentWriter`]): blocks that a hash chain ties together, so that a cut or an alteration is an
//! error for the [`SegmentReader`] and never a shorter history. The [`Seal`] lists the segments of a run.
//!
//! It opens no files, reads no clock and draws no conclusions: it is handed a writer or a reader, and its events carry
//! facts. The chain guards against corruption, not against forgery.
//!
//! ```
//! use history::{At, Event, Fact, Interval, SegmentReader, SegmentWriter};
//!
//! let mut bytes = Vec::new();
//! let mut writer = SegmentWriter::new(&mut bytes, 7, 0, 1 << 20);
//! let drive = Interval { from: At(0), to: At(9) };
//! writer.append(&Event { at: At(9), fact: Fact::Stage { name: "drive".into(), during: drive } })?;
//! writer.finish()?;
//!
//! let mut reader = SegmentReader::open(&bytes[..])?;
//! while let Some((place, event)) = reader.next()? {
//!     println!("{place:?} {event:?}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod event;
mod facts;
mod ids;
mod parts;
mod reader;
mod seal;
mod segment;
mod subject;
mod writer;

pub use event::{Event, Fact};
pub use facts::{
    Account, Audience, AuditRow, BoundaryKind, ChannelKind, Check, CloseCause, Identified, Inbound, Invoked,
    Outcome, PoolFigures, Probe, ProbeResult, Role, RoomIssued, RunHeader, Source, Step, ThreadIssued, Token,
    TokenKind, USERS_MAX, Unseen,
};
pub use ids::{
    At, Conn, Fingerprint, Interval, Op, Place, Replica, Room, Round, Serial, Session, Tenant, User,
};
pub use parts::{Part, Parts};
pub use reader::{ReadError, SegmentReader};
pub use seal::{Seal, SealError, SegmentSeal};
pub use segment::{RECORD_BYTES_MAX, VERSION};
pub use subject::{Subject, Take};
pub use writer::{SegmentWriter, WriteError};

#[cfg(test)]
mod tests;
