//! How much a judge keeps. Whatever is dropped at a limit makes verdicts unknown, never valid.

/// Users, rooms, memberships, threads, tokens: entries of each table.
pub(crate) const FACTS_MAX: usize = 1 << 20;
/// Pieces of tokens.
pub(crate) const PIECES_MAX: usize = 1 << 22;
/// Acknowledged or attempted writes, and foreign canaries that were seen.
pub(crate) const SIGHTINGS_MAX: usize = 1 << 20;
/// Distinct violations of one check; those beyond are not told apart.
pub(crate) const FINDINGS_MAX: usize = 1024;
/// Identities read back whose exposure is kept.
pub(crate) const IDENTIFIED_MAX: usize = 1 << 16;
/// Probes that are kept by name: one for every second user is usual, and a thousand.
pub(crate) const PROBES_MAX: usize = 1 << 16;
/// Names of situations, pools, phases.
pub(crate) const NAMES_MAX: usize = 4096;
/// Problems, deaths and limits that are kept in words.
pub(crate) const PROBLEMS_MAX: usize = 64;
/// Lost acknowledgements that are named.
pub(crate) const LOST_NAMED_MAX: usize = 100;
/// Distinct identifiers and token pieces seen by one connection, and identifiers sent by it.
pub(crate) const IDENTIFIERS_PER_CONNECTION_MAX: usize = 8192;
/// Attempts of one connection whose reply may still come.
pub(crate) const AWAITED_PER_CONNECTION_MAX: usize = 4096;
/// In-flight intervals kept for one unit.
pub(crate) const SPANS_PER_UNIT_MAX: usize = 16;
/// Messages kept until it is known whose connection they came over.
pub(crate) const PENDING_MESSAGES_MAX: usize = 64;
/// Bytes of such messages.
pub(crate) const PENDING_BYTES_MAX: usize = 256 * 1024;
/// Ticks of the in-flight table of one process.
pub(crate) const TICKS_MAX: u64 = 1 << 17;
/// Users to whom the service gave one and the same thing.
pub(crate) const HOLDERS_MAX: usize = 8;
/// Users or other things that a reason names.
pub(crate) const NAMED_IN_REASON_MAX: usize = 5;
/// Earlier runs that are told apart.
pub(crate) const RESIDUE_RUNS_MAX: usize = 16;
/// Users whose doings are compared.
pub(crate) const SUBJECTS_MAX: usize = 4096;
/// Steps and events of one of them.
pub(crate) const TRANSCRIPT_ENTRIES_MAX: usize = 1 << 16;
/// Bytes of what was said to one of them.
pub(crate) const TRANSCRIPT_BYTES_MAX: usize = 8 << 20;
