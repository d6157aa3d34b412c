//! A broker of lines, driven from a profile alone: who is told what is found, however it denies.

mod broker;
mod driving;
mod servers;

use std::sync::atomic::Ordering;
use std::time::Duration;

use broker::{Broker, Denial};
use driving::run_on;
use history::Check;
use isolation::{Judgement, State};
use session::plan::Scale;
use session::profile::TargetFile;
use tokio::sync::watch;

const USERS: u32 = 4;

const PROFILE: &str = r#"
name = "broker"
reach = { web-sockets = ["ws://127.0.0.1:1"] }
users = { list = "users.csv" }

[[dialect]]
path = "/"
denies-by-closing = CLOSES
heartbeat = { send = "BEAT\n", every-ms = 100 }
handshake = [{ expect = "hello" }, { send = "AUTH ${handle} ${access-token}\n", expect = "reply", refusal = "error" }]

[dialect.framing.text]
ends = "\n"
binary = true
patterns = ['^MSG (?<length>\d+)$', '^-(?<error>.+)$', '^(?<done>\+).*$']
rules = [
    { when = { "/text" = "HELLO" }, event = { named = "hello" } },
    { when = { "/done" = true }, reply = { oldest = true } },
    { when = { "/error" = true }, error = { oldest = true, fenced = FENCED, code = "/error" } },
    { when = { "/payload" = true }, event = { named = "message", content = "/payload" } },
]

[dialect.ops]
create-thread = { make = { thread = "${my-handle}.t${id}" }, frame = "SUB ${thread}\n" }
subscribe-thread = { frame = "SUB ${thread}\n" }
post = { frame = "PUB ${thread} ${body}\n", derives = false }

[unseen]
database = "nothing is stored"
thread-ids = "they are subjects"
user-ids = "they are names"

[not-applicable]
token = "it tells nobody who one is"
response = "what is published is acknowledged without its content"
user-id = "nobody is shown anybody"
boundary = "nobody logs out"

[absent]
who-am-i = "it tells nobody"
list-threads = "subjects are not listed"
find-thread = "subjects are not searched"
read-thread = "nothing is kept"
rooms = "nobody shares a subject"
presence = "nobody is told of anybody"
look-up = "users are not shown"
cancel = "answers come at once"
resume = "nothing is sent again"
snapshot = "nothing is kept"
me = "nothing is asked over HTTP"
refresh = "keys do not change"
logout = "nobody logs out"
login-short = "keys do not expire"
"#;

/// Drives everybody against a broker; the verdicts, and how many heartbeats came.
fn judged(denial: Denial) -> (Judgement, u32) {
    judged_of(PROFILE, denial)
}

/// As [`judged`], by a profile of one's own.
fn judged_of(profile: &str, denial: Denial) -> (Judgement, u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let users = (0..USERS).fold("handle,user,access-token\n".to_owned(), |users, number| {
        format!("{users}user{number},user{number},key-of-user{number}\n")
    });
    std::fs::write(folder.path().join("users.csv"), users).expect("a file");
    let profile = profile
        .replace("CLOSES", &(denial == Denial::Close).to_string())
        .replace("FENCED", &(denial == Denial::BeforeFence).to_string());
    let target = TargetFile::parse("broker.toml", &profile, folder.path());
    let profile = target.unwrap_or_else(|error| panic!("{error}")).profile;
    let scale = Scale {
        seed: 1,
        users: USERS,
        tenants: USERS,
        rounds: 1,
        workers: 1,
        duration: Duration::from_millis(300),
        ..Scale::default()
    };
    let broker = Broker::start(denial);
    let (_raise, interrupt) = watch::channel(false);
    let places = (String::new(), broker.address.clone());
    let run = run_on(profile, scale, session::Limits::default(), places, interrupt);
    (run.judgement, broker.beats.load(Ordering::Relaxed))
}

#[track_caller]
fn check(denial: Denial, expect: State) {
    let (judgement, beats) = judged(denial);
    for check in [Check::Thread, Check::Secret] {
        let verdict = judgement.verdict(check);
        assert_eq!(verdict.state, expect, "{denial:?}: {verdict}");
    }
    assert_eq!(judgement.overall(), expect, "{:?}", judgement.problems);
    assert!(beats > 0, "nobody said that it lives");
}

#[test]
fn it_denies_by_an_error() {
    check(Denial::Error, State::Valid);
}

#[test]
fn it_denies_and_answers_the_fence_all_the_same() {
    check(Denial::BeforeFence, State::Valid);
}

#[test]
fn it_denies_by_closing() {
    check(Denial::Close, State::Valid);
}

#[test]
fn it_leaks() {
    check(Denial::Leaks, State::Violated);
}

/// With secrets in the answers or not, nobody is told anything where all listen to something else.
#[track_caller]
fn check_wrong_topic(post: &str, check: Check, why: &str) {
    let listening = PROFILE.replace("frame = \"PUB ", post);
    let wrong = listening.replace(r#""SUB ${thread}\n""#, r#""SUB ${thread}.x\n""#);
    assert_ne!(listening, wrong);
    let (judgement, _) = judged_of(&wrong, Denial::Error);
    assert_eq!(judgement.overall(), State::Unknown);
    let verdict = judgement.verdict(check);
    assert!(
        verdict.reasons.iter().any(|reason| reason.contains(why)),
        "{verdict}"
    );
    assert_eq!(judged_of(&listening, Denial::Error).0.overall(), State::Valid);
}

#[test]
fn where_everybody_listens_to_the_wrong_topic_nothing_is_proven() {
    check_wrong_topic(
        "frame = \"PUB ",
        Check::Secret,
        "never saw their own secrets come back",
    );
    check_wrong_topic(
        "frame = \"SAY ",
        Check::Thread,
        "does it listen to the right topic",
    );
}
