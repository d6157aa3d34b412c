//! How long connecting takes, and what became of connections.

use history::{ChannelKind, CloseCause, Conn, User};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::histogram::{Histogram, Spread};
use crate::tally::Tally;

/// What became of the connections: WebSockets with credentials of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// The upgrade was accepted.
    pub opened: u64,
    /// The first authenticated reply came.
    pub ready: u64,
    /// Could not be opened, though no probe wanted that.
    pub refused: u64,
    /// Opened, then broken without a close frame.
    pub lost: u64,
    /// Why connections were refused: what was said, and how often.
    pub refusals: Vec<(String, u64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    user: Option<User>,
    ready_ns: Option<u64>,
    lost: bool,
}

/// What is kept of connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectTally {
    seen: FxHashMap<Conn, Connection>,
    refused: u64,
    refusals: Tally,
}

impl ConnectTally {
    pub(crate) fn opened(&mut self, conn: Conn, user: User, channel: ChannelKind, own_session: bool) {
        if channel == ChannelKind::WebSocket && own_session {
            self.seen.entry(conn).or_default().user = Some(user);
        }
    }

    pub(crate) fn ready(&mut self, conn: Conn, total_ns: u64) {
        self.seen.entry(conn).or_default().ready_ns = Some(total_ns);
    }

    pub(crate) fn refused(&mut self, reason: &str) {
        self.refused += 1;
        self.refusals.count(reason);
    }

    pub(crate) fn closed(&mut self, conn: Conn, cause: CloseCause) {
        if cause == CloseCause::Lost {
            self.seen.entry(conn).or_default().lost = true;
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (conn, theirs) in other.seen {
            let ours = self.seen.entry(conn).or_default();
            ours.user = ours.user.or(theirs.user);
            ours.ready_ns = ours.ready_ns.or(theirs.ready_ns);
            ours.lost |= theirs.lost;
        }
        self.refused += other.refused;
        self.refusals.merge(other.refusals);
    }

    /// The counts, the distribution of connection times, and each user's slowest in microseconds.
    pub(crate) fn finish(self) -> (Connections, Option<Spread>, FxHashMap<User, u64>) {
        let mut counts = Connections {
            refused: self.refused,
            ..Connections::default()
        };
        let mut times = Histogram::new();
        let mut slowest = FxHashMap::default();
        for connection in self.seen.into_values() {
            let Some(user) = connection.user else { continue };
            counts.opened += 1;
            counts.lost += u64::from(connection.lost);
            let Some(ready_us) = connection.ready_ns.map(|ns| ns / 1_000) else {
                continue;
            };
            counts.ready += 1;
            times.record(ready_us);
            let user_us = slowest.entry(user).or_insert(0);
            *user_us = ready_us.max(*user_us);
        }
        counts.refusals = self.refusals.into_counts();
        (counts, times.spread(), slowest)
    }
}
