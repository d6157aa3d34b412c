//! T and S by the database, and acknowledgements that it does not bear out.

use history::{Audience, Check, Fact, Role, Serial, User};
use isolation::canary::Datum;

use crate::story::{Ask, Story, ask, room_id, tenant_id, thread_id, unknown, user_id, valid, violated};

/// Changes the row that holds a canary.
fn refile(
    story: &mut Story,
    canary: &isolation::canary::Canary,
    change: impl Fn(&mut history::AuditRow<'static>),
) {
    let words = canary.long().into_bytes();
    story.change(|fact| match fact {
        Fact::AuditRow(row) if *row.body == *words => change(row),
        _ => {}
    });
}

#[test]
fn words_in_anothers_thread_violate_t_and_s() {
    let mut story = Story::clean();
    let secret = story.post(80, 1);
    refile(&mut story, &secret, |row| row.owner = Some(user_id(2).into()));
    violated(&story, Check::Thread, "row in another user's thread", 2, 1);
    violated(&story, Check::Secret, "row in another user's thread", 2, 1);
}

#[test]
fn words_under_another_author() {
    let mut story = Story::clean();
    let secret = story.post(80, 1);
    refile(&mut story, &secret, |row| row.author = user_id(0).into());
    violated(&story, Check::Secret, "row under another author", 0, 1);
}

#[test]
fn words_in_another_tenant() {
    let mut story = Story::clean();
    let secret = story.post(80, 1);
    refile(&mut story, &secret, |row| row.tenant = tenant_id(1).into());
    violated(&story, Check::Secret, "row in another tenant", 1, 1);
}

#[test]
fn words_in_another_room() {
    let mut story = Story::clean();
    let body = story.room_post(80, 0, 1, &[0, 1]);
    refile(&mut story, &body, |row| row.container = room_id(1).into());
    violated(&story, Check::Secret, "row in another room", 1, 1);
}

#[test]
fn a_derived_reply_belongs_to_its_threads_owner_and_has_no_author() {
    let mut story = Story::clean();
    let nonce = story.mint(1, Audience::Owner, Datum::Nonce);
    story.audit_row(1, 1, &nonce);
    let derive = |row: &mut history::AuditRow<'static>| {
        row.derived = true;
        row.author = thread_id(99).into();
    };
    refile(&mut story, &nonce, derive);
    valid(&story);
    refile(&mut story, &nonce, |row| row.owner = Some(user_id(3).into()));
    violated(&story, Check::Thread, "row in another user's thread", 3, 1);
}

#[test]
fn an_incomplete_audit_proves_nothing() {
    let mut story = Story::clean();
    story.tell(
        1600,
        Fact::AuditEnd {
            rows: 5,
            complete: false,
        },
    );
    unknown(&story, Check::Secret, "the audit could not read all rows");
    unknown(&story, Check::Thread, "the audit could not read all rows");
    assert_eq!(story.judge().lost_acks, None);
}

#[test]
fn what_was_acknowledged_is_in_the_database() {
    assert_eq!(Story::clean().judge().lost_acks.unwrap().count, 0);
}

#[test]
fn a_lost_acknowledgement_is_named() {
    let mut story = Story::clean();
    let lost = story.post(80, 1);
    let words = lost.long().into_bytes();
    story.without(|fact| matches!(fact, Fact::AuditRow(row) if *row.body == *words));
    let lost_acks = story.judge().lost_acks.unwrap();
    assert_eq!(lost_acks.count, 1);
    assert_eq!(
        (lost_acks.named[0].user, lost_acks.named[0].serial),
        (User(1), lost.serial)
    );
}

#[test]
fn what_was_not_acknowledged_is_not_missed() {
    let mut story = Story::clean();
    let op = story.invoke(
        80,
        Ask {
            stores: Some(Serial(777)),
            ..ask(1, Role::Post)
        },
    );
    story.complete(90, op, history::Outcome::Info("no answer in time".into()));
    assert_eq!(story.judge().lost_acks.unwrap().count, 0);
}

#[test]
fn a_derived_row_does_not_stand_for_the_message() {
    let mut story = Story::clean();
    let secret = story.post(80, 1);
    refile(&mut story, &secret, |row| row.derived = true);
    assert_eq!(story.judge().lost_acks.unwrap().count, 1);
}

#[test]
fn without_an_audit_nothing_is_known_of_acknowledgements() {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::AuditEnd { .. }));
    assert_eq!(story.judge().lost_acks, None);
}
