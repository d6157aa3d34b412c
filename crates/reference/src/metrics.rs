//! The figures a process publishes on its operator port.

use std::fmt;
use std::sync::Arc;

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
    core::Collector,
};

use crate::pool::{PoolFamilies, PoolFigures};

macro_rules! situations {
    ($($(#[doc = $doc:literal])+ $situation:ident = $name:literal,)*) => {
        /// Something that happened which an isolation claim needs to have happened: without it, nothing was put to the test.
        ///
        /// PROTOCOL.md, "Operator port", says when each is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Situation {
            $($(#[doc = $doc])+ $situation,)*
        }

        impl Situation {
            /// All of them, in the order of PROTOCOL.md.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$situation),*];

            /// The value of the `name` label.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$situation => $name,)* }
            }
        }
    };
}

situations! {
    /// A thread was created while another user's was being created on this replica.
    CreateOverlap = "create_overlap",
    /// A message went to the agent under a request id that another connection had in flight.
    EqualRequestIdInFlight = "equal_request_id_in_flight",
    /// A token was verified while another user's token was in the verifier cache.
    VerifierWarmOtherUser = "verifier_warm_other_user",
    /// A cache look-up had the op and arguments of another user's live entry.
    CacheEqualArguments = "cache_equal_arguments",
    /// A presence or typing event was fanned out while a socket of another tenant was open.
    PresenceForeignSocket = "presence_foreign_socket",
    /// A revoked session still had an open socket, or made an attempt.
    AfterRevocation = "after_revocation",
    /// A room event with an author's note was fanned out to somebody else.
    MixedRightsFanout = "mixed_rights_fanout",
    /// A streamed reply was cancelled after its first delta.
    CancelledReply = "cancelled_reply",
    /// A connection resumed an earlier one.
    Resumed = "resumed",
    /// Two look-ups of one user shared one computation.
    SingleFlightShared = "single_flight_shared",
    /// The batch loader answered more than one look-up with one query.
    BatchedLookups = "batched_lookups",
    /// A request to subscribe to a room named somebody else as its user.
    ClaimedJoin = "claimed_join",
    /// A room event was fanned out while a socket of another tenant was subscribed to a room of the same name.
    NamesakeSubscribed = "namesake_subscribed",
    /// A room event was fanned out while somebody was subscribed who is not told of it (any more).
    EjectedSocketOpen = "ejected_socket_open",
    /// A thread was asked for by its id by somebody who does not own it.
    ForeignThreadAsked = "foreign_thread_asked",
    /// A thread was read by its id while another user's page of it was in the response cache.
    ReadWarmOtherUser = "read_warm_other_user",
    /// An upgrade was asked for without a token.
    AnonymousUpgrade = "anonymous_upgrade",
    /// A request held a token.
    PayloadToken = "payload_token",
    /// A token was refused.
    TokenRefused = "token_refused",
    /// A message that is no request came after a request of another user.
    ErrorAfterForeignRequest = "error_after_foreign_request",
    /// A short frame was encoded in a buffer that had held a long one of another user.
    LongThenShortBuffer = "long_then_short_buffer",
    /// A database connection was lent to another user than before.
    BackendChangedUser = "backend_changed_user",
    /// A database connection was lent to another user after a transaction that was not committed.
    UnfinishedThenReused = "unfinished_then_reused",
    /// While a request waited for its database connection, another user's began.
    OvertakenInWait = "overtaken_in_wait",
    /// While a message waited for its database connection, another user's was posted.
    PostOvertaken = "post_overtaken",
    /// A snapshot was asked for while one was being made for another user of the tenant.
    SnapshotOverlap = "snapshot_overlap",
    /// A session was refreshed shortly after another user's.
    RefreshAfterAnother = "refresh_after_another",
    /// A session was refreshed while another user's was.
    RefreshOverlap = "refresh_overlap",
    /// Who is asked was asked without a token, where a user had asked before on the same worker thread.
    AnonymousAfterUser = "anonymous_after_user",
    /// A request ended whose connection was gone and its slot taken by another user.
    SlotReused = "slot_reused",
    /// A receipt was made after its request had been answered and its context could have been another user's.
    ReceiptOutlived = "receipt_outlived",
    /// A request was sent to the agent on a connection after a cancelled one of another user.
    CancelledThenReused = "cancelled_then_reused",
    /// A request buffer was used again by another user after no place was free in time.
    BufferAfterTimeout = "buffer_after_timeout",
    /// A message failed while another user's reply was being gathered.
    FailedPostOverlap = "failed_post_overlap",
    /// A message was cancelled whose database connection had been lent to another user since.
    CancelAfterReuse = "cancel_after_reuse",
    /// A request left a batch in which later ones of other users went on.
    BatchCompacted = "batch_compacted",
}

/// Every figure of one process, and their Prometheus text. Handles are cheap; counting never locks.
///
/// ```
/// use reference::metrics::{Metrics, Situation};
///
/// let metrics = Metrics::new();
/// metrics.situation(Situation::Resumed).inc();
/// assert!(metrics.text().contains("situation_total{name=\"resumed\"} 1"));
/// ```
pub struct Metrics {
    registry: Registry,
    situations: [IntCounter; Situation::ALL.len()],
    connections_open: IntGauge,
    requests: IntCounterVec,
    events: IntCounterVec,
    slow_readers: IntCounter,
    pools: PoolFamilies,
}

impl Metrics {
    /// A registry with the families that PROTOCOL.md lists; every situation starts at 0.
    ///
    /// # Panics
    /// Never: the names are constants, valid and distinct.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let registry = Registry::new();
        let situations = counters(&registry, "situation_total", "situations that arose", &["name"]);
        Arc::new(Self {
            situations: Situation::ALL.map(|situation| situations.with_label_values(&[situation.name()])),
            connections_open: register(
                &registry,
                IntGauge::new("connections_open", "open client connections"),
            ),
            requests: counters(
                &registry,
                "requests_total",
                "requests answered",
                &["op", "outcome"],
            ),
            events: counters(&registry, "events_total", "events sent to clients", &["kind"]),
            slow_readers: register(
                &registry,
                IntCounter::new(
                    "slow_readers_total",
                    "connections closed because their queue was full",
                ),
            ),
            pools: PoolFamilies::register(&registry),
            registry,
        })
    }

    /// The counter of one situation.
    #[must_use]
    pub fn situation(&self, situation: Situation) -> &IntCounter {
        &self.situations[situation as usize]
    }

    /// Client connections open now.
    #[must_use]
    pub fn connections_open(&self) -> &IntGauge {
        &self.connections_open
    }

    /// Requests by op and outcome. Both must come from a closed list: never a client's own words.
    #[must_use]
    pub fn requests(&self, op: &'static str, outcome: &'static str) -> IntCounter {
        self.requests.with_label_values(&[op, outcome])
    }

    /// Events sent, by kind.
    #[must_use]
    pub fn events(&self, kind: &'static str) -> IntCounter {
        self.events.with_label_values(&[kind])
    }

    /// Connections closed because they did not read what was sent to them.
    #[must_use]
    pub fn slow_readers(&self) -> &IntCounter {
        &self.slow_readers
    }

    /// The figures of the pool of that name (`db` or `agent`), which lends `size` places at most.
    #[must_use]
    pub fn pool(&self, name: &'static str, size: usize) -> PoolFigures {
        self.pools.pool(name, size)
    }

    /// A histogram of this process alone, for example the agent's batch sizes.
    ///
    /// # Panics
    /// When the name was registered before: a mistake in the program.
    #[must_use]
    pub fn histogram(&self, name: &'static str, help: &'static str, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        register(&self.registry, Histogram::with_opts(options))
    }

    /// The whole in Prometheus text format 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        self.pools.refresh();
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be encoded");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

/// Registers a family made from constants.
pub(crate) fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    made: prometheus::Result<C>,
) -> C {
    let family = made.expect("metric names and labels are valid constants");
    registry
        .register(Box::new(family.clone()))
        .expect("metric names are distinct");
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_situation_is_listed_in_declaration_order_and_starts_at_zero() {
        let text = Metrics::new().text();
        for (place, situation) in Situation::ALL.into_iter().enumerate() {
            assert_eq!(situation as usize, place);
            let line = format!("situation_total{{name=\"{}\"}} 0\n", situation.name());
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn labels_tell_requests_apart() {
        let metrics = Metrics::new();
        metrics.requests("login", "ok").inc();
        metrics.requests("login", "bad_credentials").inc_by(2);
        let text = metrics.text();
        assert!(
            text.contains("requests_total{op=\"login\",outcome=\"ok\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("requests_total{op=\"login\",outcome=\"bad_credentials\"} 2\n"),
            "{text}"
        );
    }
}
