//! Connection pools under stress, their hygiene, and the audit of the database.
