//! The events of a run and their codec: what everybody upstream writes and everybody downstream reads.
//!
//! One vocabulary ([`Event`], [`Fact`]) joins the drivers to the judge, the clock and the files.

mod event;
mod facts;
mod ids;

pub use event::{Event, Fact};
pub use facts::{
    Account, Audience, AuditRow, BoundaryKind, ChannelKind, Check, CloseCause, Identified, Inbound, Invoked,
    Outcome, Part, PoolFigures, Probe, ProbeResult, Role, RoomIssued, RunHeader, Source, Step, ThreadIssued,
    Token, TokenKind,
};
pub use ids::{
    At, Conn, Fingerprint, Interval, Op, Place, Replica, Room, Round, Serial, Session, Tenant, User,
};
