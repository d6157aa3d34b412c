//! Starts, watches and stops real processes: PostgreSQL and the services under test.
