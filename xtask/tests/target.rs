//! Services that are driven from a profile: a good one, the same with a leak, and set-ups that must never be valid.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something unexpected happens"
)]

mod driven;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use driven::{beside, hollow, notes, run};

#[test]
fn a_service_of_ones_own_is_proven_apart() {
    let run = run(&notes(), &[], false);
    run.is_valid();
    run.says("not there: presence, nobody is told of anybody");
    run.says("no database is read: notes are kept in memory");
}

#[test]
fn its_leak_is_caught_with_observer_and_victim() {
    let run = run(&notes(), &[], true);
    run.finds("Thread", "probe accepted: reading a foreign thread");
    run.finds("Secret", "secret of another user");
}

/// What `target check` says of a profile, and its exit code.
fn checked(profile: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target.toml");
    fs::write(&target, profile).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["target", "check"])
        .arg(&target)
        .env("LEAKY", "0")
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn two_users_step_by_step() {
    let (code, said) = checked(&notes());
    assert_eq!(code, 0, "{said}");
    for part in [
        r#""password":"<password>"}"#,
        r#""token": "<token>""#,
        r#"`access-token` found at "/token""#,
        "rule 2: answer to 100001, done",
        "rule 1: answer to",
        "T  reading a foreign thread, user ",
        "taken as refused: 'no such note'; one's own was served before and after",
        "K  a forged token at the upgrade (",
        "B  connecting without a token",
        "ok     every user saw its own secrets come back",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
}

#[test]
fn what_nothing_matches_is_shown() {
    let profile = notes().replace(
        r#"{ when = { "/error" = true }, error = { id = "/rid", code = "/error" } },"#,
        "",
    );
    let (code, said) = checked(&profile);
    // a reply was due when what is not understood came: that alone is called a crossing
    assert_eq!(code, 10, "{said}");
    assert!(said.contains("NOTHING MATCHED"), "{said}");
    let (code, said) = checked(&profile.replace("\"/token\"", "\"/tokn\""));
    assert_eq!(code, 12, "{said}");
    assert!(said.contains("`access-token` NOT FOUND at \"/tokn\""), "{said}");
    let (code, said) = checked(&profile.replace("post =", "pst ="));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("unknown key `pst`, did you mean `post`?"), "{said}");
    let own = "Usage: cargo xtask target check [OPTIONS] <FILE>";
    assert!(said.contains(own), "{said}");
}

#[test]
fn the_profiles_that_are_kept_are_profiles() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets");
    let mut profiles = 0;
    for entry in fs::read_dir(targets).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        profiles += 1;
        // what is wrong with the command is said only after the profile was read
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["e2e", "--mutant", "x", "--target"])
            .arg(&path)
            .envs(
                [
                    "SC_AUTH_KEY",
                    "POSTGRAPHILE_KEY",
                    "DIRECTUS_TOKEN",
                    "DIRECTUS_ROLE",
                ]
                .map(|name| (name, "any")),
            )
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("--mutant is for the reference services"),
            "{}: {said}",
            path.display()
        );
    }
    assert!(profiles >= 8);
}

/// Whatever it is, it is not valid, and says why.
#[track_caller]
fn never_valid(profile: &str, files: &[(&str, &str)], code: i32, why: &str) {
    let run = run(profile, files, false);
    run.ends(code);
    assert_ne!(run.report["verdict"], "valid");
    run.says(why);
}

#[test]
fn where_every_post_is_refused_nothing_is_proven() {
    let profile = notes().replace(r#""op":"write""#, r#""op":"wriite""#);
    never_valid(&profile, &[], 12, "never saw their own secrets come back");
}

#[test]
fn where_answers_say_nothing_of_the_request_nothing_is_proven() {
    let profile = notes().replace(
        r#"post = { frame = '{"cid":${id},"op":"write","note":${thread},"text":${body}}'"#,
        r#"post = { frame = '{"cid":${id},"op":"who","text":${body}}'"#,
    );
    never_valid(
        &profile,
        &[],
        12,
        "got an answer without the nonce of the request",
    );
}

#[test]
fn a_log_in_that_is_the_same_user_for_all_is_caught() {
    let all = "handle,password\nann,x\nann,x\nann,x\nann,x\nann,x\nann,x\n";
    let (register, rest) = notes()
        .split_once("login = {")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    // somebody has to make the account: the service does, when it is logged in to
    let before = register
        .lines()
        .filter(|line| !line.starts_with("register"))
        .collect::<Vec<_>>()
        .join("\n");
    let profile = format!("{before}\nlogin = {{{rest}")
        .replace("\"/login\"", "\"/users-or-login\"")
        .replace(
            "access-token = \"/token\" }",
            "access-token = \"/token\", user = \"/id\" }",
        )
        .replace("[http]", "[users]\nlist = \"users.csv\"\n\n[http]");
    never_valid(&profile, &[("users.csv", all)], 10, "one user id for two users");
}

#[test]
fn where_any_token_is_taken_at_the_door_that_is_caught() {
    let accepted = "probe accepted: last character cut off";
    never_valid(&hollow("everybody is let in"), &[], 10, accepted);
    never_valid(&hollow("strangers are guests"), &[], 10, accepted);
}

#[test]
fn where_what_is_taken_for_a_token_is_none_that_is_caught() {
    // the profile takes the wrong thing for a token, and the service lets everybody in who has none
    let wrong = |manner| hollow(manner).replace("access-token = \"/token\"", "access-token = \"/id\"");
    never_valid(&wrong("everybody is let in"), &[], 10, "probe accepted: ");
    never_valid(&wrong("strangers are guests"), &[], 10, "taken for another user");
}

#[test]
fn where_every_answer_is_an_error_nothing_is_proven() {
    never_valid(
        &hollow("every answer is an error"),
        &[],
        12,
        "no WhoAmI ever succeeded",
    );
}

#[test]
fn where_a_log_in_gives_everybody_the_first_users_session_that_is_caught() {
    never_valid(&hollow("all are one"), &[], 10, "taken for another user");
}

#[test]
fn ids_that_each_user_has_are_declared() {
    let counted = hollow("each user's ids count from 1")
        .replace("[unseen]", "[unseen]\nthread-ids = \"they are numbers\"");
    never_valid(&counted, &[], 10, "one thread id for two owners");
    let why = "each user's ids count from 1";
    let declared = counted
        .replace("[unseen]", &format!("[unseen]\nunique-thread-ids = {why:?}"))
        .replace(
            "[absent]",
            &format!("[not-applicable]\nthread = {why:?}\n\n[absent]"),
        );
    let run = run(&declared, &[], false);
    run.ends(0);
    run.says("not there: unique ids of threads, each user's ids count from 1");
}

/// Nothing but the upgrade says whether one is let in, and that is to be declared where it is meant.
#[test]
fn a_service_that_lets_in_whoever_connects_says_so() {
    let gone = ["who-am-i", "list-threads", "logout"];
    let kept = |line: &&str| !gone.iter().any(|gone| line.starts_with(&format!("{gone} =")));
    let open = hollow("whoever has no token is let in, and told nothing");
    let open = open.lines().filter(kept).collect::<Vec<_>>().join("\n");
    let absent = gone.map(|gone| format!("{gone} = \"not asked here\"")).join("\n");
    let open = open.replace("[absent]", &format!("[absent]\n{absent}"));
    let kind = "connecting without a token";
    never_valid(&open, &[], 10, kind);
    let why = "whoever connects is let in, and told nothing";
    let declared = open.replace(
        "[absent]",
        &format!("[not-applicable]\nboundary = {why:?}\n\n[absent]"),
    );
    let run = run(&declared, &[], false);
    run.ends(0);
    assert!(!run.said.contains(kind), "{}", run.said);
}

/// A service of forms, cookies and posts over HTTP.
fn portal() -> String {
    beside("portal.toml")
}

#[test]
fn a_chat_of_tickets_and_grants_in_which_no_answer_has_an_id() {
    run(&beside("lounge.toml"), &[], false).ends(0);
    let leaky = run(&beside("lounge.toml"), &[], true);
    leaky.finds("Thread", "probe accepted: subscribing to a foreign thread");
}

#[test]
fn a_protocol_of_bytes_whose_frames_come_in_pieces() {
    run(&beside("shelf.toml"), &[], false).is_valid();
    let leaky = run(&beside("shelf.toml"), &[], true);
    leaky.finds("Thread", "probe accepted: reading a foreign thread");
    leaky.finds("Secret", "secret of another user");
}

#[test]
fn what_leaks_in_a_field_without_a_name_is_caught() {
    let told = beside("shelf.toml").replace("${env:LEAKY=0}", "2");
    run(&told, &[], false).finds("Secret", "secret of another user");
}

#[test]
fn frames_of_bytes_are_shown_by_their_fields() {
    let (code, said) = checked(&beside("shelf.toml"));
    assert_eq!(code, 0, "{said}");
    for part in [
        r#"{"packet":"new","id":"#,
        r#"rule 1: proof of life"#,
        r#"->  {"packet":"pong","id":0}"#,
        "messages that nothing matched: 0",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let misnamed = beside("shelf.toml").replace(r#"{"packet":"list""#, r#"{"packet":"lst""#);
    let (code, said) = checked(&misnamed);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("is no frame: there is no packet `lst`, did you mean `list`?"),
        "{said}"
    );
}

#[test]
fn what_nothing_would_prove_is_told_beforehand() {
    let profile = notes()
        .replace("logout = {", "#")
        .replace("[absent]", "[absent]\nlogout = \"never\"");
    let (code, said) = checked(&profile);
    assert_eq!(code, 12, "{said}");
    let told = "wrong  B would be unknown: nothing ends a session";
    assert!(said.contains(told), "{said}");
}

#[test]
fn forms_cookies_and_posts_over_http() {
    run(&portal(), &[], false).is_valid();
    run(&portal(), &[], true).finds("Thread", "probe accepted: reading a foreign thread");
}

#[test]
fn where_a_log_in_by_form_fails_with_a_status_of_success_that_is_seen() {
    let wrong = portal().replace("csrf = \"${ticket}\"", "csrf = \"guessed\"");
    never_valid(&wrong, &[], 12, "no Login ever succeeded");
}

#[test]
fn a_target_that_is_not_on_loopback_has_to_be_allowed() {
    let profile = notes().replace("ws://127.0.0.1", "ws://192.0.2.1");
    let run = run(&profile, &[], false);
    run.ends(2);
    run.says("--allow-host 192.0.2.1");
}

#[test]
fn a_service_that_does_not_come_up_is_told_with_its_log() {
    let profile = notes().replace("\"notes.py\"", "\"nots.py\"");
    let run = run(&profile, &[], false);
    run.ends(13);
    run.says("the service notes");
    run.says("No such file");
}
