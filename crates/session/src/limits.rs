//! Every wait of a run and what bounds it.

use std::time::Duration;

/// Bytes of one inbound WebSocket message; a service that sends more is given up on.
pub const MESSAGE_LIMIT_BYTES: usize = 16 << 20;
/// Bytes of all messages that have begun and not ended on the connections of one worker, announced ones among them; the
/// connection that goes beyond is given up.
pub const UNFINISHED_LIMIT_BYTES: usize = 128 << 20;
/// Frames of one connection since its last whole message, be they fragments of the next one or pings; after one more it is
/// given up.
pub const FRAMES_LIMIT: u32 = 8_192;
/// Bytes of one HTTP answer's body; what is beyond is not read.
pub const BODY_LIMIT_BYTES: usize = 1 << 20;
/// How often a log-in or a registration is asked for, if the service says that it is too busy.
pub(crate) const BUSY_TRIES: u32 = 8;
/// The longest wait between two of these, however long the service wants it to be.
pub(crate) const BUSY_WAIT_MAX: Duration = Duration::from_secs(2);
/// Over how many milliseconds users spread who come again.
pub(crate) const BUSY_SPREAD_MS: u64 = 1_000;
/// HTTP requests of one worker's users under way at once; the others wait for their turn, and their wait does not count.
pub const HTTP_AT_ONCE: usize = 64;
/// Log-ins and registrations of one worker's users under way at once; the others wait for their turn, and their wait does
/// not count. Passwords are hashed slowly on purpose: many at once take as long as one after the other, and none is done in
/// time.
pub(crate) const LOGINS_AT_ONCE: usize = 8;
/// How long an HTTP connection may idle before it is used no more: less than after what services close one (five seconds
/// in Node), as a request must not meet the close.
pub(crate) const HTTP_IDLE: Duration = Duration::from_secs(2);
/// Connections that one worker's users open at once; the others wait for their turn, and their wait does not count. Enough
/// to keep a gateway busy, and what upgrades take in memory is not taken by all users at once.
pub const CONNECTS_AT_ONCE: usize = 128;
/// Users of one worker who act at once, op by op in a closed loop and phase by phase elsewhere; the others wait for their
/// turn, and their wait does not count. More would only queue in the service, until what they ask for times out.
pub const USERS_AT_ONCE: usize = 256;
/// Ops of one user in flight at once in an open model; arrivals beyond wait, and their wait counts.
pub const IN_FLIGHT_LIMIT: usize = 16;
/// Timeouts in a row, with nothing inbound between, after which a connection is not asked any more.
pub const SILENT_LIMIT: u32 = 4;

/// The waits that a caller may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the answer of an op, over HTTP too; also the latency that an unanswered op counts with.
    pub op: Duration,
    /// For an op's answer on a connection that has answered before: twenty times its slowest answer, but no less than this.
    pub op_min: Duration,
    /// For an op's answer on a connection that has just let one run out without a byte.
    pub op_silent: Duration,
    /// For TCP connect and upgrade together.
    pub connect: Duration,
    /// How long nothing must come in for the drain to end.
    pub drain_quiet: Duration,
    /// How long the drain lasts at most.
    pub drain: Duration,
    /// For the answer to a close frame.
    pub close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            op: Duration::from_secs(5),
            op_min: Duration::from_secs(1),
            op_silent: Duration::from_millis(250),
            connect: Duration::from_secs(5),
            drain_quiet: Duration::from_millis(200),
            drain: Duration::from_secs(2),
            close: Duration::from_millis(500),
        }
    }
}
