use proptest::prelude::*;

use super::*;
use crate::codec::{Framing, Slot, Values};
use crate::profile::{Accounts, Action, Ready};

mod binary;
mod told;

/// A small service's profile, whole and good.
const NOTES: &str = r#"
name = "notes"

[reach]
http = "http://127.0.0.1:8000"
web-sockets = ["ws://127.0.0.1:8000"]

[http]
register = { post = "/users", body = '{"name":${handle},"password":${password}}', answer = { user = "/id" } }
login = { post = "/login", body = '{"name":${handle},"password":${password}}', answer = { access-token = "/token" } }
me = { get = "/me", bearer = true, answer = { user = "/id" } }

[[dialect]]
path = "/ws?token=${access-token}"

[dialect.framing.json]
rules = [
    { when = { "/error" = true }, error = { id = "/rid", code = "/error/name" } },
    { when = { "/rid" = true }, reply = { id = "/rid", content = "/data" } },
    { event = { kind = "/event" } },
]

[dialect.ops]
post = { frame = '{"cid":${id:bare},"op":"add","text":${body}}' }
list-threads = { frame = '{"cid":${id:bare},"op":"list"}' }
create-thread = { frame = '{"cid":${id:bare},"op":"new","title":${title}}', answer = { thread = "/id" } }

[unseen]
database = "it is not ours to read"
thread-ids = "they count from 1"
user-ids = "they count from 1"

[absent]
find-thread = "notes are not searched"
read-thread = "the list has their content"
subscribe-thread = "nothing is pushed"
who-am-i = "the HTTP side says it"
rooms = "nobody shares anything"
presence = "nobody is told of anybody"
look-up = "users are not shown"
cancel = "answers come at once"
resume = "nothing is pushed that could be missed"
snapshot = "the list is all there is"
refresh = "tokens live for a day"
logout = "tokens are not revoked"
login-short = "tokens have one life"
"#;

fn parse(text: &str) -> Result<TargetFile, ProfileError> {
    TargetFile::parse("my.toml", text, Path::new("/nowhere"))
}

#[test]
fn a_small_service() {
    let target = parse(NOTES).unwrap_or_else(|error| panic!("{error}"));
    let profile = &target.profile;
    assert_eq!((profile.name.as_str(), profile.absent.len()), ("notes", 13));
    assert!(matches!(profile.accounts, Accounts::Register { max: None }));
    assert_eq!(
        target.reach.map(|reach| reach.web_sockets),
        Some(vec!["ws://127.0.0.1:8000".to_owned()])
    );
    let dialect = &profile.dialects[0];
    assert_eq!(
        (dialect.proof(), dialect.admits_by_handshake()),
        (Some(Action::ListThreads), false)
    );
    assert!(matches!(&dialect.framing, Framing::Json(rules) if rules.rules.len() == 3));
    let values = Values::new().with(Slot::Id, "7").with(Slot::Body, "a\"b");
    let post = dialect.ops[&Action::Post].frame.json(&values).unwrap();
    assert_eq!(post, r#"{"cid":7,"op":"add","text":"a\"b"}"#);
}

#[test]
fn services_of_ones_own() {
    let started = NOTES.replace(
        "[reach]",
        r#"
[[service]]
name = "database"
command = ["migrate", "--url", "${postgres}"]
postgres = true
ready = { ended = true }

[[service]]
name = "web"
command = ["python3", "notes.py", "${port:web}"]
env = { LEVEL = "info" }
after = ["database"]
ready = { http = "http://127.0.0.1:${port:web}/health" }
ready-within-ms = 5000

[reach]"#,
    );
    let target = parse(&started).unwrap_or_else(|error| panic!("{error}"));
    let [database, web] = &target.services[..] else {
        panic!("{:?}", target.services)
    };
    assert!(database.postgres && database.ready == Ready::Ended);
    assert_eq!(
        (web.after.as_slice(), web.folder.as_path()),
        (&["database".to_owned()][..], Path::new("/nowhere/"))
    );
    assert_eq!(web.ready_within.as_millis(), 5_000);
}

#[test]
fn users_without_tokens() {
    let (before, after) = NOTES.split_once("[http]").unwrap();
    let (_, after) = after.split_once("[[dialect]]").unwrap();
    let named =
        format!("{before}[users]\ntokens = false\n\n[[dialect]]{after}\nme = \"nothing is asked over HTTP\"")
            .replace("?token=${access-token}", "?user=${handle}");
    let profile = parse(&named).unwrap_or_else(|error| panic!("{error}")).profile;
    assert!(matches!(profile.accounts, Accounts::Unregistered { max: None }));
    assert!(!profile.has_tokens() && !profile.dialects[0].asks_for_proof());
}

#[test]
fn users_from_a_list() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("users.csv"),
        "handle,password,user\nann,\"a,b\",1\nbob , c, 2\n",
    )
    .unwrap();
    let register = NOTES.lines().find(|line| line.starts_with("register")).unwrap();
    let listed = NOTES
        .replace(register, "")
        .replace("[http]", "[users]\nlist = 'users.csv'\n\n[http]");
    let target =
        TargetFile::parse("my.toml", &listed, folder.path()).unwrap_or_else(|error| panic!("{error}"));
    let Accounts::List(users) = target.profile.accounts else {
        panic!("listed");
    };
    let of = |slot| {
        users
            .iter()
            .map(|user| user.values.get(slot).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Slot::Password), ["a,b", "c"]);
    assert_eq!(of(Slot::User), ["1", "2"]);
    assert_eq!(format!("{:?}", users[0]), r#"["user", "password", "handle"]"#);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let bad = NOTES.replace("${body}", "${bdy}").replace("rooms =", "room =");
    let ProfileError::Mistaken(mistakes) = parse(&bad).unwrap_err() else {
        panic!("mistakes");
    };
    let keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys.len(), 3, "{mistakes:#?}");
}

#[test]
fn the_schema_names_every_op() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let ops = &schema["$defs"]["Ops"]["properties"];
    for (action, _) in super::ops::KEYS {
        assert!(ops[action.name()].is_object(), "{}", action.name());
    }
    assert_eq!(schema["title"], "Crosstalk target profile");
}

const DOCS: &str = include_str!("../../../../../docs/targets.md");

/// All names of keys, however deep.
fn keys(schema: &serde_json::Value, names: &mut std::collections::BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(members) => {
            if let Some(properties) = schema["properties"].as_object() {
                names.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| keys(member, names));
        }
        serde_json::Value::Array(elements) => elements.iter().for_each(|element| keys(element, names)),
        _ => {}
    }
}

#[test]
fn every_key_is_documented() {
    let mut names = std::collections::BTreeSet::new();
    keys(&serde_json::from_str(&schema()).unwrap(), &mut names);
    let ops: Vec<_> = super::ops::KEYS.iter().map(|(action, _)| action.name()).collect();
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !DOCS.contains(name.as_str()) && !ops.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "docs/targets.md does not mention {missing:?}");
    assert!(names.len() > 60, "{names:?}");
}

#[test]
fn the_documented_handshake_is_one() {
    let example = DOCS
        .split("```toml")
        .find(|block| block.contains("handshake = ["))
        .unwrap();
    let example = example.split("```").next().unwrap();
    let (before, after) = NOTES.split_once("[[dialect]]").unwrap();
    let (_, ops) = after.split_once("[dialect.ops]").unwrap();
    let target =
        parse(&format!("{before}{example}\n[dialect.ops]{ops}")).unwrap_or_else(|error| panic!("{error}"));
    let dialect = &target.profile.dialects[0];
    assert!(dialect.admits_by_handshake());
    let decode = |message: &str| {
        let (mut codec, mut back) = (dialect.framing.codec(), Vec::new());
        let items = codec.decode(message.as_bytes(), &mut back).len();
        let [rule] = *codec.taken_by() else {
            panic!("one item")
        };
        (items, back.len(), rule)
    };
    assert_eq!(decode(r#"{"type":"ping"}"#), (1, 1, Some(1)));
    assert_eq!(decode(r#"{"type":"auth","status":"ok"}"#), (1, 0, Some(2)));
    assert_eq!(decode(r#"{"type":"auth","status":"error"}"#), (1, 0, Some(3)));
    assert_eq!(decode(r#"{"rid":7,"data":{}}"#), (1, 0, Some(6)));
    assert_eq!(decode(""), (1, 1, None));
}

/// What is wrong with a profile whose one dialect is `dialect`, but for what is not said of the rest of the service.
fn wrong_in(dialect: &str) -> Vec<String> {
    let (before, _) = NOTES.split_once("[[dialect]]").unwrap();
    let Err(ProfileError::Mistaken(mistakes)) = parse(&format!("{before}{dialect}")) else {
        return Vec::new();
    };
    let elsewhere = ["there has to be a `post`", "needs a `create-thread`"];
    let told = mistakes
        .iter()
        .filter(|mistake| mistake.line.is_some())
        .map(|mistake| format!("{}: {}", mistake.key, mistake.message));
    told.filter(|what| !elsewhere.iter().any(|other| what.contains(other)))
        .collect()
}

#[test]
fn every_documented_framing_is_one() {
    let (_, framings) = DOCS.split_once("### Framing\n").unwrap();
    let blocks = framings.split("```toml\n").skip(1);
    let blocks: Vec<_> = blocks.filter_map(|block| block.split("```").next()).collect();
    // each framing, and then protocols in short
    let known = [
        "json",
        "graphql-transport-ws",
        "wamp",
        "socket-io",
        "stomp",
        "text",
        "binary",
        "mqtt",
        "says",
        "/ws/rooms/",
        "pusher",
        "phx_join",
        "/meta/handshake",
        "actioncable",
        "invocationId",
    ];
    assert_eq!(blocks.len(), known.len());
    for (block, known) in blocks.into_iter().zip(known) {
        assert!(block.contains(known), "{known}: {block}");
        let dialect = match block.contains("[dialect.ops") {
            true => block.to_owned(),
            false => format!("{block}\n[dialect.ops]\n"),
        };
        assert_eq!(wrong_in(&dialect), Vec::<String>::new(), "{known}");
    }
}

const SPOKEN: &str = "[[dialect]]\npath = '/'\n";

#[test]
fn mistakes_in_framings() {
    let post = |framing: &str, post: &str| format!("{SPOKEN}{framing}\n[dialect.ops]\npost = {{ {post} }}\n");
    let io = "framing = { socket-io = { rules = [{ reply = { id = '/id' } }] } }";
    let stomp = "framing = { stomp = { rules = [{ reply = { id = '/headers/receipt-id' } }] } }";
    let text = |more: &str, rules: &str| {
        format!("framing = {{ text = {{ {more}rules = [{rules}, {{ reply = {{ oldest = true }} }}] }} }}")
    };
    let told = [
        post(io, r#"frame = '["add",${id},${body}]'"#),
        post(io, r#"frame = '42["add",${body}]'"#),
        post(stomp, r#"frame = "SEND\nto:x\nreceipt:${id}${body}""#),
        post(
            &text("patterns = ['(']\n, ", "{ heartbeat = {} }").replace('\n', ""),
            "frame = '${body}'",
        ),
        post(
            &text(r"patterns = ['^(?<length>\d+)$'], ", "{ heartbeat = {} }"),
            "frame = '${body}'",
        ),
        post(&text("ends = '', ", "{ heartbeat = {} }"), "frame = '${body}'"),
        post(&text("", "{ error = { code = '/text' } }"), "frame = '${body}'"),
        post(
            &text("", "{ ack = { prefix = 's', oldest = true } }"),
            "frame = '${body}'",
        ),
        post(
            &text("", "{ when = { '/text' = { begin = 's' } }, heartbeat = {} }"),
            "frame = '${body}'",
        ),
        post(&text("", "{ heartbeat = {} }"), "frame = 'no body'"),
        post(
            &text("", "{ heartbeat = {} }"),
            "frame = '${body}', make = { thread = '${my-handle}' }",
        ),
        post(
            &text("", "{ heartbeat = {} }"),
            "frame = '${body}', then = ['${my-handel}']",
        ),
        post(
            &format!(
                "heartbeat = {{ send = '${{id}}', every-ms = 1 }}\n{}",
                text("", "{ heartbeat = {} }")
            ),
            "frame = '${body}'",
        ),
    ];
    let told = told.map(|dialect| wrong_in(&dialect).join("\n"));
    insta::assert_snapshot!(told.join("\n\n"));
}

proptest! {
    /// A cut or a changed letter is a profile or a list of mistakes, each in a line that there is.
    #[test]
    fn mangled_profiles_are_told(at in 0..NOTES.len(), with in "[ -~\\n]{0,3}", cut: bool) {
        prop_assume!(NOTES.is_char_boundary(at));
        let rest = if cut { "" } else { &NOTES[(at + 1).min(NOTES.len())..] };
        let text = format!("{}{with}{rest}", &NOTES[..at]);
        if let Err(ProfileError::Mistaken(mistakes)) = parse(&text) {
            let lines = text.lines().count() + 1;
            prop_assert!(!mistakes.is_empty());
            prop_assert!(mistakes.iter().all(|mistake| mistake.line.is_none_or(|line| (1..=lines).contains(&line))));
        }
    }
}
