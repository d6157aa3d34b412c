//! What is not proven is unknown; what is exercised and clean is valid.

use history::Check;
use isolation::{Judge, State};

use crate::story::{RUN, Story, valid};

#[test]
fn a_clean_history_is_valid() {
    valid(&Story::clean());
}

#[test]
fn verdicts_say_what_they_are_worth() {
    let judgement = Story::clean().judge();
    let told: Vec<_> = judgement.verdicts.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    T valid: 0 violations in 5 overlapping creates and foreign-thread probes, 4 units (connection x phase x round). If units leak independently at one rate, it is below 53 % (95 %). 1 of 1 denied paths refused. Not covered: ids that are shown in part.
    K valid: 0 violations in 4 identities read back, 4 units (connection x phase x round). If units leak independently at one rate, it is below 53 % (95 %). 1 of 1 denied paths refused. Not covered: tokens that stay inside the services.
    S valid: 0 violations in 97 frames, 4 units (connection x phase x round). If units leak independently at one rate, it is below 53 % (95 %). 1 of 1 denied paths refused. Not covered: timing, hashes, images, encryption.
    R valid: 0 violations in 8 nonce-checked replies, 4 units (connection x phase x round). If units leak independently at one rate, it is below 53 % (95 %). 1 of 1 denied paths refused. Weakest required situation: equal_request_id_in_flight, 60 times, below 4.9 %. Not covered: crossings between ops that carry no nonce.
    U valid: 0 violations in 98 frames, 5 units (connection x phase x round). If units leak independently at one rate, it is below 45 % (95 %). 1 of 1 denied paths refused. Not covered: timing, hashes, images, encryption.
    B valid: 0 violations in 1 opportunity after the end, 1 unit (connection x phase x round). If units leak independently at one rate, it is below 95 % (95 %). 1 of 1 denied paths refused. Not covered: the grace after a session's end.
    ");
}

#[test]
fn no_history_is_unknown() {
    let judgement = Judge::new(RUN).finish();
    assert!(
        judgement
            .verdicts
            .iter()
            .all(|verdict| verdict.state == State::Unknown)
    );
    assert_eq!(judgement.overall(), State::Unknown);
    assert_eq!(judgement.lost_acks, None);
}

#[test]
fn a_history_of_nothing_is_unknown_for_every_check() {
    let mut story = Story::empty();
    story.begin(2).end(10);
    let judgement = story.judge();
    for check in Check::ALL {
        assert_eq!(judgement.verdict(check).state, State::Unknown, "{check:?}");
        assert!(
            judgement
                .verdict(check)
                .reasons
                .iter()
                .any(|reason| reason.starts_with("no exposure"))
        );
        assert_eq!(judgement.verdict(check).bound, None);
    }
}

#[test]
fn more_users_than_there_can_be_are_not_looked_for() {
    let mut story = Story::clean();
    story.header(|header| header.users = u32::MAX);
    let judgement = story.judge();
    assert_eq!(judgement.overall(), State::Unknown);
    let told = "the header names 4294967295 users, a run has at most 1048576";
    assert!(
        judgement.problems.iter().any(|problem| problem == told),
        "{:?}",
        judgement.problems
    );
}
