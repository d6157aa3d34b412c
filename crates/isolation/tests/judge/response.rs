//! R: response crossing.

use history::{Audience, Check, Fact, Outcome, Part, ProbeResult, Role, Source, Step};
use isolation::canary::Datum;

use crate::story::{Ask, Story, ask, conn, unknown, valid, violated};

const R: Check = Check::Response;

#[test]
fn a_reply_out_of_nowhere() {
    let mut story = Story::clean();
    story.reply(91, conn(1), None, Step::Done, "{}");
    violated(&story, R, "reply out of nowhere", 1, None);
}

#[test]
fn an_error_that_nobody_asked_for() {
    let mut story = Story::clean();
    story.reply(91, conn(1), None, Step::Error, "{}");
    violated(&story, R, "reply out of nowhere", 1, None);
}

#[test]
fn a_second_reply() {
    let mut story = Story::clean();
    let op = story.exchange(91, 92, ask(1, Role::ListThreads), "{}");
    story.done(93, conn(1), op, "{}");
    assert_eq!(violated(&story, R, "second reply", 1, None).op, Some(op));
}

#[test]
fn a_late_reply_is_not_a_second_one() {
    let mut story = Story::clean();
    let op = story.invoke(91, ask(1, Role::ListThreads));
    story
        .complete(92, op, Outcome::Info("no answer in time".into()))
        .done(1200, conn(1), op, "{}");
    story.exchange(93, 94, ask(1, Role::ListThreads), "{}");
    valid(&story);
    story.done(1201, conn(1), op, "{}");
    violated(&story, R, "second reply", 1, None);
}

#[test]
fn a_duplicate_push_is_no_reply() {
    let mut story = Story::clean();
    let body = story.room_post(91, 0, 0, &[0, 1]);
    story.push(92, conn(1), &format!(r#"{{"body":"{}"}}"#, body.long()));
    valid(&story);
}

#[test]
fn a_reply_with_anothers_nonce() {
    let mut story = Story::clean();
    let nonce = story.mint(1, Audience::Owner, Datum::Nonce);
    let other = story.mint(3, Audience::Owner, Datum::Nonce);
    story.post_echoing(91, 1, nonce, other);
    let judgement = story.judge();
    let told: Vec<_> = judgement
        .findings
        .iter()
        .map(|finding| {
            (
                finding.check.letter(),
                finding.kind.as_str(),
                finding.observer.0,
                finding.victim,
            )
        })
        .collect();
    let victim = Some(history::User(3));
    assert_eq!(
        told,
        [
            ('S', "nonce of another user", 1, victim),
            ('R', "reply built from another's content", 1, victim),
            ('R', "reply with another's nonce", 1, victim),
        ]
    );
}

#[test]
fn a_reply_with_an_older_nonce_of_ones_own() {
    let mut story = Story::clean();
    let older = story.mint(1, Audience::Owner, Datum::Nonce);
    let nonce = story.mint(1, Audience::Owner, Datum::Nonce);
    story.post_echoing(91, 1, nonce, older);
    violated(&story, R, "reply with an older nonce", 1, 1);
}

#[test]
fn a_whole_reply_with_an_older_nonce() {
    let mut story = Story::clean();
    let older = story.mint(1, Audience::Owner, Datum::Nonce);
    let nonce = story.mint(1, Audience::Owner, Datum::Nonce);
    let asked = Ask {
        nonce: Some(nonce.serial),
        ..ask(1, Role::Post)
    };
    story.exchange(91, 92, asked, &format!(r#"{{"text":"{}"}}"#, older.long()));
    violated(&story, R, "reply with an older nonce", 1, 1);
}

#[test]
fn a_reply_built_from_anothers_content() {
    let mut story = Story::clean();
    let secret = story.secret(3);
    story.exchange(
        91,
        92,
        ask(1, Role::FindThread),
        &format!(r#"{{"summary":"{}"}}"#, secret.long()),
    );
    violated(&story, R, "reply built from another's content", 1, 3);
}

#[test]
fn a_reply_without_its_nonce_is_unknown() {
    let mut story = Story::clean();
    let nonce = story.mint(1, Audience::Owner, Datum::Nonce);
    let asked = Ask {
        nonce: Some(nonce.serial),
        ..ask(1, Role::Post)
    };
    story.exchange(91, 92, asked, r#"{"text":"hello"}"#);
    unknown(
        &story,
        R,
        "1 accepted attempt got an answer without the nonce of the request",
    );
}

#[test]
fn a_refused_request_owes_no_nonce() {
    let mut story = Story::clean();
    let nonce = story.mint(1, Audience::Owner, Datum::Nonce);
    let op = story.invoke(
        91,
        Ask {
            nonce: Some(nonce.serial),
            ..ask(1, Role::Post)
        },
    );
    story
        .reply(92, conn(1), Some(op), Step::Error, "{}")
        .complete(92, op, Outcome::Fail("busy".into()));
    valid(&story);
}

#[test]
fn garbled_json_where_a_reply_was_due() {
    let mut story = Story::clean();
    let op = story.invoke(91, ask(1, Role::ListThreads));
    story.inbound(
        92,
        conn(1),
        r#"{"re":"r1","ok":{}}1","ok":{}}"#,
        Part::Undecodable,
    );
    story.done(93, conn(1), op, "{}").complete(93, op, Outcome::Ok);
    violated(&story, R, "undecodable message", 1, None);
}

#[test]
fn what_a_dying_connection_cut_off_is_not_garbled() {
    let mut story = Story::clean();
    story.exchange(1688, 1689, ask(1, Role::ListThreads), "{}");
    story.invoke(1690, ask(1, Role::ListThreads));
    story.raw(1691, conn(1), Source::Partial, br#"{"re":"r1","#.to_vec(), vec![]);
    valid(&story);
}

#[test]
fn an_accepted_probe() {
    let mut story = Story::clean();
    story.probe(R, ProbeResult::Accepted);
    violated(&story, R, "probe accepted: response crossing probe", 1, 2);
}

#[test]
fn ops_one_after_another_prove_nothing() {
    let mut story = Story::empty();
    story.begin(2);
    for user in 0..2_u32 {
        story.account(user).open(10, conn(user), user, Some(user));
        story.post(100 * u64::from(user) + 100, user);
    }
    story.end(1000);
    unknown(&story, R, "no exposure");
}

#[test]
fn a_user_without_a_checked_reply() {
    let mut story = Story::clean();
    story.change(|fact| match fact {
        Fact::Invoked(invoked) if invoked.user.0 == 2 => invoked.nonce = None,
        _ => {}
    });
    unknown(&story, R, "user 2 never got a reply with its own nonce");
}
