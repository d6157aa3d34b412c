//! T: thread conflict.

use history::{Check, Fact, ProbeResult, Role};

use crate::story::{Ask, Story, ask, conn, room_id, span, thread_id, unknown, valid, violated};

const T: Check = Check::Thread;

#[test]
fn one_id_for_two_owners() {
    let mut story = Story::clean();
    story.create_thread(22, 3, 0);
    let finding = violated(&story, T, "one thread id for two owners", 3, 0);
    assert_eq!(finding.conn, Some(conn(3)));
    assert_eq!(finding.detail, "user 0 got it first, over connection 10");
}

#[test]
fn one_id_for_everybody_names_everybody_but_the_first() {
    let mut story = Story::clean();
    story.change(|fact| {
        if let Fact::ThreadIssued(issued) = fact {
            issued.thread_id = thread_id(0).into();
        }
    });
    let judgement = story.judge();
    let observers: Vec<_> = judgement
        .findings
        .iter()
        .map(|finding| finding.observer.0)
        .collect();
    assert_eq!((observers, judgement.verdict(T).violations), (vec![1, 2, 3], 3));
}

#[test]
fn a_second_thread_of_one_owner_is_fine() {
    let mut story = Story::clean();
    story.create_thread(40, 2, 50);
    valid(&story);
}

#[test]
fn another_owners_id_in_bytes() {
    let mut story = Story::clean();
    let listed = format!(
        r#"{{"threads":[{{"thread_id":"{}"}}]}}"#,
        thread_id(2).to_uppercase()
    );
    story.exchange(91, 92, ask(1, Role::ListThreads), &listed);
    violated(&story, T, "thread id of another user", 1, 2);
}

#[test]
fn an_id_that_the_connection_sent_is_no_evidence() {
    let mut story = Story::clean();
    let named = Ask {
        names: vec![thread_id(2)],
        ..ask(1, Role::ReadThread)
    };
    story.exchange(
        91,
        92,
        named,
        &format!(r#"{{"error":"no thread {}"}}"#, thread_id(2)),
    );
    valid(&story);
}

/// Room 0 is user 0's and user 1's; user 2 comes in [40, 50], and is told the room's id at `at`.
#[track_caller]
fn listed(at: u64, expect: &[(u32, u32)]) {
    let mut story = Story::clean();
    story.member(0, 2, true, span(40, 50));
    let rooms = format!(r#"{{"rooms":[{{"room_id":"{}"}}]}}"#, room_id(0));
    story.exchange(at - 1, at, ask(2, Role::ListRooms), &rooms);
    let judgement = story.judge();
    let kind = "room id of a room that one is not in";
    let of_rooms = judgement.findings.iter().filter(|finding| finding.kind == kind);
    let people = of_rooms.map(|finding| (finding.observer.0, finding.victim.map_or(99, |user| user.0)));
    let people: Vec<_> = people.collect();
    assert_eq!(people, expect);
    assert_eq!(judgement.verdict(T).violations, expect.len() as u64);
}

#[test]
fn a_room_that_is_shown_to_a_stranger_is_each_members() {
    listed(39, &[(2, 0), (2, 1)]);
    listed(40, &[]);
    listed(400, &[]);
}

#[test]
fn another_owners_title() {
    let mut story = Story::clean();
    let title = story.mint(2, history::Audience::Owner, isolation::canary::Datum::Title);
    story.exchange(
        91,
        92,
        ask(1, Role::FindThread),
        &format!(r#"{{"title":"{}"}}"#, title.short()),
    );
    violated(&story, T, "thread title of another user", 1, 2);
}

#[test]
fn an_accepted_probe() {
    let mut story = Story::clean();
    story.probe(T, ProbeResult::Accepted);
    let finding = violated(&story, T, "probe accepted: thread conflict probe", 1, 2);
    assert_eq!(finding.detail, "not_found");
    assert_eq!(story.judge().probes.refused, 6);
}

#[test]
fn creates_one_after_another_prove_nothing() {
    let mut story = Story::empty();
    story.begin(2);
    for user in 0..2 {
        story.account(user).open(10, conn(user), user, Some(user));
        story.create_thread(20 + u64::from(user) * 10, user, user);
    }
    story.end(100);
    unknown(&story, T, "no exposure");
}
