//! Services in which each room is a connection of its own: somebody else's is connected to, however the service turns that down.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something unexpected happens"
)]

mod driven;

use driven::{Run, beside, replaced, run};

/// The salon, in which whoever may not be in a room is turned away so.
fn salon(manner: &str) -> String {
    let manner = format!("MANNER = {manner:?}");
    replaced(&beside("salon.toml"), "MANNER = \"closing\"", &manner)
}

/// T is valid, and not for want of anything that was tried.
#[track_caller]
fn is_tried(run: &Run) {
    run.ends(0);
    let checks = run.report["isolation"]["checks"].as_array().unwrap();
    let thread = checks.iter().find(|check| check["letter"] == "T").unwrap();
    assert_eq!(thread["state"], "valid", "{thread}");
    let probes = |name: &str| thread["probes"][name].as_u64().unwrap();
    assert!(
        probes("refused") == probes("total") && probes("total") > 0,
        "{thread}"
    );
}

/// Strict it is valid; where it is forgotten whose a room is, that is caught by who was let in, and by what was heard there.
#[track_caller]
fn check(profile: &str) {
    is_tried(&run(profile, &[], false));
    let leaky = run(profile, &[], true);
    leaky.finds("Thread", "probe accepted: connecting to a foreign thread");
    leaky.finds("Thread", "probe accepted: posting into a foreign thread");
    leaky.finds("Secret", "secret of another user");
}

#[test]
fn rooms_that_one_is_shut_out_of_again() {
    check(&salon("closing"));
}

#[test]
fn rooms_whose_upgrade_is_refused() {
    check(&salon("the upgrade"));
}

#[test]
fn rooms_in_which_a_greeting_says_that_one_is_in() {
    let greeting =
        "handshake = [{ expect = \"welcome\", refusal = \"denied\", answer = { user = \"/you\" } }]";
    let profile = salon("a word");
    check(&replaced(&profile, "shuts-out-within-ms = 500", greeting));
}

#[test]
fn rooms_in_which_one_hears_nothing() {
    let profile = salon("silence");
    check(&replaced(
        &profile,
        "shuts-out-within-ms = 500",
        "shuts-out-within-ms = 500\ndenies-by-silence = true",
    ));
}

/// The connection names the user whose it is, and nobody makes anything else.
#[test]
fn a_room_of_each_users_own() {
    let threads = ["create-thread", "read-thread"];
    let mut profile = replaced(&salon("closing"), "${thread}", "${owner}");
    for op in threads {
        profile = replaced(&profile, &format!("\n{op} = "), "\n# ");
    }
    let lists = "list-threads = \"there is no list of rooms\"\nfind-thread = \"there is no list of rooms\"";
    let profile = replaced(
        &profile,
        lists,
        "threads = \"each user has one room, which is there\"",
    );
    is_tried(&run(&profile, &[], false));
    let leaky = run(&profile, &[], true);
    leaky.finds("Thread", "probe accepted: connecting to what is another's");
}
