//! A service that means harm: whatever it sends, a run ends, in bounded memory, with the reason counted, and nothing valid.

mod driving;
mod servers;

use std::fs;
use std::sync::{Mutex, PoisonError};

use driving::{a_few_against, a_patient_few_against, against, patiently_against, proves_nothing};
use isolation::Judgement;
use servers::{Attack, Manner};
use session::{BODY_LIMIT_BYTES, MESSAGE_LIMIT_BYTES, UNFINISHED_LIMIT_BYTES};

/// What a run against well-behaved servers takes, with a margin: judge, threads, buffers of the servers themselves.
const OWN_BYTES: usize = 48 << 20;
/// What judging one message may decode and keep, for each byte of it: copies of up to three layers, and places in them.
const JUDGED_PER_BYTE: usize = 8;
/// What the scanner may decode of a message however short it is: three layers of eight MiB, and what they were made from.
const INFLATED: usize = 32 << 20;

/// One attack at a time: what is measured is the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// Runs against `attack`: the process grows by less than `memory` bytes beside its own, and the reasons hold `reason`.
#[track_caller]
fn check(attack: Attack, memory: usize, reason: &str) -> Judgement {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = reset_peak();
    let drive = match attack {
        Attack::Replies | Attack::Events | Attack::Deep => a_few_against,
        Attack::Pings => a_patient_few_against,
        Attack::HalfUpgrade | Attack::Bomb => against,
        // ended by a limit on what comes, long before any wait is over
        _ => patiently_against,
    };
    let judgement = drive(Manner::Hostile(attack));
    let grown = peak().saturating_sub(before);
    proves_nothing(&judgement, reason);
    assert!(
        grown < OWN_BYTES + memory,
        "{attack:?}: the process grew by {grown} bytes"
    );
    judgement
}

/// Forgets the highest memory use so far; the present one.
fn reset_peak() -> usize {
    // only the kernel's note of the peak is cleared (proc(5), clear_refs)
    fs::write("/proc/self/clear_refs", "5").expect("Linux keeps it");
    peak()
}

/// Most memory that the process had in use, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux keeps it");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("Linux keeps it");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

#[test]
fn a_frame_of_64_mib_is_refused_by_its_header() {
    check(Attack::HugeFrame, 0, "given up: Space limit exceeded");
}

#[test]
fn frames_that_swell_on_all_connections_share_a_limit() {
    let reason = format!("the limit is {UNFINISHED_LIMIT_BYTES}");
    check(Attack::Swollen, 2 * UNFINISHED_LIMIT_BYTES, &reason);
}

#[test]
fn fragments_without_end_end_at_the_limit_of_a_message() {
    check(
        Attack::Fragments,
        2 * UNFINISHED_LIMIT_BYTES,
        "given up: Space limit exceeded",
    );
}

#[test]
fn fragments_of_nothing_are_counted() {
    check(Attack::EmptyFragments, 0, "frames without a whole message");
}

#[test]
fn text_that_is_no_utf_8_ends_the_connection() {
    check(Attack::NotUtf8, 0, "given up: UTF-8 encoding error");
}

#[test]
fn a_bomb_is_not_looked_into() {
    check(Attack::Bomb, INFLATED, "could not be looked into");
}

#[test]
fn deep_nesting_does_not_go_deep() {
    check(Attack::Deep, JUDGED_PER_BYTE * MESSAGE_LIMIT_BYTES, "");
}

#[test]
fn a_flood_of_replies_is_told_as_such() {
    check(Attack::Replies, 0, "");
}

#[test]
fn what_is_not_answered_times_out_however_much_comes_beside() {
    let judgement = check(Attack::Events, 0, "start barrier: 3 users");
    let late = |problem: &String| problem.contains("did not arrive");
    assert!(!judgement.problems.iter().any(late), "{:#?}", judgement.problems);
}

#[test]
fn what_comes_behind_a_close_frame_breaks_no_limit() {
    let judgement = check(Attack::SpeaksOn, 0, "start barrier: 12 users");
    let broken = |problem: &String| problem.contains("given up");
    assert!(
        !judgement.problems.iter().any(broken),
        "{:#?}",
        judgement.problems
    );
}

#[test]
fn pings_without_end_are_counted() {
    check(Attack::Pings, 0, "frames without a whole message");
}

#[test]
fn an_upgrade_that_never_ends_is_given_up() {
    check(Attack::HalfUpgrade, 0, "start barrier: 12 users");
    check(
        Attack::DrippingUpgrade,
        0,
        "given up during its upgrade: Attack attempt detected",
    );
}

#[test]
fn a_close_without_a_close_frame_is_a_loss() {
    check(Attack::Vanishes, 0, "start barrier: 12 users");
}

#[test]
fn http_without_end_is_read_to_its_limit() {
    check(
        Attack::Body,
        16 * BODY_LIMIT_BYTES,
        &format!("more than {BODY_LIMIT_BYTES} bytes"),
    );
    check(Attack::Headers, 0, "12 users");
}
