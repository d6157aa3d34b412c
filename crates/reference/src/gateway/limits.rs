//! Every limit of a gateway, by name.

use std::time::Duration;

/// Connections open at once on one replica, unless it is told otherwise. One more takes the place of the one whose upgrade
/// request is longest in coming; if none is, it is answered 503.
pub const CONNECTIONS_MAX: usize = 8192;
/// From the acceptance of a connection to the answer of its upgrade.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the answer to a connection too many may take.
pub const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);
/// The head of an upgrade request, in bytes.
pub const HANDSHAKE_BYTES_MAX: usize = 16 * 1024;

/// A message that is looked at, in bytes; a longer one is answered `too_large`.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// A message that is received at all, in bytes; a longer one closes the connection (1009).
pub const RECEIVE_BYTES_MAX: usize = 1024 * 1024;
/// Read buffer of a connection, in bytes.
pub const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Bytes gathered before a write to the socket.
pub const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// Messages waiting to be written to one connection; one more closes it as a slow reader.
pub const OUTBOX_MESSAGES_MAX: usize = 256;
/// Messages written in one go.
pub const WRITE_BATCH_MAX: usize = 32;
/// How long one such write may take before the connection is closed as a slow reader.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a close frame may take to be written.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the client may then take to close its side.
pub const LINGER_TIMEOUT: Duration = Duration::from_millis(300);
/// What it may still send meanwhile, in bytes, to be thrown away.
pub const LINGER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Buffers kept to encode replies in.
pub const SEND_BUFFERS_MAX: usize = 64;
/// The largest of them, in bytes.
pub const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Buffers kept to gather the pieces of replies in.
pub const GATHERING_BUFFERS_MAX: usize = 1024;
/// Receipts that are being made; while there are as many, posts get none.
pub const RECEIPTS_MAX: usize = 1024;
/// Characters of the posted message in its receipt.
pub const RECEIPT_CHARS_MAX: usize = 128;

/// Requests of one connection in flight; one more is answered `busy`.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 32;
/// Characters of a request id.
pub const REQUEST_ID_CHARS_MAX: usize = 64;
/// From a request to the last of its answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// What a streamed answer may take beyond that.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Wait for a database connection of the pool.
pub const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(3);
/// Opening a database connection.
pub const DATABASE_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Beginning a transaction, the reset of its connection included.
pub const BEGIN_TIMEOUT: Duration = Duration::from_secs(3);
/// One statement in the database, enforced there.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Characters of a thread's title, a room's name, a nonce.
pub const TITLE_CHARS_MAX: usize = 512;
/// Characters of a presence status: an event that carries it must fit a notification (8000 bytes).
pub const STATUS_CHARS_MAX: usize = 512;
/// Things that one connection may be subscribed to.
pub const SUBSCRIPTIONS_MAX: usize = 1024;
/// Messages in one page of `thread.read` and `room.read`.
pub const READ_MESSAGES_MAX: i64 = 1000;
/// Bytes of bodies in one page; a page holds one message at least.
pub const READ_BYTES_MAX: i64 = 1024 * 1024;
/// Threads or rooms in one list.
pub const LIST_MAX: i64 = 10_000;

/// Threads, and rooms, in one snapshot: the newest.
pub const SNAPSHOT_THREADS_MAX: i64 = 16;

/// Messages of a thread that the agent is handed: the last ones, of at most 64 KiB each.
pub const CONTEXT_MESSAGES_MAX: i64 = 32;

/// Events that one `resume` replays at most.
pub const REPLAY_EVENTS_MAX: usize = 4096;
/// Events read from the database in one query.
pub const EVENT_PAGE: i64 = 128;
/// Live events held back while a replay runs; one more closes the connection as a slow reader.
pub const HELD_EVENTS_MAX: usize = 256;
/// How long events and resume tokens are kept.
pub const EVENT_RETENTION_S: f64 = 3600.0;
/// How often what is older is removed.
pub const PRUNE_EVERY: Duration = Duration::from_secs(300);

/// Notifications received and not yet handled; beyond it they wait in the database.
pub const NOTICES_MAX: usize = 1024;
/// Notifications handled in one go.
pub const NOTICE_BATCH_MAX: usize = 64;
/// First pause before the listener reconnects; doubled up to [`RELISTEN_PAUSE_MAX`].
pub const RELISTEN_PAUSE_MIN: Duration = Duration::from_millis(20);
/// Longest pause before the listener reconnects.
pub const RELISTEN_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Tokens in the verifier cache.
pub const VERIFIED_TOKENS_MAX: usize = 4096;
/// Shortest time between two fetches of the key set.
pub const JWKS_FETCH_EVERY: Duration = Duration::from_secs(1);
/// One fetch of the key set.
pub const JWKS_FETCH_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of a key set.
pub const JWKS_BYTES_MAX: usize = 64 * 1024;

/// Entries in the response cache.
pub const CACHED_RESPONSES_MAX: usize = 16_384;
/// Bytes of an answer that is kept there.
pub const CACHED_RESPONSE_BYTES_MAX: usize = 16 * 1024;
/// Look-ups that the batch loader answers with one query.
pub const LOADER_BATCH_MAX: usize = 128;
