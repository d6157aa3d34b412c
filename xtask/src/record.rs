//! A planted leak after the fact: what the mutant says it did, against what the judge says it saw.
//!
//! The mutant's record is read only once judging is over; nothing of it can reach a verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use history::{Check, User};
use isolation::{Judgement, NON_INTERFERENCE_LETTER, State};
use serde::Deserialize;

use crate::report::Drill;

/// One line, as a mutant wrote it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Fired {
        /// Service-made id of the user who got what it should not have.
        observer: String,
        /// And of the user whose it was.
        victim: String,
    },
    /// At how many places it could have acted, and at how many it did.
    Tally { opportunities: u64, acted: u64 },
}

/// What all services' mutants wrote.
#[derive(Debug, Default)]
struct Record {
    /// Observer and victim of each firing.
    fired: Vec<[String; 2]>,
    opportunities: Option<u64>,
    acted: Option<u64>,
}

/// An observer and a victim. The observer is `None` where the service could not know who it was.
type Pair = (Option<User>, User);

/// The id that stands for somebody whom the service does not know.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// Compares the record under `folder` with the judgement; `users` are the service's ids of the virtual users.
pub(crate) fn compare(
    mutant: &str,
    folder: &Path,
    users: &BTreeMap<String, User>,
    judgement: &Judgement,
) -> Result<Drill> {
    let record = read(folder)?;
    let known = |id: &String| users.get(id).copied();
    let recorded: BTreeSet<Pair> = record
        .fired
        .iter()
        .filter_map(|[observer, victim]| {
            let observer = if observer == NOBODY {
                None
            } else {
                Some(known(observer)?)
            };
            Some((observer, known(victim)?))
        })
        .collect();
    // what names no victim was done in the observer's own name, as with a token of its own that is not good
    let judged: BTreeSet<Pair> = judgement
        .findings
        .iter()
        .map(|finding| (Some(finding.observer), finding.victim.unwrap_or(finding.observer)))
        .collect();
    let violated = |check: &Check| judgement.verdict(*check).state == State::Violated;
    let seventh = judgement.non_interference.as_ref();
    let compared = seventh.filter(|seventh| seventh.state == State::Violated);
    let caught_by: Vec<char> = Check::ALL
        .into_iter()
        .filter(violated)
        .map(|check| check.letter())
        .chain(compared.map(|_| NON_INTERFERENCE_LETTER))
        .collect();
    let is_recorded = |(observer, victim): &&Pair| {
        recorded.contains(&(*observer, *victim)) || recorded.contains(&(None, *victim))
    };
    // who is answered differently in company is known, and by whose company mostly not
    let apart: BTreeSet<User> = seventh
        .iter()
        .flat_map(|seventh| &seventh.differences)
        .map(|difference| difference.observer)
        .collect();
    let is_apart = |(observer, _): &&Pair| observer.is_some_and(|observer| apart.contains(&observer));
    let by_people = judged.iter().find(is_recorded);
    let by_observer = recorded.iter().find(is_apart).filter(|_| by_people.is_none());
    let common = by_people.or(by_observer).copied();
    let fired = record.fired.len() as u64;
    let named = Named {
        recorded: common.or(recorded.first().copied()).map(pair),
        judged: match by_observer {
            Some((observer, _)) => observer.map(|observer| format!("user {}", observer.0)),
            None => common.or(judged.first().copied()).map(pair),
        },
    };
    let summary = summary(mutant, fired, &caught_by, common.is_some(), named);
    Ok(Drill {
        mutant: mutant.to_owned(),
        fired,
        opportunities: record.opportunities,
        acted: record.acted,
        caught_by,
        matched: common.is_some(),
        summary,
    })
}

/// Whom either names.
struct Named {
    recorded: Option<String>,
    judged: Option<String>,
}

fn summary(mutant: &str, fired: u64, caught_by: &[char], matched: bool, named: Named) -> String {
    let letters: String = caught_by.iter().collect();
    let caught = if letters.is_empty() {
        "caught by nothing".to_owned()
    } else {
        format!("caught by {letters}")
    };
    if fired == 0 {
        return format!("mutant {mutant} never fired, so that this run proves nothing about it; {caught}");
    }
    let times = if fired == 1 {
        "once".to_owned()
    } else {
        format!("{fired} times")
    };
    let verdict = if matched { "match" } else { "NO MATCH" };
    let [record, judge] =
        [named.recorded, named.judged].map(|named| named.unwrap_or_else(|| "nobody that we know".to_owned()));
    format!("mutant {mutant} fired {times}; {caught}; record names {record}; judge names {judge}: {verdict}")
}

fn pair((observer, victim): Pair) -> String {
    match observer {
        Some(observer) => format!("user {} <- user {}", observer.0, victim.0),
        None => format!("somebody <- user {}", victim.0),
    }
}

/// What all services wrote.
fn read(folder: &Path) -> Result<Record> {
    let mut record = Record::default();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot list {}", folder.display()))?
            .path();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let one = serde_json::from_str(line);
            match one.with_context(|| format!("cannot understand a line of {}: {line}", path.display()))? {
                Line::Fired { observer, victim } => record.fired.push([observer, victim]),
                Line::Tally { opportunities, acted } => {
                    *record.opportunities.get_or_insert(0) += opportunities;
                    *record.acted.get_or_insert(0) += acted;
                }
            }
        }
    }
    Ok(record)
}
