//! What happened: the one vocabulary between the drivers, the judge, the clock and the files.
//!
//! Every verdict and every figure is computed from these events alone, live or from disk, so an event
//! carries facts (bytes, instants, what was claimed by whom) and never a conclusion.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    Account, At, AuditRow, BoundaryKind, ChannelKind, Check, CloseCause, Conn, Identified, Inbound, Interval,
    Invoked, Op, Outcome, PoolFigures, Probe, Replica, Room, RoomIssued, Round, RunHeader, Session, Subject,
    ThreadIssued, Token, User,
};

/// One event and when it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// When the harness saw it.
    pub at: At,
    /// What it is.
    #[serde(borrow)]
    pub fact: Fact<'a>,
}

/// The facts. Strings that name ids are as the service spelt them.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact<'a> {
    /// First event of a run, written by worker 0.
    Run(Box<RunHeader>),
    /// A user's account, as the service registered it.
    #[serde(borrow)]
    Account(Account<'a>),
    /// A room that the service created.
    #[serde(borrow)]
    RoomIssued(RoomIssued<'a>),
    /// A thread that the service created for a user.
    #[serde(borrow)]
    ThreadIssued(ThreadIssued<'a>),
    /// A member came or went. `invoked.to` is the acknowledgement, [`At::NEVER`] if none came.
    Membership {
        /// Of this room.
        room: Room,
        /// Who.
        user: User,
        /// Came (true) or went (false).
        joined: bool,
        /// From request to acknowledgement.
        during: Interval,
    },
    /// A token that the service issued; the token itself is never kept.
    Token(Token),
    /// A service said, on an authenticated path, who the caller is.
    #[serde(borrow)]
    Identified(Identified<'a>),
    /// A session ended: nothing may be served to it after `during.to` plus the target's grace.
    Boundary {
        /// The session that ended.
        session: Session,
        /// Whose it is.
        user: User,
        /// How it ended.
        kind: BoundaryKind,
        /// From the request to its acknowledgement; both ends are the deadline for an expiry.
        during: Interval,
    },
    /// A connection is open: the upgrade was accepted (or, over HTTP, a client was made).
    Opened {
        /// The connection.
        conn: Conn,
        /// Whose credentials it presented.
        user: User,
        /// The session of those credentials; `None` if it presented none of its own.
        session: Option<Session>,
        /// The process it talks to.
        replica: Replica,
        /// What runs over it.
        channel: ChannelKind,
        /// Nanoseconds from the TCP connect to its acceptance, or to the end of the TLS handshake where there is one.
        tcp_ns: u64,
        /// Nanoseconds from then to the upgrade's answer.
        upgrade_ns: u64,
    },
    /// The first authenticated reply came over a connection; connection time ends here.
    Ready {
        /// The connection.
        conn: Conn,
        /// Nanoseconds since the TCP connect began.
        total_ns: u64,
    },
    /// A connection could not be opened.
    Refused {
        /// The connection that would have been.
        conn: Conn,
        /// Whose credentials.
        user: User,
        /// Where.
        replica: Replica,
        /// Whether a probe wanted the refusal.
        expected: bool,
        /// What the service or the network said.
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
    /// A connection ended.
    Closed {
        /// The connection.
        conn: Conn,
        /// How.
        cause: CloseCause,
        /// Close code, if a close frame came.
        code: Option<u16>,
    },
    /// An attempt begins: its request is about to be written.
    #[serde(borrow)]
    Invoked(Invoked<'a>),
    /// An attempt ended.
    Completed {
        /// The attempt.
        op: Op,
        /// How.
        outcome: Outcome,
    },
    /// Bytes came in: a frame, an HTTP body, a header block, a close reason.
    #[serde(borrow)]
    Inbound(Inbound<'a>),
    /// A probe ended, with all that was seen of it.
    #[serde(borrow)]
    Probe(Probe<'a>),
    /// A required situation and how often a process counted it.
    Situation {
        /// Name, as on the operator port.
        #[serde(borrow)]
        name: Cow<'a, str>,
        /// Where.
        replica: Replica,
        /// How often over the run.
        count: u64,
        /// Checks that need it to have occurred; empty for information only.
        required_by: Vec<Check>,
    },
    /// A row that the audit read from the database.
    #[serde(borrow)]
    AuditRow(AuditRow<'a>),
    /// The audit of one table ended.
    AuditEnd {
        /// Rows read.
        rows: u64,
        /// Whether all rows were read.
        complete: bool,
    },
    /// A connection pool's figures.
    Pool(Box<PoolFigures>),
    /// A phase begins; phases follow one another.
    PhaseBegan {
        /// Its number, counted from 0.
        phase: u16,
        /// Its name.
        #[serde(borrow)]
        name: Cow<'a, str>,
        /// The round, if it is part of one.
        round: Round,
        /// Whether its ops count for performance.
        measured: bool,
    },
    /// A phase ended.
    PhaseEnded {
        /// Its number.
        phase: u16,
    },
    /// Where the run's time went; stages follow one another.
    Stage {
        /// start, log in, connect, drive, drain, audit, stop.
        #[serde(borrow)]
        name: Cow<'a, str>,
        /// From begin to end.
        during: Interval,
    },
    /// A process under test died or was lost in mid-run.
    ServiceDied {
        /// Its name.
        #[serde(borrow)]
        name: Cow<'a, str>,
        /// What is known.
        #[serde(borrow)]
        detail: Cow<'a, str>,
    },
    /// A limit of the harness was hit, so that the history or the judgement is incomplete.
    LimitHit {
        /// Which.
        #[serde(borrow)]
        what: Cow<'a, str>,
    },
    /// Last event of a run, written by worker 0.
    Ended {
        /// Whether the run was interrupted before its plan was done.
        interrupted: bool,
    },
    /// The harness broke something on purpose, as it was told to.
    FaultInjected {
        /// What it did, to whom and when.
        #[serde(borrow)]
        what: Cow<'a, str>,
    },
    /// A user follows a script; its first fact.
    Subject(Subject),
}
