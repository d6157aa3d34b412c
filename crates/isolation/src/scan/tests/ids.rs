use history::Fingerprint;
use proptest::prelude::*;

use super::{canary, scan};
use crate::scan::Medium;
use crate::scan::ids::{Id, find, find_beside, grams, pieces_of_token, uuid_fingerprint};

const DIGITS: &str = "6f9619ff8b86d011b42d00cf4fc964ff";
const HYPHENATED: &str = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";

/// What is found, in words: `uuid@PLACE` for the one above, `TEXT@PLACE` for runs.
fn found(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    find(text.as_bytes(), |id| all.push(in_words(id)));
    all
}

fn in_words(id: Id<'_>) -> String {
    let known = Fingerprint::of(DIGITS.as_bytes());
    match id {
        Id::Uuid { fingerprint, at } if fingerprint == known => format!("uuid@{at}"),
        Id::Uuid { at, .. } => format!("other@{at}"),
        Id::Run { text, at } => format!("{}@{at}", String::from_utf8_lossy(text)),
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(found(text), expected, "in {text}");
}

#[test]
fn uuids_in_all_spellings() {
    check(&format!("\"{HYPHENATED}\""), &["uuid@1"]);
    check(&format!("\"{DIGITS}\""), &["uuid@1"]);
    check(&HYPHENATED.to_uppercase(), &["uuid@0"]);
    check(&DIGITS.to_uppercase(), &["uuid@0"]);
    check(&format!("{{{HYPHENATED}}}"), &["uuid@1"]);
    check(&format!("urn:uuid:{HYPHENATED}"), &["uuid@9"]);
    check(&format!("thread_{HYPHENATED}"), &["uuid@7"]);
    check(&format!("thread{DIGITS}"), &["uuid@6"]);
    check(&format!("{HYPHENATED}-{DIGITS}_x"), &["uuid@0", "uuid@37"]);
    check(&format!("{HYPHENATED}/{HYPHENATED}"), &["uuid@0", "uuid@37"]);
    check(&format!("{HYPHENATED}{HYPHENATED}"), &["uuid@0", "uuid@36"]);
}

#[test]
fn one_fingerprint_for_all_spellings() {
    let known = Some(Fingerprint::of(DIGITS.as_bytes()));
    for text in [
        HYPHENATED,
        DIGITS,
        &HYPHENATED.to_uppercase(),
        &format!("{{{DIGITS}}}"),
        &format!("URN:UUID:{HYPHENATED}"),
    ] {
        assert_eq!(uuid_fingerprint(text.as_bytes()), known, "{text}");
    }
    for text in [
        "",
        "6f9619ff",
        &DIGITS[1..],
        &format!("{DIGITS}0"),
        "6f9619ff-8b86-d011-b42d_00cf4fc964ff",
        "thread",
    ] {
        assert_eq!(uuid_fingerprint(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn runs_that_are_neither() {
    let token = "q3J9xkLmT0v_8yXbWn-2RcZs5UeHgA1dPfO7iQwKoVt";
    check(&format!("\"{token}\""), &[&format!("{token}@1")]);
    check(&token[..32], &[&format!("{}@0", &token[..32])]);
    check(&token[..31], &[]);
    check(&canary().long(), &[]);
    check(&canary().short(), &[]);
    check(&canary().long().to_uppercase(), &[]);
    check(&canary().long()[20..], &[]);
    check(
        &format!("{}_{token}", canary().short()),
        &[&format!("_{token}@32")],
    );
    check(
        &format!("{HYPHENATED}_{token}"),
        &["uuid@0", &format!("_{token}@36")],
    );
}

#[test]
fn pieces_are_of_what_is_the_tokens_own() {
    let jwt = pieces_of_token("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.0123456789abcdefghijklmnopqrstuvwxyz");
    assert_eq!(
        jwt,
        [
            Fingerprint::of(b"0123456789abcdef"),
            Fingerprint::of(b"ghijklmnopqrstuv")
        ]
    );
    let opaque = pieces_of_token("0123456789abcdefghijklmnopqrstuvwxyz");
    assert_eq!(opaque, jwt);
    assert_eq!(pieces_of_token("short"), []);
}

proptest! {
    #[test]
    fn beside_canaries_that_are_known_the_same_is_found(pieces in prop::collection::vec((0..6_usize, "[ \"_:-]"), 0..8)) {
        let pieces = pieces.iter().map(|(piece, end)| {
            let piece = match piece {
                0 => canary().long(),
                1 => canary().short(),
                2 => HYPHENATED.to_owned(),
                3 => DIGITS.to_owned(),
                4 => "q3J9xkLmT0v_8yXbWn-2RcZs5UeHgA1dPfO7iQwKoVt".to_owned(),
                _ => "word".to_owned(),
            };
            piece + end
        });
        let text: String = pieces.collect();
        let hits = scan(text.as_bytes(), Medium::Text).0;
        let canaries = hits.iter().map(|hit| hit.offset as usize..hit.end as usize);
        let mut beside = Vec::new();
        find_beside(text.as_bytes(), canaries, |id| beside.push(in_words(id)));
        prop_assert_eq!(beside, found(&text));
    }

    #[test]
    fn any_31_characters_of_a_token_show_a_piece(token in "[A-Za-z0-9_-]{48,120}", from in any::<prop::sample::Index>()) {
        let pieces = pieces_of_token(&token);
        let tail = token.len() % 16;
        let from = from.index(token.len() - tail - 30);
        let shown = &token.as_bytes()[from..from + 31];
        prop_assert!(grams(shown).any(|gram| pieces.contains(&gram)));
    }

    #[test]
    fn a_run_is_found_wherever_it_stands(before in "[ -~]{0,100}[ :\"]", run in "[A-Za-z]{32,80}", after in "[ \"][ -~]{0,100}") {
        let text = format!("{before}{run}{after}");
        let expected = format!("{run}@{}", before.len());
        prop_assert!(found(&text).contains(&expected), "{:?}", found(&text));
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        find(&bytes, |_| ());
    }
}
