//! Room content: who may see it changes while it is on its way.

use history::{Audience, Check, Role, Room};
use isolation::canary::Datum;

use crate::story::{Ask, Story, ask, conn, span, valid, violated};

const KIND: &str = "room message of a room that one is not in";

/// Room 0 is user 0's; user 2 comes in [40, 50] and goes in [200, 300].
fn story() -> Story {
    let mut story = Story::clean();
    story
        .member(0, 2, true, span(40, 50))
        .member(0, 2, false, span(200, 300));
    story
}

/// A post of user 0, written in [from, to], that user 2 is told at `receipt`.
#[track_caller]
fn pushed(from: u64, receipt: u64, allowed: bool) {
    let mut story = story();
    let body = story.mint(0, Audience::Room(Room(0)), Datum::RoomBody);
    let asked = Ask {
        stores: Some(body.serial),
        ..ask(0, Role::PostRoom)
    };
    story.exchange(from, from + 1, asked, "{}");
    story.push(receipt, conn(2), &format!(r#"{{"body":"{}"}}"#, body.long()));
    check(&story, allowed);
}

/// A read of user 2, invoked and answered like this, of a post of user 0 long ago.
#[track_caller]
fn pulled(from: u64, receipt: u64, allowed: bool) {
    let mut story = story();
    let body = story.mint(0, Audience::Room(Room(0)), Datum::RoomBody);
    let read = format!(r#"{{"messages":["{}"]}}"#, body.long());
    story.exchange(from, receipt, ask(2, Role::ReadRoom), &read);
    check(&story, allowed);
}

#[track_caller]
fn check(story: &Story, allowed: bool) {
    if allowed {
        valid(story);
    } else {
        violated(story, Check::Secret, KIND, 2, 0);
    }
}

#[test]
fn a_push_is_for_members_between_write_and_receipt() {
    pushed(60, 61, true);
    pushed(35, 45, true);
    pushed(30, 39, false);
    pushed(250, 260, true);
    pushed(290, 310, true);
    pushed(301, 310, false);
}

#[test]
fn a_pull_is_for_members_between_request_and_receipt() {
    pulled(60, 65, true);
    pulled(30, 39, false);
    pulled(36, 40, true);
    pulled(300, 310, true);
    pulled(301, 310, false);
}

#[test]
fn a_leave_without_acknowledgement_is_uncertain_for_ever() {
    let mut story = Story::clean();
    story.member(0, 2, true, span(40, 50));
    let forever = history::Interval {
        from: crate::story::ms(200),
        to: history::At::NEVER,
    };
    story.member(0, 2, false, forever);
    let body = story.mint(0, Audience::Room(Room(0)), Datum::RoomBody);
    story.push(900, conn(2), &format!(r#"{{"body":"{}"}}"#, body.long()));
    valid(&story);
}

#[test]
fn a_stranger_is_never_entitled() {
    let mut story = Story::clean();
    let body = story.mint(0, Audience::Room(Room(0)), Datum::RoomBody);
    story.push(100, conn(3), &format!(r#"{{"body":"{}"}}"#, body.long()));
    violated(&story, Check::Secret, KIND, 3, 0);
}

#[test]
fn the_creator_is_a_member_from_the_first() {
    let mut story = Story::clean();
    story.room_post(96, 0, 1, &[0, 1]);
    valid(&story);
}

#[test]
fn an_author_who_left_still_knows_its_own_words() {
    let mut story = story();
    let body = story.mint(2, Audience::Room(Room(0)), Datum::RoomBody);
    story.push(400, conn(2), &format!(r#"{{"body":"{}"}}"#, body.long()));
    valid(&story);
}
