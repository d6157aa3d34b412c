//! Planted leaks: real incidents rebuilt, one at a time, to see whether a judge catches them.
//!
//! Compiled in by the feature `mutants` alone. A process is armed with one of [`ALL`] by `--mutant NAME[:RATE]`; at a place where the
//! incident's bug would act, the mutant acts at that rate, and when something of one user has thereby reached another, that
//! is written to the file of `--mutant-record` as one JSON object a line:
//!
//! ```json
//! {"mutant":"…","observer":"<user id>","victim":"<user id>","detail":"…"}
//! ```
//!
//! When the process ends in order, a last line says at how many places its mutant could have acted, and at how many it did:
//!
//! ```json
//! {"mutant":"…","opportunities":1234,"acted":12}
//! ```
//!
//! An opportunity is a place where the mutant, if it acts there, shows something of one user to another or sets a trap for the next: the
//! state of another user is at hand. Each is drawn on its own, so that a rate is what a bound on a rate is about.
//!
//! To add one: a module with its [`Mutant`], listed in [`ALL`], and a hook under `cfg(feature = "mutants")` in the code that is to
//! break. The mechanism must be the incident's, at the layer where it was; what leaks must follow from it.

pub mod acl_change_race;
pub mod ambient_identity;
pub mod auth_cache_collision;
pub mod batch_slot_mix;
pub mod cache_key_without_user;
pub mod cached_credential;
pub mod cancel_desync;
pub mod claimed_room;
pub mod context_after_return;
pub mod dirty_transaction;
pub mod double_release;
pub mod error_echo;
pub mod foreign_read;
pub mod global_loader;
mod hooks;
pub mod identity_after_await;
pub mod logout_outlived;
pub mod misfiled_write;
pub mod payload_token;
pub mod presence_leak;
pub mod request_id_collision;
pub mod room_collision;
pub mod session_guc;
pub mod shared_env;
pub mod shared_mutable_fanout;
pub mod singleflight_key;
pub mod slot_reuse;
pub mod stale_buffer;
pub mod stale_cancel;
pub mod stale_tail;
pub mod subprotocol_bypass;
pub mod thread_id_race;
pub mod unscoped_count;
pub mod unverified_token;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::json;
use uuid::Uuid;

use crate::gateway::inside::{Event, Link};
pub(crate) use hooks::{
    SQL, answered, beginning, cache_place, deliver_beside, heard, identified, identity, requested, taken_for,
};

/// A planted leak.
#[derive(Debug)]
pub struct Mutant {
    /// What `--mutant` calls it.
    pub name: &'static str,
    /// The process that it lives in; others ignore it.
    pub process: &'static str,
    /// Letters of the checks that can catch it: T thread conflict, K token isolation, S secret contamination, R response
    /// crossing, U user-id leakage, B session boundary, N non-interference.
    pub checks: &'static str,
    /// What has to be going on for it to act, each a part of a scenario that can be left out, and none enough if it is;
    /// nothing if ordinary load will do.
    pub traffic: &'static [&'static str],
}

/// All of them.
pub static ALL: [&Mutant; 33] = [
    &thread_id_race::MUTANT,
    &auth_cache_collision::MUTANT,
    &cache_key_without_user::MUTANT,
    &request_id_collision::MUTANT,
    &presence_leak::MUTANT,
    &logout_outlived::MUTANT,
    &claimed_room::MUTANT,
    &room_collision::MUTANT,
    &foreign_read::MUTANT,
    &global_loader::MUTANT,
    &subprotocol_bypass::MUTANT,
    &payload_token::MUTANT,
    &unverified_token::MUTANT,
    &shared_mutable_fanout::MUTANT,
    &acl_change_race::MUTANT,
    &error_echo::MUTANT,
    &session_guc::MUTANT,
    &identity_after_await::MUTANT,
    &singleflight_key::MUTANT,
    &misfiled_write::MUTANT,
    &dirty_transaction::MUTANT,
    &stale_cancel::MUTANT,
    &cached_credential::MUTANT,
    &shared_env::MUTANT,
    &ambient_identity::MUTANT,
    &stale_tail::MUTANT,
    &double_release::MUTANT,
    &context_after_return::MUTANT,
    &slot_reuse::MUTANT,
    &cancel_desync::MUTANT,
    &stale_buffer::MUTANT,
    &batch_slot_mix::MUTANT,
    &unscoped_count::MUTANT,
];

/// The list of [`ALL`], a line each: name, letters of the checks, what has to be going on; between them a space.
#[must_use]
pub fn list() -> String {
    let words = |mutant: &&Mutant| [&[mutant.name, mutant.checks], mutant.traffic].concat().join(" ");
    ALL.iter().map(|mutant| words(mutant) + "\n").collect()
}

/// One mutant and how often it acts.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    mutant: &'static Mutant,
    /// Above 0, at most 1.
    rate: f64,
}

/// Why a [`Choice`] cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// There is no such mutant.
    #[error("there is no mutant of this name; there are {}", ALL.map(|mutant| mutant.name).join(", "))]
    Name,
    /// The rate is no rate.
    #[error("a rate is a number above 0 and at most 1")]
    Rate,
}

impl FromStr for Choice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        let (name, rate) = text.split_once(':').unwrap_or((text, "1"));
        let mutant = ALL
            .into_iter()
            .find(|mutant| mutant.name == name)
            .ok_or(ChoiceError::Name)?;
        let rate: f64 = rate.parse().map_err(|_| ChoiceError::Rate)?;
        if rate > 0.0 && rate <= 1.0 {
            Ok(Self { mutant, rate })
        } else {
            Err(ChoiceError::Rate)
        }
    }
}

/// What a process of a build with mutants is told besides.
#[derive(Debug, clap::Args)]
pub struct Planting {
    /// Plant this leak; ignored if it lives in another process
    #[arg(long, value_name = "NAME[:RATE]")]
    mutant: Option<Choice>,
    /// File to append a line to whenever something of one user has reached another
    #[arg(long, value_name = "PATH")]
    mutant_record: Option<PathBuf>,
}

struct Armed {
    choice: Choice,
    record: Option<Mutex<File>>,
    opportunities: AtomicU64,
    acted: AtomicU64,
}

/// Writes down, when it goes, how many opportunities the process's mutant had, and how many it took.
#[derive(Debug)]
#[must_use = "the tally is written when this is dropped"]
pub struct Tally(());

impl Drop for Tally {
    fn drop(&mut self) {
        if let Some(armed) = ARMED.get() {
            let [opportunities, acted] =
                [&armed.opportunities, &armed.acted].map(|count| count.load(Ordering::Relaxed));
            let mutant = armed.choice.mutant.name;
            armed.write(&json!({ "mutant": mutant, "opportunities": opportunities, "acted": acted }));
        }
    }
}

impl Armed {
    fn write(&self, line: &serde_json::Value) {
        let Some(record) = &self.record else { return };
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = record.write_all(format!("{line}\n").as_bytes()) {
            tracing::error!(%error, "what a planted leak did could not be recorded");
        }
    }
}

static ARMED: OnceLock<Armed> = OnceLock::new();

impl Planting {
    /// Arms this process, if the mutant lives in it; the tally is to be dropped when the process ends.
    ///
    /// # Errors
    /// When the record cannot be opened.
    pub fn arm(self, process: &str) -> io::Result<Tally> {
        let Some(choice) = self.mutant.filter(|choice| choice.mutant.process == process) else {
            return Ok(Tally(()));
        };
        let open = |path| {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map(Mutex::new)
        };
        let record = self.mutant_record.map(open).transpose()?;
        tracing::warn!(
            mutant = choice.mutant.name,
            rate = choice.rate,
            "a leak is planted"
        );
        // a process is armed once, before it serves
        let _ = ARMED.set(Armed {
            choice,
            record,
            opportunities: AtomicU64::new(0),
            acted: AtomicU64::new(0),
        });
        Ok(Tally(()))
    }
}

impl Mutant {
    fn armed(&self) -> Option<&'static Armed> {
        ARMED
            .get()
            .filter(|armed| std::ptr::eq(armed.choice.mutant, self))
    }

    /// Whether it acts at this opportunity.
    fn acts(&self) -> bool {
        self.armed().is_some_and(|armed| {
            armed.opportunities.fetch_add(1, Ordering::Relaxed);
            let acts = rand::random::<f64>() < armed.choice.rate;
            armed.acted.fetch_add(u64::from(acts), Ordering::Relaxed);
            acts
        })
    }

    /// Writes down whom an event that reaches `link` tells of: its author, and the member that came or went.
    fn record_event(&self, link: &Link, event: &Event, detail: &str) {
        let member = event.joined().map(|(user_id, _)| user_id);
        for victim in [Some(event.author_id), member].into_iter().flatten() {
            self.record(link.identity.user_id, victim, detail);
        }
    }

    /// Writes down that something of `victim` reached `observer`; the nil UUID stands for somebody whom the service does not know.
    fn record(&self, observer: Uuid, victim: Uuid, detail: &str) {
        if let Some(armed) = self.armed() {
            let line =
                json!({ "mutant": self.name, "observer": observer, "victim": victim, "detail": detail });
            armed.write(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Result<(&str, f64), ChoiceError>) {
        let choice = text.parse::<Choice>();
        assert_eq!(choice.map(|choice| (choice.mutant.name, choice.rate)), expect);
    }

    #[test]
    fn a_choice_is_a_name_and_perhaps_a_rate() {
        check("presence-leak", Ok(("presence-leak", 1.0)));
        check("presence-leak:0.01", Ok(("presence-leak", 0.01)));
        check("presence-leak:0", Err(ChoiceError::Rate));
        check("presence-leak:1.1", Err(ChoiceError::Rate));
        check("presence-leak:often", Err(ChoiceError::Rate));
        check("presence", Err(ChoiceError::Name));
    }

    #[test]
    fn names_are_distinct_and_every_check_has_one() {
        for (at, mutant) in ALL.iter().enumerate() {
            assert!(
                ALL[..at].iter().all(|other| other.name != mutant.name),
                "{}",
                mutant.name
            );
        }
        for check in "TKSRUBN".chars() {
            assert!(ALL.iter().any(|mutant| mutant.checks.contains(check)), "{check}");
        }
    }
}
