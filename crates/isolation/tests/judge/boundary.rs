//! B: session boundary.

use history::{
    At, BoundaryKind, Check, CloseCause, Conn, Fact, Interval, Outcome, ProbeResult, Role, Session, Step,
    User,
};

use crate::story::{Ask, GRACE_MS, Story, ask, ms, span, unknown, valid, violated};

const B: Check = Check::Boundary;
/// The connection of user 3's session that a clean story ends in [100, 101].
const OVER: Conn = Conn(20);
const DEADLINE: u64 = 101 + GRACE_MS;

/// A clean story in which the service does not close the ended session's connection.
fn left_open() -> Story {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::Closed { conn: OVER, .. }));
    story
}

#[test]
fn an_event_after_logout() {
    let mut story = left_open();
    story.push(DEADLINE, OVER, "{}");
    valid(&story);
    story.push(DEADLINE + 1, OVER, "{}");
    let finding = violated(&story, B, "event after logout", 3, 3);
    assert_eq!(finding.detail, "1001 ms after the logout was acknowledged");
}

#[test]
fn an_attempt_after_logout() {
    let mut story = left_open();
    story.exchange(
        1200,
        1201,
        Ask {
            conn: OVER,
            ..ask(3, Role::ListThreads)
        },
        "{}",
    );
    let judgement = story.judge();
    let kinds: Vec<_> = judgement
        .findings
        .iter()
        .map(|finding| finding.kind.as_str())
        .collect();
    assert_eq!(kinds, ["reply after logout", "attempt accepted after logout"]);
}

#[test]
fn a_refused_attempt_after_logout_is_fine() {
    let mut story = left_open();
    let op = story.invoke(
        1200,
        Ask {
            conn: OVER,
            ..ask(3, Role::Me)
        },
    );
    story
        .reply(1201, OVER, Some(op), Step::Error, "{}")
        .complete(1201, op, Outcome::Fail("401".into()));
    story.exchange(91, 92, ask(3, Role::Me), "{}");
    valid(&story);
}

#[test]
fn a_connection_after_logout() {
    let mut story = Story::clean();
    story.open(1200, Conn(30), 3, Some(13));
    violated(&story, B, "connection accepted after logout", 3, 3);
}

#[test]
fn a_connection_that_is_shut_out_behind_its_upgrade_is_none() {
    for (served, cause) in [
        (false, CloseCause::ByService),
        (true, CloseCause::ByService),
        (false, CloseCause::ByPlan),
    ] {
        let mut story = Story::clean();
        story.open(1200, Conn(30), 3, Some(13));
        if served {
            story.push(1201, Conn(30), "{}");
        }
        let (conn, code) = (Conn(30), Some(4401));
        story.tell(1202, Fact::Closed { conn, cause, code });
        let judgement = story.judge();
        let mut findings = judgement.findings.iter();
        let accepted = findings.any(|finding| finding.kind == "connection accepted after logout");
        assert_eq!(accepted, served || cause == CloseCause::ByPlan);
    }
}

#[test]
fn the_users_other_session_lives_on() {
    let mut story = Story::clean();
    story.push(1300, crate::story::conn(3), "{}");
    valid(&story);
}

#[test]
fn an_unacknowledged_logout_ends_nothing() {
    let mut story = left_open();
    let during = Interval {
        from: ms(100),
        to: At::NEVER,
    };
    story.change(|fact| {
        if let Fact::Boundary { during: ended, .. } = fact {
            *ended = during;
        }
    });
    story.push(1500, OVER, "{}");
    unknown(&story, B, "no exposure");
}

#[test]
fn an_expiry_ends_a_session() {
    let mut story = left_open();
    story.without(|fact| matches!(fact, Fact::Boundary { .. }));
    let (session, user, kind) = (Session(13), User(3), BoundaryKind::Expiry);
    story.tell(
        100,
        Fact::Boundary {
            session,
            user,
            kind,
            during: span(100, 100),
        },
    );
    story.push(1200, OVER, "{}");
    violated(&story, B, "event after expiry", 3, 3);
}

#[test]
fn of_two_ends_the_first_counts() {
    let mut story = left_open();
    story.logout(13, 3, span(1300, 1301));
    story.push(1200, OVER, "{}");
    violated(&story, B, "event after logout", 3, 3);
}

#[test]
fn content_without_a_session() {
    let mut story = Story::clean();
    story.open(91, Conn(30), 1, None).push(92, Conn(30), "{}");
    violated(&story, B, "content without a session", 1, 1);
}

#[test]
fn content_over_a_refused_connection() {
    let mut story = Story::clean();
    let (user, replica, reason) = (User(1), history::Replica(0), "401".into());
    story.tell(
        91,
        Fact::Refused {
            conn: Conn(30),
            user,
            replica,
            expected: true,
            reason,
        },
    );
    story.push(92, Conn(30), "{}");
    violated(&story, B, "content over a refused connection", 1, 1);
}

#[test]
fn content_before_the_connection_was_accepted() {
    let mut story = Story::clean();
    story.push(9, crate::story::conn(1), "{}");
    violated(&story, B, "content before the connection was accepted", 1, 1);
}

#[test]
fn an_accepted_probe() {
    let mut story = Story::clean();
    story.probe(B, ProbeResult::Accepted);
    violated(&story, B, "probe accepted: session boundary probe", 1, 2);
}

#[test]
fn no_event_after_the_end_proves_nothing() {
    let mut story = Story::clean();
    story.without(|fact| match fact {
        Fact::Inbound(inbound) => inbound.bytes.starts_with(b"{\"ev\"") && inbound.conn.0 > 11,
        _ => false,
    });
    unknown(&story, B, "no exposure");
}

#[test]
fn a_connection_that_the_plan_closed_before_proves_nothing() {
    let mut story = left_open();
    story.close(102, OVER, CloseCause::ByPlan);
    unknown(&story, B, "no exposure");
}

#[test]
fn a_session_that_was_never_served_proves_nothing() {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::Inbound(inbound) if inbound.conn == OVER));
    unknown(&story, B, "no exposure");
}
