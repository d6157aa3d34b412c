//! K: token isolation.

use history::{Check, Fact, ProbeResult};

use crate::story::{Story, conn, token, unknown, valid, violated};

const K: Check = Check::Token;

#[test]
fn one_token_for_two_users() {
    let mut story = Story::clean();
    let first = match story
        .events()
        .into_iter()
        .find_map(|(_, event)| match event.fact {
            Fact::Token(token) => Some(token.whole),
            _ => None,
        }) {
        Some(first) => first,
        None => panic!("no token"),
    };
    story.change(|fact| match fact {
        Fact::Token(token) if token.user.0 == 3 => token.whole = first,
        _ => {}
    });
    violated(&story, K, "one token for two users", 3, 0);
}

#[test]
fn one_token_id_for_two_users() {
    let mut story = Story::clean();
    story.change(|fact| match fact {
        Fact::Token(token) if token.user.0 < 2 => token.token_id = Some(history::Fingerprint(9)),
        _ => {}
    });
    violated(&story, K, "one token id for two users", 1, 0);
}

#[test]
fn two_sessions_of_one_user_may_share_what_they_like() {
    let mut story = Story::clean();
    story.token(2, &token(2));
    valid(&story);
}

#[test]
fn taken_for_somebody_else() {
    let mut story = Story::clean();
    story.identified(1, 2);
    let finding = violated(&story, K, "taken for another user", 1, 2);
    assert_eq!(
        finding.detail,
        "the service called user 1 by the id aaaaaaaa-0000-4000-8000-000000000002"
    );
}

#[test]
fn taken_for_nobody_who_is_known() {
    let mut story = Story::clean();
    story.identified(1, 77);
    violated(&story, K, "taken for another user", 1, None);
}

#[test]
fn a_piece_of_a_token_in_bytes() {
    let mut story = Story::clean();
    let token = token(2);
    let piece = &token[token.len() - 40..];
    story.push(91, conn(1), &format!(r#"{{"debug":"{piece}"}}"#));
    violated(&story, K, "token of another user", 1, 2);
}

#[test]
fn ones_own_token_in_bytes_is_not_anothers() {
    let mut story = Story::clean();
    story.push(91, conn(2), &format!(r#"{{"debug":"{}"}}"#, token(2)));
    valid(&story);
}

#[test]
fn an_accepted_probe() {
    let mut story = Story::clean();
    story.probe(K, ProbeResult::Accepted);
    violated(&story, K, "probe accepted: token isolation probe", 1, 2);
}

#[test]
fn nobody_else_at_the_process_proves_nothing() {
    let mut story = Story::clean();
    story.change(|fact| {
        if let Fact::Identified(identified) = fact {
            identified.replica = history::Replica(7);
        }
    });
    unknown(&story, K, "no exposure");
}

#[test]
fn a_user_who_was_never_identified() {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::Identified(identified) if identified.user.0 == 3));
    unknown(&story, K, "user 3 was never identified by the service");
}

#[test]
fn users_without_a_token() {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::Token(token) if token.user.0 != 1));
    unknown(&story, K, "users 0, 2 and 3 got no token");
}
