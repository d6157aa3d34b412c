//! The judge before clean histories (valid), planted leaks (that violation, and no other of its check) and empty ones
//! (unknown).

#![expect(clippy::unwrap_used, reason = "a test that cannot tell its story fails")]

mod audit;
mod boundary;
mod clean;
mod controls;
mod explain;
mod interference;
mod law;
mod original;
mod response;
mod room;
mod secret;
mod story;
mod telling;
mod thread;
mod token;
mod user_id;
