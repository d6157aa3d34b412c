//! The reference service that Crosstalk ships (`crates/reference/PROTOCOL.md`).

use std::collections::BTreeMap;
use std::time::Duration;

use history::{Audience, Check};

use super::{Action, AuditSource, Dialect, Effect, Exchange, Greeting, HttpPaths, OpShape, Profile, Verb};
use crate::codec::{Envelope, Framing, Slot, Template};

impl Profile {
    /// The reference service.
    #[must_use]
    pub fn reference() -> Self {
        Self {
            name: "reference".to_owned(),
            http: http(),
            dialects: vec![current(), legacy()],
            revocation_grace: Duration::from_secs(1),
            identity_audience: Audience::OwnTenant,
            text_channels: true,
            not_applicable: Vec::new(),
            situations: situations(),
            audit: Some(AuditSource {
                sql: AUDIT.to_owned(),
            }),
        }
    }
}

const AUDIT: &str = "\
select 'message' as \"table\", thread_id as container, owner_id as owner, author_id as author, tenant_id as tenant,
       role = 'agent' as derived, body
  from messages
union all
select 'room message', room_id, null, author_id, tenant_id, false, body from room_messages
union all
select 'room note', room_id, null, author_id, tenant_id, false, note from room_messages where note is not null
union all
select 'thread', thread_id, owner_id, owner_id, tenant_id, false, title from threads";

fn situations() -> Vec<(String, Vec<Check>)> {
    [
        ("create_overlap", Check::Thread),
        ("verifier_warm_other_user", Check::Token),
        ("cache_equal_arguments", Check::Secret),
        ("mixed_rights_fanout", Check::Secret),
        ("equal_request_id_in_flight", Check::Response),
        ("cancelled_reply", Check::Response),
        ("presence_foreign_socket", Check::UserId),
        ("after_revocation", Check::Boundary),
        ("resumed", Check::Boundary),
    ]
    .map(|(name, check)| (name.to_owned(), vec![check]))
    .into()
}

fn http() -> HttpPaths {
    let tokens: &[(Slot, &str)] = &[
        (Slot::AccessToken, "/access_token"),
        (Slot::RefreshToken, "/refresh_token"),
        (Slot::LifeS, "/expires_in_s"),
        (Slot::Session, "/session_id"),
        (Slot::User, "/user_id"),
        (Slot::Tenant, "/tenant_id"),
    ];
    let login = r#"{"email":${email},"password":${password}}"#;
    let short = r#"{"email":${email},"password":${password},"ttl_s":${life-s}}"#;
    let register = r#"{"email":${email},"password":${password},"name":${name},"tenant":${tenant-slug},"tenant_key":${tenant-key}}"#;
    HttpPaths {
        register: post(
            "/register",
            Some(register),
            &[(Slot::User, "/user_id"), (Slot::Tenant, "/tenant_id")],
        ),
        login: post("/login", Some(login), tokens),
        login_short: Some(post("/login", Some(short), tokens)),
        me: Exchange {
            verb: Verb::Get,
            path: "/me".to_owned(),
            body: None,
            bearer: true,
            holds: holds(&[(Slot::User, "/user_id"), (Slot::Session, "/session_id")]),
        },
        refresh: Some(post(
            "/refresh",
            Some(r#"{"refresh_token":${refresh-token}}"#),
            tokens,
        )),
        logout: Some(Exchange {
            bearer: true,
            ..post("/logout", None, &[])
        }),
        key_set: Some(Exchange {
            verb: Verb::Get,
            ..post("/.well-known/jwks.json", None, &[(Slot::KeySet, "")])
        }),
    }
}

fn post(path: &str, body: Option<&str>, answer: &[(Slot, &str)]) -> Exchange {
    Exchange {
        verb: Verb::Post,
        path: path.to_owned(),
        body: body.map(template),
        bearer: false,
        holds: holds(answer),
    }
}

fn current() -> Dialect {
    Dialect {
        subprotocol: Some("chat.v2".to_owned()),
        path: "/ws".to_owned(),
        credentials: ("Authorization".to_owned(), "Bearer ".to_owned()),
        framing: Framing::Chat(Envelope::ByMember),
        hello: None,
        greeting: Some(greeting()),
        ops: ops("op"),
    }
}

fn legacy() -> Dialect {
    Dialect {
        subprotocol: Some("chat.v1".to_owned()),
        framing: Framing::Chat(Envelope::ByType),
        hello: Some(template(r#"{"type":"hello","user":${user}}"#)),
        ops: ops("type"),
        ..current()
    }
}

fn greeting() -> Greeting {
    Greeting {
        kind: "hello".to_owned(),
        holds: holds(&[
            (Slot::User, "/user_id"),
            (Slot::Session, "/session_id"),
            (Slot::Resume, "/resume"),
        ]),
    }
}

/// An op's name, its arguments, and what stands in its answer.
type Row = (
    Action,
    &'static str,
    &'static [(&'static str, Slot)],
    &'static [(Slot, &'static str)],
);

const OPS: [Row; 24] = [
    (
        Action::WhoAmI,
        "whoami",
        &[],
        &[(Slot::User, "/user_id"), (Slot::Session, "/session_id")],
    ),
    (
        Action::CreateThread,
        "thread.create",
        &[("title", Slot::Title)],
        &[(Slot::Thread, "/thread_id")],
    ),
    (Action::ListThreads, "thread.list", &[], &[]),
    (Action::FindThread, "thread.find", &[("title", Slot::Title)], &[]),
    (
        Action::ReadThread,
        "thread.read",
        &[("thread_id", Slot::Thread), ("after", Slot::After)],
        &[(Slot::Position, "/messages/-1/seq")],
    ),
    (
        Action::SubscribeThread,
        "thread.subscribe",
        &[("thread_id", Slot::Thread)],
        &[],
    ),
    (
        Action::Post,
        "message.post",
        &[
            ("thread_id", Slot::Thread),
            ("body", Slot::Body),
            ("nonce", Slot::Nonce),
        ],
        &[(Slot::Position, "/seq")],
    ),
    (
        Action::Cancel,
        "cancel",
        &[("request", Slot::Request)],
        &[(Slot::Done, "/cancelled")],
    ),
    (
        Action::CreateRoom,
        "room.create",
        &[("name", Slot::Name)],
        &[(Slot::Room, "/room_id")],
    ),
    (Action::ListRooms, "room.list", &[], &[]),
    (
        Action::AddMember,
        "room.add",
        &[("room_id", Slot::Room), ("user_id", Slot::User)],
        &[],
    ),
    (
        Action::RemoveMember,
        "room.remove",
        &[("room_id", Slot::Room), ("user_id", Slot::User)],
        &[],
    ),
    (
        Action::SubscribeRoom,
        "room.subscribe",
        &[("room_id", Slot::Room)],
        &[],
    ),
    (
        Action::PostRoom,
        "room.post",
        &[
            ("room_id", Slot::Room),
            ("body", Slot::Body),
            ("note", Slot::Note),
        ],
        &[(Slot::Position, "/seq")],
    ),
    (
        Action::ReadRoom,
        "room.read",
        &[("room_id", Slot::Room), ("after", Slot::After)],
        &[(Slot::Position, "/messages/-1/seq")],
    ),
    (Action::Presence, "presence.set", &[("status", Slot::Status)], &[]),
    (Action::Typing, "typing", &[("room_id", Slot::Room)], &[]),
    (Action::LookUp, "user.get", &[("user_id", Slot::User)], &[]),
    (
        Action::Resume,
        "resume",
        &[("resume", Slot::Resume), ("after", Slot::After)],
        &[],
    ),
    (Action::Snapshot, "snapshot", &[], &[]),
    (
        Action::PostHastily,
        "message.post",
        &[
            ("thread_id", Slot::Thread),
            ("body", Slot::Body),
            ("nonce", Slot::Nonce),
            ("wait_ms", Slot::WaitMs),
        ],
        &[(Slot::Position, "/seq")],
    ),
    // what no honest client says: the argument that names another is to be ignored or refused
    (
        Action::ListThreadsOf,
        "thread.list",
        &[("user_id", Slot::User)],
        &[],
    ),
    (
        Action::SubscribeRoomAs,
        "room.subscribe",
        &[
            ("room_id", Slot::Room),
            ("user", Slot::User),
            ("user_id", Slot::User),
        ],
        &[],
    ),
    (
        Action::WhoAmIWith,
        "whoami",
        &[("token", Slot::AccessToken)],
        &[(Slot::User, "/user_id")],
    ),
];

/// The ops, in the envelope whose member `key` names the op.
fn ops(key: &str) -> BTreeMap<Action, OpShape> {
    OPS.iter().map(|row| (row.0, shape(key, row))).collect()
}

fn shape(key: &str, (action, name, arguments, answer): &Row) -> OpShape {
    let arguments: String = arguments
        .iter()
        .map(|(member, slot)| format!(r#","{member}":${{{}}}"#, slot.name()))
        .collect();
    OpShape {
        frame: template(&format!(r#"{{"id":${{id}},"{key}":"{name}"{arguments}}}"#)),
        holds: holds(answer),
        stores: matches!(action, Action::Post | Action::PostHastily | Action::PostRoom),
        effect: match action {
            Action::CreateRoom => Some(Effect::Founds),
            Action::AddMember => Some(Effect::Joins),
            Action::RemoveMember => Some(Effect::Leaves),
            _ => None,
        },
    }
}

fn holds(pairs: &[(Slot, &str)]) -> Vec<(Slot, String)> {
    pairs
        .iter()
        .map(|(slot, pointer)| (*slot, (*pointer).to_owned()))
        .collect()
}

fn template(frame: &str) -> Template {
    Template::parse(frame).expect("the frames of this file have known slots only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Values;

    #[track_caller]
    fn check(dialect: &Dialect, action: Action, values: Values, expect: &str) {
        let values = values.with(Slot::Id, "1");
        let frame = &dialect.ops[&action].frame;
        assert_eq!(dialect.framing.codec().encode(frame, &values).unwrap(), expect);
    }

    #[test]
    fn frames_are_those_of_the_protocol() {
        let (current, legacy) = (current(), legacy());
        check(
            &current,
            Action::WhoAmI,
            Values::new(),
            r#"{"id":"1","op":"whoami"}"#,
        );
        check(
            &legacy,
            Action::WhoAmI,
            Values::new(),
            r#"{"id":"1","type":"whoami"}"#,
        );
        let post = Values::new()
            .with(Slot::Thread, "t")
            .with(Slot::Body, "b\"")
            .with(Slot::Nonce, "n");
        check(
            &current,
            Action::Post,
            post,
            r#"{"id":"1","op":"message.post","thread_id":"t","body":"b\"","nonce":"n"}"#,
        );
        let read = Values::new().with(Slot::Thread, "t").with(Slot::After, "0");
        check(
            &legacy,
            Action::ReadThread,
            read,
            r#"{"id":"1","type":"thread.read","thread_id":"t","after":0}"#,
        );
    }

    #[test]
    fn every_action_has_a_frame_in_every_dialect() {
        let profile = Profile::reference();
        for dialect in &profile.dialects {
            assert_eq!(dialect.ops.len(), OPS.len());
            assert!(
                dialect
                    .ops
                    .values()
                    .all(|op| op.frame.slots().next() == Some(Slot::Id))
            );
        }
    }
}
