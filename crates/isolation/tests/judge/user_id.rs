//! U: user-id leakage.

use history::{Audience, Check, Fact, ProbeResult, Role, Tenant};
use isolation::canary::Datum;

use crate::story::{Ask, Story, ask, conn, tenant_id, unknown, user_id, valid, violated};

const U: Check = Check::UserId;

#[test]
fn an_id_from_another_tenant() {
    let mut story = Story::clean();
    story.push(
        91,
        conn(1),
        &format!(r#"{{"user_id":"{}"}}"#, user_id(2).replace('-', "")),
    );
    let finding = violated(&story, U, "user id of another user", 1, 2);
    assert_eq!(finding.detail, "the id of user 2");
}

#[test]
fn an_id_split_over_deltas() {
    for ends in [true, false] {
        let mut story = Story::clean();
        let op = story.invoke(91, ask(1, Role::Post));
        for (at, piece) in user_id(2).as_bytes().chunks(7).enumerate() {
            story.delta(92 + at as u64, conn(1), op, std::str::from_utf8(piece).unwrap());
        }
        if ends {
            story
                .done(99, conn(1), op, "{}")
                .complete(99, op, history::Outcome::Ok);
        }
        violated(&story, U, "user id of another user", 1, 2);
    }
}

#[test]
fn an_id_from_ones_own_tenant_is_as_the_policy_says() {
    let mut story = Story::clean();
    story.push(91, conn(1), &format!(r#"{{"user_id":"{}"}}"#, user_id(0)));
    valid(&story);
    story.header(|header| header.identity_audience = Audience::Owner);
    violated(&story, U, "user id of another user", 1, 0);
}

#[test]
fn the_id_of_another_tenant() {
    let mut story = Story::clean();
    story.push(91, conn(1), &format!(r#"{{"tenant_id":"{}"}}"#, tenant_id(1)));
    violated(&story, U, "id of another tenant", 1, None);
}

#[test]
fn an_e_mail_from_another_tenant() {
    let mut story = Story::clean();
    let email = story.mint(2, Audience::Tenant(Tenant(1)), Datum::Email).short();
    story.push(91, conn(3), &format!(r#"{{"email":"{email}@example.com"}}"#));
    valid(&story);
    story.push(92, conn(1), &format!(r#"{{"email":"{email}@example.com"}}"#));
    violated(&story, U, "e-mail of another user", 1, 2);
}

#[test]
fn a_name_from_another_tenant() {
    let mut story = Story::clean();
    let name = story.mint(2, Audience::Tenant(Tenant(1)), Datum::Name).short();
    story.push(91, conn(1), &format!(r#"{{"name":"{name}"}}"#));
    violated(&story, U, "name of another user", 1, 2);
}

#[test]
fn an_id_that_the_connection_sent_is_no_evidence() {
    let mut story = Story::clean();
    let named = Ask {
        names: vec![user_id(2)],
        probe: true,
        ..ask(1, Role::LookUp)
    };
    story.exchange(91, 92, named, &format!(r#"{{"unknown":"{}"}}"#, user_id(2)));
    valid(&story);
}

#[test]
fn an_e_mail_within_what_the_connection_sent_is_no_evidence() {
    let mut story = Story::clean();
    let email = story.mint(2, Audience::Tenant(Tenant(1)), Datum::Email).short();
    let other = story.mint(3, Audience::Tenant(Tenant(1)), Datum::Email).short();
    let named = Ask {
        names: vec![format!("/u/{email}/t1")],
        probe: true,
        ..ask(1, Role::Subscribe)
    };
    story.exchange(91, 92, named, &format!(r#"{{"forbidden":"/u/{email}/t1"}}"#));
    valid(&story);
    // over another connection, and of another user, it is
    let mut elsewhere = story.clone();
    elsewhere.push(93, conn(0), &email);
    violated(&elsewhere, U, "e-mail of another user", 0, 2);
    story.push(93, conn(1), &other);
    violated(&story, U, "e-mail of another user", 1, 3);
}

#[test]
fn ones_own_id_counts_as_seen_though_one_sent_it() {
    let mut story = Story::clean();
    let told = |fact: &Fact<'_>| match fact {
        Fact::Inbound(inbound) => String::from_utf8_lossy(&inbound.bytes).contains(&user_id(2)),
        _ => false,
    };
    story.without(told);
    let named = Ask {
        names: vec![user_id(2)],
        ..ask(2, Role::LookUp)
    };
    story.exchange(91, 92, named, &format!(r#"{{"user_id":"{}"}}"#, user_id(2)));
    valid(&story);
}

#[test]
fn one_id_for_two_users() {
    let mut story = Story::clean();
    story.change(|fact| match fact {
        Fact::Account(account) if account.user.0 == 3 => account.user_id = user_id(2).into(),
        _ => {}
    });
    let judgement = story.judge();
    let conflict = judgement
        .findings
        .iter()
        .find(|finding| finding.kind == "one user id for two users")
        .unwrap();
    assert_eq!(
        (conflict.observer.0, conflict.victim.map(|user| user.0)),
        (3, Some(2))
    );
}

#[test]
fn an_accepted_probe() {
    let mut story = Story::clean();
    story.probe(U, ProbeResult::Accepted);
    violated(&story, U, "probe accepted: user-id leakage probe", 1, 2);
}

#[test]
fn a_user_who_never_saw_its_own_id() {
    let mut story = Story::clean();
    let tells = |fact: &Fact<'_>| match fact {
        Fact::Inbound(inbound) => String::from_utf8_lossy(&inbound.bytes).contains(&user_id(2)),
        _ => false,
    };
    story.without(tells);
    unknown(&story, U, "user 2 never saw its own id or e-mail come back");
}

#[test]
fn one_tenant_alone_proves_nothing() {
    let mut story = Story::clean();
    story.change(|fact| {
        if let Fact::Account(account) = fact {
            account.tenant = Tenant(0);
            account.tenant_id = tenant_id(0).into();
        }
    });
    unknown(&story, U, "no exposure");
}

#[test]
fn ids_that_are_no_uuids_are_not_found() {
    let mut story = Story::clean();
    story.change(|fact| {
        if let Fact::Account(account) = fact {
            account.user_id = format!("u{}", account.user.0).into();
        }
    });
    unknown(&story, U, "no UUIDs");
}

#[test]
fn a_user_without_an_account_cannot_be_judged() {
    let mut story = Story::clean();
    story.without(|fact| matches!(fact, Fact::Account(account) if account.user.0 == 1));
    story.push(91, conn(1), &format!(r#"{{"user_id":"{}"}}"#, user_id(2)));
    unknown(&story, U, "what user 1 saw cannot be judged");
}
