//! How a private cluster is set up. A change here changes the template's key, so old templates are not reused.

/// Arguments of `initdb` besides folder and password. No sync: a template is made again if the machine crashed.
pub(super) const INITDB: [&str; 7] = [
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--no-instructions",
    "--no-sync",
    "--username=postgres",
    // One segment is in every copy of the template; 16 MiB would be more than half of it.
    "--wal-segsize=4",
];

/// The superuser that `initdb` makes.
pub(super) const SUPERUSER: &str = "postgres";

/// Connections kept free for the superuser, on top of those the services may open.
pub(super) const RESERVED: u16 = 3;

/// Settings of every private cluster.
///
/// Durability: an acknowledged transaction survives the death of any process, SIGKILL included, and not a power
/// loss. With `synchronous_commit` on, a commit is answered only after its log was written to the operating system;
/// without `fsync` nobody waits for the disk; torn pages, the reason for `full_page_writes`, come from power loss alone.
pub(super) const SERVER: [(&str, &str); 18] = [
    ("fsync", "off"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "off"),
    // Unix socket only: nobody else on the machine or the network can reach it.
    ("listen_addresses", ""),
    ("password_encryption", "scram-sha-256"),
    // The whole test database fits; more would only cost the kernel page tables.
    ("shared_buffers", "64MB"),
    // Removed with the folder even if every process is killed; the default leaves files in shared memory then.
    ("dynamic_shared_memory_type", "mmap"),
    // Neither replicas nor backups: the least log there can be.
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_logical_replication_workers", "0"),
    // No checkpoint in the middle of a measured run of ordinary length.
    ("checkpoint_timeout", "30min"),
    // The cluster may be in memory: its log must not grow without bound there.
    ("max_wal_size", "256MB"),
    // Compiling plans costs more than these queries run.
    ("jit", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    ("log_checkpoints", "off"),
    ("logging_collector", "off"),
];

/// What a report says of those settings.
pub(super) const DURABILITY: &str = "durability: fsync off, synchronous_commit on, full_page_writes off; \
     an acknowledged transaction survives the death of any process, not a power loss";
