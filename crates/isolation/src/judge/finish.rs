//! From what is known to a judgement.

use std::collections::{BTreeMap, BTreeSet};

use history::{Check, Role, USERS_MAX, Unseen};

use crate::differential::{self, Transcripts};
use crate::judgement::{LostAck, LostAcks, PoolHygiene, Residue, Situation, index};
use crate::limits::{LOST_NAMED_MAX, NAMED_IN_REASON_MAX};
use crate::verdict::{counted, not_covered};
use crate::{CheckVerdict, Judgement, ProbeCount, State, Weakest, upper_bound};

use super::case::Case;
use super::check;
use super::docket::{Docket, users};

/// Decides.
pub(crate) fn judgement(case: &Case<'_>, transcripts: &Transcripts) -> Judgement {
    let problems = problems(case);
    let dockets = Check::ALL.map(|check| {
        let mut docket = check::judge(case, check);
        for problem in &problems {
            docket.reason(problem);
        }
        shortcomings(case, &mut docket);
        docket
    });
    let probes = case
        .ledger
        .probes
        .iter()
        .fold(ProbeCount::default(), |sum, count| ProbeCount {
            refused: sum.refused + count.refused,
            total: sum.total + count.total,
        });
    Judgement {
        findings: dockets.iter().flat_map(Docket::findings).collect(),
        verdicts: dockets.map(|docket| verdict(case, &docket)),
        lost_acks: lost_acks(case),
        residue: Residue {
            count: case.sightings.residue,
            runs: case.sightings.residue_runs.iter().map(|(&run, ())| run).collect(),
        },
        opaque_bytes: case.sightings.opaque_bytes,
        undecodable: case.sightings.undecodable,
        situations: situations(case),
        probes,
        pool_hygiene: pool_hygiene(case),
        non_interference: differential::judge(case, transcripts, &problems),
        problems,
    }
}

fn verdict(case: &Case<'_>, docket: &Docket) -> CheckVerdict {
    let check = docket.check;
    let excused = case.header.and_then(|header| {
        header
            .not_applicable
            .iter()
            .find(|(excused, _)| *excused == check)
            .map(|(_, reason)| reason.clone())
    });
    let reasons = docket.reasons();
    let violations = docket.violations();
    let (state, reasons) = match excused {
        _ if violations > 0 => (State::Violated, reasons),
        Some(excuse) => (State::NotApplicable, vec![excuse]),
        None if reasons.is_empty() => (State::Valid, reasons),
        None => (State::Unknown, reasons),
    };
    CheckVerdict {
        check,
        state,
        reasons,
        violations,
        units: docket.units(),
        events: docket.events,
        bound: upper_bound(docket.units()).filter(|_| violations == 0),
        probes: case.ledger.probes[index(check)],
        weakest: weakest(case, check),
        not_covered: uncovered(case, check),
    }
}

/// What no check of the kind can see, and what this one cannot see at this target.
fn uncovered(case: &Case<'_>, check: Check) -> String {
    let ids = match check {
        Check::Thread => Some((Unseen::ThreadIds, "ids of threads")),
        Check::UserId => Some((Unseen::UserIds, "ids of users")),
        _ => None,
    };
    let own = ids.and_then(|(unseen, what)| Some((what, case.unseen(unseen)?)));
    match own {
        Some((what, reason)) => format!("{what} in bytes ({reason}), {}", not_covered(check)),
        None => not_covered(check).into(),
    }
}

/// What is wrong with the history as a whole; nothing can be valid then.
fn problems(case: &Case<'_>) -> Vec<String> {
    let ledger = case.ledger;
    let mut problems = Vec::new();
    match ledger.headers.len() {
        0 => problems.push("the history has no header".into()),
        1 => {}
        _ => problems.push("the history has more than one header".into()),
    }
    if let Some(header) = case.header.filter(|header| header.run != case.run) {
        problems.push(format!(
            "the header is of run {}, the judge of run {}",
            header.run, case.run
        ));
    }
    if let Some(header) = case.header.filter(|header| header.users > USERS_MAX) {
        problems.push(format!(
            "the header names {} users, a run has at most {USERS_MAX}",
            header.users
        ));
    }
    match ledger.ends.iter().next() {
        None => problems.push("the history has no end".into()),
        Some((_, first)) if first.value => problems.push("the run was interrupted".into()),
        Some(_) => {}
    }
    problems.extend(ledger.losses.iter().map(|(loss, ())| loss.clone()));
    problems.extend(ledger.problems.iter().map(|(problem, ())| problem.clone()));
    let overflows = ledger.overflows().chain(case.sightings.overflows());
    problems.extend(overflows.map(|table| format!("there were more {table} than are kept")));
    unopened(case, &mut problems);
    let connected: BTreeSet<_> = case.web_sockets().map(|(of, _)| of.user).collect();
    let absent: BTreeSet<_> = case.expected().difference(&connected).copied().collect();
    if !absent.is_empty() {
        problems.push(format!("{} never connected", users(&absent)));
    }
    problems
}

/// Connections that did something and were neither opened nor refused.
fn unopened(case: &Case<'_>, problems: &mut Vec<String>) {
    let unopened = case
        .connections
        .iter()
        .filter(|of| of.connection.opened.is_none() && !of.connection.refused);
    let mut unopened: BTreeSet<_> = unopened.map(|of| of.conn).collect();
    unopened.extend(&case.nobodys);
    if let Some(first) = unopened.first() {
        let connections = counted(unopened.len() as u64, "connection");
        problems.push(format!(
            "{connections} did something without being opened, the first is {}",
            first.0
        ));
    }
}

/// What keeps a single check from being valid, whatever its checker found.
fn shortcomings(case: &Case<'_>, docket: &mut Docket) {
    let check = docket.check;
    for (name, occurred) in case.ledger.situations.iter() {
        if occurred.count == 0 && occurred.required_by.contains(&check) {
            docket.reason(format!("the required situation {name} never occurred"));
        }
    }
    for (&role, tries) in &case.ledger.roles {
        if tries.invoked > 0 && tries.ok == 0 && concerns(role).contains(&check) {
            docket.reason(format!("no {role:?} ever succeeded, of {}", tries.invoked));
        }
    }
    unresolved_probes(case, docket);
    if case.header.is_some_and(|header| header.text_channels) {
        unread_text(case, docket);
    }
    let by_id = matches!(check, Check::Thread | Check::Token | Check::UserId);
    if by_id && case.connections.iter().any(|of| of.connection.ids_overflowed) {
        docket.reason("more identifiers went over one connection than are kept");
    }
}

fn unresolved_probes(case: &Case<'_>, docket: &mut Docket) {
    let of_check = case
        .ledger
        .probed
        .iter()
        .filter(|(_, probed)| probed.value.check == docket.check);
    let unresolved: Vec<_> = of_check
        .filter_map(|(_, probed)| Some((probed.value.name.as_str(), probed.value.shortfall.as_deref()?)))
        .collect();
    if unresolved.is_empty() {
        return;
    }
    let names: BTreeMap<_, _> = unresolved.iter().rev().copied().collect();
    let named = names
        .iter()
        .take(NAMED_IN_REASON_MAX)
        .map(|(name, why)| match *why {
            "" => (*name).to_owned(),
            why => format!("{name} ({})", why.trim_start_matches("; ")),
        });
    let named: Vec<_> = named.collect();
    let more = if names.len() > named.len() {
        " and others"
    } else {
        ""
    };
    let probes = counted(unresolved.len() as u64, "probe");
    docket.reason(format!(
        "{probes} lost a control or a fence: {}{more}",
        named.join(", ")
    ));
}

/// Bytes in which a canary could hide, and messages that could be a reply or hold one.
fn unread_text(case: &Case<'_>, docket: &mut Docket) {
    let by_canary = matches!(docket.check, Check::Secret | Check::UserId);
    if by_canary && case.sightings.opaque_bytes > 0 {
        let bytes = counted(case.sightings.opaque_bytes, "byte");
        docket.reason(format!(
            "{bytes} on channels declared text could not be looked into"
        ));
    }
    if (by_canary || docket.check == Check::Response) && case.sightings.undecodable > 0 {
        let messages = counted(case.sightings.undecodable, "message");
        docket.reason(format!(
            "{messages} on channels declared text could not be decoded"
        ));
    }
}

/// Checks that are not exercised if nothing of a role ever succeeds.
fn concerns(role: Role) -> &'static [Check] {
    use Check::{Boundary, Response, Secret, Thread, Token, UserId};
    match role {
        Role::Register | Role::Login => &Check::ALL,
        Role::Refresh => &[Token, Boundary],
        Role::Logout | Role::Resume => &[Boundary],
        Role::Me | Role::WhoAmI => &[Token, UserId],
        Role::CreateThread | Role::ListThreads | Role::FindThread | Role::ReadThread => &[Thread, Secret],
        Role::Post | Role::Cancel => &[Secret, Response],
        Role::Presence | Role::Typing | Role::LookUp => &[UserId],
        Role::CreateRoom
        | Role::ListRooms
        | Role::JoinRoom
        | Role::LeaveRoom
        | Role::PostRoom
        | Role::ReadRoom
        | Role::Subscribe
        | Role::Other => &[Secret],
    }
}

fn weakest(case: &Case<'_>, check: Check) -> Option<Weakest> {
    let required = case
        .ledger
        .situations
        .iter()
        .filter(|(_, occurred)| occurred.required_by.contains(&check));
    let (name, occurred) = required.min_by_key(|(_, occurred)| occurred.count)?;
    let bound = upper_bound(occurred.count)?;
    Some(Weakest {
        situation: name.clone(),
        count: occurred.count,
        bound,
    })
}

fn situations(case: &Case<'_>) -> Vec<Situation> {
    let situation = |(name, occurred): (&String, &super::Occurred)| Situation {
        name: name.clone(),
        count: occurred.count,
        required_by: occurred.required_by.iter().copied().collect(),
    };
    case.ledger.situations.iter().map(situation).collect()
}

fn pool_hygiene(case: &Case<'_>) -> PoolHygiene {
    let mut hygiene = PoolHygiene::default();
    for (label, found) in case.ledger.pools.iter() {
        hygiene.checked += found.checked;
        hygiene
            .findings
            .extend(found.findings.iter().map(|finding| format!("{label}: {finding}")));
    }
    hygiene
}

/// What was acknowledged and did not turn up in the audit.
fn lost_acks(case: &Case<'_>) -> Option<LostAcks> {
    let ledger = case.ledger;
    if ledger.audits == 0 || ledger.incomplete_audits > 0 || ledger.stored.overflowed() {
        return None;
    }
    let mut lost = LostAcks::default();
    for (&(user, serial), stored) in ledger.stored.iter() {
        let Some((_, op)) = stored.write.filter(|_| stored.acknowledged && !stored.audited) else {
            continue;
        };
        lost.count += 1;
        if lost.named.len() < LOST_NAMED_MAX {
            lost.named.push(LostAck { user, serial, op });
        }
    }
    Some(lost)
}
