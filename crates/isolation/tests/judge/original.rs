//! What the original test would have passed: none of these is valid, and each says why.

use history::{Check, CloseCause, Fact, Outcome, Part, Role, Step};
use isolation::State;

use crate::story::{Ask, Story, ask, conn, thread_id, unknown};

#[test]
fn nothing_listens() {
    let mut story = Story::empty();
    story.begin(2);
    for user in 0..2 {
        let refused = Fact::Refused {
            conn: conn(user),
            user: history::User(user),
            replica: history::Replica(0),
            expected: false,
            reason: "connection refused".into(),
        };
        story.tell(10, refused);
    }
    story.end(20);
    for check in Check::ALL {
        unknown(&story, check, "users 0 and 1 never connected");
    }
}

#[test]
fn every_connection_is_closed_at_once() {
    let mut story = Story::empty();
    story.begin(2);
    for user in 0..2 {
        story.account(user).open(10, conn(user), user, Some(user)).close(
            11,
            conn(user),
            CloseCause::ByService,
        );
        let op = story.invoke(12, ask(user, Role::WhoAmI));
        story.complete(13, op, Outcome::Info("the connection went".into()));
    }
    story.end(20);
    unknown(&story, Check::Token, "no WhoAmI ever succeeded, of 2");
    assert!(
        story
            .judge()
            .verdicts
            .iter()
            .all(|verdict| verdict.state == State::Unknown)
    );
}

#[test]
fn every_message_is_an_error() {
    let mut story = Story::clean();
    story.without(|fact| match fact {
        Fact::Inbound(inbound) => {
            let last = |part: &Part<'_>| {
                !matches!(
                    part,
                    Part::Reply {
                        step: Step::Ack | Step::Delta,
                        ..
                    }
                )
            };
            !inbound.parts.iter().all(last)
        }
        _ => false,
    });
    story.change(|fact| match fact {
        Fact::Completed { outcome, .. } => *outcome = Outcome::Fail("internal".into()),
        Fact::Inbound(inbound) => {
            inbound.bytes.to_mut().clear();
            inbound
                .bytes
                .to_mut()
                .extend_from_slice(br#"{"err":{"code":"internal"}}"#);
            for part in inbound.parts.iter_mut() {
                if let Part::Reply { step, text, .. } = part {
                    (*step, *text) = (Step::Error, None);
                }
            }
        }
        _ => {}
    });
    story.without(|fact| matches!(fact, Fact::ThreadIssued(_) | Fact::Identified(_)));
    unknown(
        &story,
        Check::Secret,
        "users 0, 1, 2 and 3 never saw their own secrets come back",
    );
    unknown(&story, Check::Secret, "no Post ever succeeded, of 8");
    unknown(&story, Check::Response, "never got replies with their own nonces");
}

#[test]
fn silence() {
    let mut story = Story::clean();
    story.without(|fact| {
        matches!(
            fact,
            Fact::Inbound(_) | Fact::ThreadIssued(_) | Fact::Identified(_)
        )
    });
    story.change(|fact| {
        if let Fact::Completed { outcome, .. } = fact {
            *outcome = Outcome::Info("no answer in time".into());
        }
    });
    for check in Check::ALL {
        unknown(&story, check, "no exposure");
    }
    unknown(
        &story,
        Check::Secret,
        "users 0, 1, 2 and 3 never saw their own secrets come back",
    );
}

#[test]
fn anothers_secret_in_a_nested_field_or_in_base64() {
    use base64::Engine as _;
    let mut story = Story::clean();
    let (first, second) = (story.secret(2).long(), story.secret(3).long());
    let encoded = base64::engine::general_purpose::STANDARD.encode(second);
    story.push(91, conn(1), &format!(r#"{{"a":{{"b":[{{"c":"{first}"}}]}}}}"#));
    story.push(92, conn(1), &format!(r#"{{"blob":"{encoded}"}}"#));
    assert_eq!(story.judge().verdict(Check::Secret).violations, 2);
}

#[test]
fn acknowledged_then_everything_to_everyone() {
    let mut story = Story::clean();
    let secret = story.post(80, 2).long();
    for user in [0, 1, 3] {
        story.push(390, conn(user), &format!(r#"{{"body":"{secret}"}}"#));
    }
    assert_eq!(story.judge().verdict(Check::Secret).violations, 3);
}

#[test]
fn the_same_reply_and_the_same_thread_id_for_everyone() {
    let mut story = Story::empty();
    story.begin(2);
    for user in 0..2 {
        story
            .account(user)
            .open(10, conn(user), user, Some(user))
            .create_thread(20, user, 0);
        let nonce = story.mint(user, history::Audience::Owner, isolation::canary::Datum::Nonce);
        let asked = Ask {
            nonce: Some(nonce.serial),
            ..ask(user, Role::Post)
        };
        story.exchange(
            30,
            40,
            asked,
            &format!(r#"{{"thread_id":"{}","text":"hello"}}"#, thread_id(0)),
        );
    }
    story.end(50);
    let judgement = story.judge();
    assert_eq!(judgement.verdict(Check::Thread).state, State::Violated);
    assert_eq!(judgement.findings[0].kind, "one thread id for two owners");
    let response = judgement.verdict(Check::Response);
    assert_eq!(response.state, State::Unknown);
    assert!(
        response
            .reasons
            .iter()
            .any(|reason| reason.starts_with("2 accepted attempts got an answer without"))
    );
}

#[test]
fn served_one_after_the_other() {
    let mut story = Story::empty();
    story.begin(3);
    for user in 0..3 {
        let from = 1000 * u64::from(user) + 10;
        story
            .account(user)
            .open(from, conn(user), user, Some(user))
            .hello(from + 1, conn(user), user);
        story.create_thread(from + 5, user, user);
        for post in 0..5 {
            story.post(from + 20 + 20 * post, user);
        }
        story.close(from + 500, conn(user), CloseCause::ByPlan);
    }
    story.end(5000);
    unknown(
        &story,
        Check::Response,
        "no nonce-checked reply was in flight together",
    );
    unknown(
        &story,
        Check::Thread,
        "no thread was created while another owner's was",
    );
}
