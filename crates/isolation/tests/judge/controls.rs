//! What makes verdicts unknown, whatever was or was not found.

use history::{Check, Fact, Op, Outcome, PoolFigures, ProbeResult, Replica, Role, Step, User};
use isolation::State;

use crate::story::{Ask, RUN, Story, ask, conn, unknown, valid};

#[track_caller]
fn all_unknown(story: &Story, problem: &str) {
    for check in Check::ALL {
        unknown(story, check, problem);
    }
    let judgement = story.judge();
    assert!(
        judgement.problems.iter().any(|given| given.contains(problem)),
        "{:?}",
        judgement.problems
    );
}

#[test]
fn no_header() {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::Run(_)));
    all_unknown(&story, "the history has no header");
}

#[test]
fn two_headers() {
    let mut story = Story::clean();
    story.begin(4);
    all_unknown(&story, "more than one header");
}

#[test]
fn no_end() {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::Ended { .. }));
    all_unknown(&story, "the history has no end");
}

#[test]
fn an_interrupted_run() {
    let mut story = Story::clean();
    story
        .without(|fact| matches!(fact, Fact::Ended { .. }))
        .tell(1700, Fact::Ended { interrupted: true });
    all_unknown(&story, "the run was interrupted");
}

#[test]
fn a_service_that_died() {
    let mut story = Story::clean();
    story.tell(
        50,
        Fact::ServiceDied {
            name: "agent".into(),
            detail: "signal 9".into(),
        },
    );
    all_unknown(&story, "a service was lost in mid-run: agent (signal 9)");
}

#[test]
fn a_fault_that_was_injected() {
    let mut story = Story::clean();
    let what = "kill:agent@round".into();
    story.tell(50, Fact::FaultInjected { what });
    all_unknown(&story, "a fault was injected: kill:agent@round");
}

#[test]
fn a_limit_that_was_hit() {
    let mut story = Story::clean();
    story.tell(
        50,
        Fact::LimitHit {
            what: "history of worker 1: 64 MiB".into(),
        },
    );
    all_unknown(&story, "a limit was hit: history of worker 1: 64 MiB");
}

#[test]
fn a_user_who_never_connected() {
    let mut story = Story::clean();
    story.header(|header| header.users = 5);
    all_unknown(&story, "user 4 never connected");
}

#[test]
fn a_connection_that_nobody_opened() {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::Opened { conn, .. } if conn.0 == 13));
    all_unknown(
        &story,
        "1 connection did something without being opened, the first is 13",
    );
}

#[test]
fn an_end_of_an_attempt_that_never_began() {
    let mut story = Story::clean();
    story.tell(
        50,
        Fact::Completed {
            op: Op(9999),
            outcome: Outcome::Ok,
        },
    );
    all_unknown(&story, "attempt 9999 ended and never began");
}

#[test]
fn a_reply_to_an_attempt_that_never_began() {
    let mut story = Story::clean();
    story.reply(50, conn(1), Some(Op(9999)), Step::Done, "{}");
    all_unknown(&story, "a reply names attempt 9999");
}

#[test]
fn a_history_of_another_run() {
    let mut story = Story::clean();
    story.header(|header| header.run = RUN + 1);
    all_unknown(&story, "the header is of run 4712, the judge of run 4711");
}

#[test]
fn a_violation_outweighs_everything() {
    let mut story = Story::clean();
    story
        .probe(Check::Token, ProbeResult::Accepted)
        .without(|fact| matches!(fact, Fact::Ended { .. }));
    let judgement = story.judge();
    assert_eq!(judgement.verdict(Check::Token).state, State::Violated);
    assert_eq!(judgement.verdict(Check::Thread).state, State::Unknown);
    assert_eq!(judgement.overall(), State::Violated);
}

/// Many that were accepted take nothing from the others; more of the others than are kept are told.
#[test]
fn probes_without_end() {
    let many = |result| {
        let mut story = Story::clean();
        for _ in 0..=1 << 16 {
            story.probe(Check::Response, result);
        }
        story.judge()
    };
    let violated = many(ProbeResult::Accepted);
    assert_eq!(violated.verdict(Check::Response).state, State::Violated);
    assert_eq!(violated.verdict(Check::Token).state, State::Valid);
    let crowded = many(ProbeResult::Refused).verdict(Check::Token).to_string();
    assert!(
        crowded.contains("there were more probes than are kept"),
        "{crowded}"
    );
}

#[test]
fn a_role_that_never_succeeded() {
    let mut story = Story::clean();
    let op = story.invoke(50, ask(1, Role::Presence));
    story.complete(60, op, Outcome::Fail("internal".into()));
    unknown(&story, Check::UserId, "no Presence ever succeeded, of 1");
    assert_eq!(story.judge().verdict(Check::Secret).state, State::Valid);
    story.exchange(61, 62, ask(2, Role::Presence), "{}");
    valid(&story);
}

#[test]
fn a_probe_that_fails_is_no_failing_role() {
    let mut story = Story::clean();
    let op = story.invoke(
        50,
        Ask {
            probe: true,
            ..ask(1, Role::Presence)
        },
    );
    story.complete(60, op, Outcome::Fail("not_found".into()));
    valid(&story);
}

#[test]
fn a_required_situation_that_never_occurred() {
    let mut story = Story::clean();
    let required_by = vec![Check::Boundary];
    let absent = |replica| Fact::Situation {
        name: "resumed".into(),
        replica: Replica(replica),
        count: 0,
        required_by: required_by.clone(),
    };
    story.tell(1600, absent(0)).tell(1600, absent(1));
    unknown(
        &story,
        Check::Boundary,
        "the required situation resumed never occurred",
    );
    assert_eq!(story.judge().verdict(Check::Secret).state, State::Valid);
    let one = Fact::Situation {
        name: "resumed".into(),
        replica: Replica(2),
        count: 1,
        required_by: vec![],
    };
    story.tell(1600, one);
    valid(&story);
}

#[track_caller]
fn probe_unknown(change: impl Fn(&mut history::Probe<'static>)) {
    let mut story = Story::clean();
    story.change(|fact| match fact {
        Fact::Probe(probe) if probe.check == Check::Token => change(probe),
        _ => {}
    });
    unknown(
        &story,
        Check::Token,
        "1 probe lost a control or a fence: token isolation probe",
    );
    assert_eq!(story.judge().verdict(Check::Thread).state, State::Valid);
}

#[test]
fn a_probe_without_its_controls() {
    probe_unknown(|probe| probe.control_before = false);
    probe_unknown(|probe| probe.control_after = false);
    probe_unknown(|probe| probe.result = ProbeResult::Lost);
}

#[test]
fn a_silent_probe_with_its_controls_is_refused() {
    let mut story = Story::clean();
    story.probe(Check::Token, ProbeResult::Silent);
    valid(&story);
    assert_eq!(story.judge().verdict(Check::Token).probes.refused, 2);
}

#[test]
fn what_does_not_apply_needs_no_proof_and_excuses_no_leak() {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::ThreadIssued(_) | Fact::Probe(_)));
    story.header(|header| header.not_applicable = vec![(Check::Thread, "the target has no threads".into())]);
    story.probe(Check::Token, ProbeResult::Refused);
    let judgement = story.judge();
    assert_eq!(
        judgement.verdict(Check::Thread).to_string(),
        "T not applicable: the target has no threads"
    );
    assert_eq!(judgement.overall(), State::Valid);
    story.probe(Check::Thread, ProbeResult::Accepted);
    assert_eq!(story.judge().verdict(Check::Thread).state, State::Violated);
}

#[test]
fn a_run_without_probes_is_unfounded() {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::Probe(_)));
    assert_eq!(story.judge().overall(), State::Unknown);
}

#[test]
fn a_run_without_secrets_is_unfounded() {
    let mut story = Story::clean();
    story.header(|header| header.not_applicable = vec![(Check::Secret, "no content".into())]);
    assert_eq!(story.judge().overall(), State::Unknown);
}

#[test]
fn what_a_pooled_connection_kept_is_a_violation() {
    let mut story = Story::clean();
    let pool = |findings: Vec<String>| PoolFigures {
        label: "sqlx".into(),
        hygiene_checked: 40,
        hygiene_findings: findings,
        ..PoolFigures::default()
    };
    story.tell(1600, Fact::Pool(Box::new(pool(vec![]))));
    valid(&story);
    story.tell(
        1600,
        Fact::Pool(Box::new(pool(vec!["identity of user 3 left over".into()]))),
    );
    let judgement = story.judge();
    assert_eq!(judgement.overall(), State::Violated);
    assert_eq!(
        judgement.pool_hygiene.findings,
        ["sqlx: identity of user 3 left over"]
    );
    assert_eq!(judgement.pool_hygiene.checked, 80);
}

#[test]
fn a_judgement_survives_its_file() {
    let mut story = Story::clean();
    story.probe(Check::Token, ProbeResult::Accepted).identified(1, 2);
    let judgement = story.judge();
    assert!(
        judgement
            .findings
            .iter()
            .any(|finding| finding.observer == User(1))
    );
    let text = serde_json::to_string(&judgement).unwrap();
    assert_eq!(
        serde_json::from_str::<isolation::Judgement>(&text).unwrap(),
        judgement
    );
}
