use history::{Audience, User};

use super::dress::{CARRIERS, Dress, INNER, MARKED, TEXT, UNMARKED};
use super::{RUN, canary, scan, the_hit};
use crate::canary::{BLOCK_LEN, Datum, Found, HEAD_LEN, MARKER_LEN, Mint, WINDOW_LEN};
use crate::scan::{Medium, Scanner};

/// Dresses the canary, innermost first, and looks for it within a JSON document.
#[track_caller]
fn check(dresses: &[Dress]) {
    // The short form is the harder one to find, and the cheaper one to dress three times.
    let forms = [canary().short(), canary().long()];
    for text in forms.into_iter().take(if dresses.len() > 2 { 1 } else { 2 }) {
        let mut bytes = text.into_bytes();
        for (_, dress) in dresses {
            bytes = dress(&bytes);
        }
        let before = br#"{"id":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","seq":12,"body":""#;
        let frame = [before, &bytes[..], br#"","size":4096,"next":null}"#].concat();
        let hit = the_hit(&frame, Medium::Text, &canary());
        let names: Vec<_> = dresses
            .iter()
            .rev()
            .map(|(name, _)| *name)
            .filter(|name| !name.is_empty())
            .collect();
        let expected = if names.is_empty() {
            "plain".to_owned()
        } else {
            names.join(" > ")
        };
        assert_eq!(
            hit.encoding.to_string(),
            expected.replace("split > split", "split")
        );
        let (from, to) = (before.len() as u64, (before.len() + bytes.len()) as u64);
        assert!(
            hit.offset >= from && hit.end <= to,
            "{hit:?} outside {from}..{to}"
        );
    }
}

#[test]
fn plain() {
    check(&[]);
}

#[test]
fn one_layer() {
    for dress in TEXT.into_iter().chain(INNER) {
        check(&[dress]);
    }
}

#[test]
fn two_layers() {
    for outer in TEXT {
        for inner in TEXT.into_iter().chain(INNER) {
            check(&[inner, outer]);
        }
    }
}

#[test]
fn three_layers() {
    for outer in TEXT {
        for middle in TEXT {
            for inner in TEXT.into_iter().chain(INNER) {
                check(&[inner, middle, outer]);
            }
        }
    }
}

#[test]
fn compressed_within_text() {
    for carrier in TEXT.into_iter().take(CARRIERS) {
        for compressed in MARKED {
            check(&[compressed, carrier]);
            for outer in TEXT {
                check(&[compressed, carrier, outer]);
            }
        }
    }
}

#[test]
fn compressed_bytes() {
    for dress in MARKED.into_iter().chain(UNMARKED) {
        let frame = format!(
            r#"{{"words":"{}","body":"{}"}}"#,
            "lorem ipsum ".repeat(40),
            canary().long()
        );
        let hit = the_hit(&dress.1(frame.as_bytes()), Medium::Binary, &canary());
        let encoding = hit.encoding.to_string();
        // Incompressible words may be stored as they are.
        assert!(encoding == dress.0 || encoding == "plain", "{encoding}");
    }
}

#[test]
fn a_fourth_layer_is_not_taken_off() {
    let base64 = TEXT[0].1;
    let mut bytes = canary().long().into_bytes();
    for _ in 0..4 {
        bytes = base64(&bytes);
    }
    assert_eq!(scan(&bytes, Medium::Text).0, []);
}

#[test]
fn every_cut_of_an_encoding_that_holds_a_window_is_found() {
    for (name, dress) in TEXT
        .into_iter()
        .filter(|(name, _)| matches!(*name, "base64" | "hex"))
        .take(6)
    {
        let whole = dress(canary().long().as_bytes());
        let window = dress(&canary().long().as_bytes()[..WINDOW_LEN + 2]).len() + 6;
        for from in 0..whole.len() - window {
            let (hits, _) = scan(&whole[from..from + window], Medium::Text);
            assert_eq!(hits.len(), 1, "{name} from {from}: {hits:?}");
            assert_eq!(hits[0].found, Found::Whole(canary()), "{name} from {from}");
        }
    }
}

#[test]
fn a_cut_block_is_told_for_what_it_is() {
    for len in MARKER_LEN..BLOCK_LEN {
        let frame = format!(r#"{{"text":"{}"}}"#, &canary().short()[..len]);
        let (hits, _) = scan(frame.as_bytes(), Medium::Text);
        assert_eq!(hits.len(), 1, "{len}");
        assert!(hits[0].found.begins(&canary()));
        assert_eq!(matches!(hits[0].found, Found::Head(_)), len >= HEAD_LEN, "{len}");
        assert_eq!(
            hits[0].found.owner(),
            (len >= 12).then_some(canary().owner),
            "{len}"
        );
    }
}

#[test]
fn canaries_side_by_side_are_told_apart() {
    let other = {
        let mut other = canary();
        other.serial.0 += 1;
        other
    };
    let frame = format!("{}{}|{}", canary().long(), other.short(), canary().short());
    let (hits, _) = scan(frame.as_bytes(), Medium::Text);
    let found: Vec<_> = hits.iter().map(|hit| (hit.found, hit.offset, hit.end)).collect();
    let (first, second) = (Found::Whole(canary()), Found::Whole(other));
    assert_eq!(found, [(first, 0, 96), (second, 96, 128), (first, 129, 161)]);
}

#[test]
fn other_runs_are_residue() {
    let frame = canary().long();
    let mut scanner = Scanner::new(RUN + 1);
    assert!(scanner.scan(frame.as_bytes(), Medium::Text).hits[0].residue);
    assert!(scanner.scan(&frame.as_bytes()[..HEAD_LEN], Medium::Text).hits[0].residue);
    assert!(!Scanner::new(RUN).scan(frame.as_bytes(), Medium::Text).hits[0].residue);
}

#[test]
fn what_cannot_be_looked_into_is_opaque() {
    let noise: Vec<u8> = (0..400_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80)
        .collect();
    assert_eq!(scan(&noise, Medium::Binary).1, 400);
    assert_eq!(scan(&noise, Medium::Text).1, 0, "declared readable by who knows");
    assert_eq!(scan("träge Grüße".as_bytes(), Medium::Binary).1, 0);
    let cut = &MARKED[0].1(canary().long().as_bytes())[..30];
    assert_eq!(scan(cut, Medium::Binary).1, 30);
}

#[test]
fn a_bomb_is_opaque() {
    let zeros = vec![b' '; 20 << 20];
    let bomb = MARKED[0].1(&zeros);
    let (hits, opaque) = scan(&bomb, Medium::Binary);
    assert_eq!(hits, []);
    assert!(opaque >= bomb.len() as u64);
}

/// What a canary hides next to one that shows is found all the same, though its lines are short.
#[test]
fn two_layers_right_behind_a_plain_canary() {
    let mut mint = Mint::new(User(5), RUN).unwrap();
    let hidden = mint.mint(Audience::Owner, Datum::Secret).unwrap();
    for (_, inner) in &TEXT[..CARRIERS] {
        let body = TEXT[0].1(&inner(hidden.short().as_bytes()));
        for (len, before) in [(20, ""), (64, ""), (64, "; "), (1_000, "\":\"")] {
            let body = body.chunks(len).collect::<Vec<_>>().join(&b"\r\n"[..]);
            let plain = canary().long().into_bytes();
            let text = [&plain[..], before.as_bytes(), &body[..], b" ", &plain[..]].concat();
            let (hits, _) = scan(&text, Medium::Text);
            let found: Vec<Found> = hits.iter().map(|hit| hit.found).collect();
            assert!(
                found.contains(&Found::Whole(hidden)),
                "{found:?} at {len}{before}"
            );
            assert!(found.contains(&Found::Whole(canary())), "{found:?}");
        }
    }
}

/// The same bytes say less where there is no neighbour from which a cut block could be completed.
#[test]
fn a_cut_block_is_whole_only_behind_its_neighbour() {
    let block = canary().short();
    let cut = &block[..26];
    let text = format!("{}{cut}, and then {cut}, and then", &block[26..]);
    let (hits, _) = scan(text.as_bytes(), Medium::Text);
    let found: Vec<Found> = hits.iter().map(|hit| hit.found).collect();
    assert!(
        matches!(found[..], [Found::Whole(whole), Found::Head(_)] if whole == canary()),
        "{found:?}"
    );
}
