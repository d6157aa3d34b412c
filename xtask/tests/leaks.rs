//! What a service reflects, and what it leaks in disguise, from a profile: who has seen whose secret.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something unexpected happens"
)]

mod driven;

use std::collections::BTreeSet;

use driven::{hollow, replaced, run};

/// The tiny service with users of these names, the first of whom is told a line of the second's.
fn listed(manner: &str) -> String {
    let profile = hollow(manner);
    let (register, _) = profile.split_once("login = {").unwrap();
    let register = register
        .lines()
        .find(|line| line.starts_with("register"))
        .unwrap();
    profile
        .replace(register, "")
        .replace("\"/login\"", "\"/users-or-login\"")
        .replace(
            "answer = { access-token = \"/token\" }",
            "answer = { access-token = \"/token\", user = \"/id\" }",
        )
        .replace("[http]", "[users]\nlist = \"users.csv\"\n\n[http]")
        .replace(
            "rules = [",
            "rules = [\n    { when = { \"/piece\" = true }, piece = { id = \"/rid\", text = \"/piece\" } },",
        )
}

const USERS: &str = "handle,password\nann,a\nbob,b\ncid,c\ndan,d\neve,e\nfay,f\n";

/// A line of bob's comes to ann in disguise: S says so, of these two and of nobody else.
#[track_caller]
fn check(dress: &str) {
    let profile = listed(&format!("a line leaks {dress}"));
    let run = run(&profile, &[("users.csv", USERS)], false);
    assert_eq!(run.code, 10, "{dress}: {}", run.said);
    let secrets = run
        .findings()
        .iter()
        .filter(|finding| finding["check"] == "Secret");
    let seen: BTreeSet<_> = secrets
        .map(|finding| {
            let user = |role: &str| finding[role].as_u64();
            (
                finding["kind"].as_str().unwrap(),
                user("observer"),
                user("victim"),
            )
        })
        .collect();
    let (ann, bob) = (Some(0), Some(1));
    assert_eq!(
        seen,
        BTreeSet::from([("secret of another user", ann, bob)]),
        "{dress}"
    );
}

#[test]
fn secrets_as_character_references() {
    check("as references");
    check("as hexadecimal references");
}

#[test]
fn secrets_as_lists_of_integers() {
    check("as integers");
}

#[test]
fn secrets_in_pieces_of_a_streamed_answer() {
    check("in two pieces");
    check("in many pieces");
}

/// What goes over HTTP is read to its limit and no further: so much of it is judged, and the limit is told.
#[test]
fn what_comes_before_a_limit_is_judged() {
    let profile = hollow("all lines are told in an answer without end");
    let list = r#"list-threads = { frame = '{"cid":${id},"op":"list"}'"#;
    let step = format!(r#"{list}, before = [{{ get = "/endless" }}]"#);
    for endless in [r#"list-threads = { http = { get = "/endless" }"#, &step] {
        let run = run(&replaced(&profile, list, endless), &[], false);
        run.finds("Secret", "secret of another user");
        run.says("a limit was hit: an HTTP body of more than 1048576 bytes was not read to its end");
    }
}

/// The same service, were it not for the leak.
#[test]
fn with_no_leak_it_is_valid() {
    let run = run(&listed("good"), &[("users.csv", USERS)], false);
    run.ends(0);
}

/// What an attacker asked with is no evidence where it comes back to him.
#[test]
fn what_is_reflected_is_no_evidence() {
    let run = run(&hollow("errors repeat what was asked"), &[], false);
    run.is_valid();
    assert!(run.findings().is_empty(), "{:?}", run.findings());
}
