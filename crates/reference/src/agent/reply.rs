//! The text of a reply and the pieces it is streamed in: pure.

use sha2::{Digest, Sha256};

use super::wire::Ask;

/// The longest piece of a streamed reply, in characters (Unicode scalar values).
pub const PIECE_CHARS_MAX: usize = 24;

/// How many hex digits of the digest a reply quotes.
const DIGEST_DIGITS: usize = 16;

/// The reply to the last message of a thread.
///
/// The digest is SHA-256 over the bodies joined by newlines, so that the reply depends on every message it was handed.
///
/// ```
/// use reference::agent::{reply, wire::Ask};
///
/// let (title, bodies) = ("Rome".into(), vec!["a".into(), "b".into()]);
/// let ask = Ask { user_id: uuid::Uuid::nil(), title, bodies, nonce: "n1".into() };
/// assert_eq!(reply::text(&ask), "n1 is message 2 of \"Rome\"; the thread reads 7e18f737311b2dc3");
/// ```
#[must_use]
pub fn text(ask: &Ask) -> String {
    let digest = digest(&ask.bodies);
    format!(
        "{} is message {} of \"{}\"; the thread reads {digest}",
        ask.nonce,
        ask.bodies.len(),
        ask.title
    )
}

fn digest(bodies: &[String]) -> String {
    let mut hash = Sha256::new();
    for (place, body) in bodies.iter().enumerate() {
        if place > 0 {
            hash.update(b"\n");
        }
        hash.update(body);
    }
    let mut digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    digits.truncate(DIGEST_DIGITS);
    digits
}

/// Cuts `text` into pieces of 1 to [`PIECE_CHARS_MAX`] characters. Where it cuts depends on the whole text: bytes of its
/// SHA-256, taken in turn, give the lengths. The joined pieces are the text; an empty text has none.
#[must_use]
pub fn pieces(text: &str) -> Vec<String> {
    let lengths = Sha256::digest(text);
    let mut chars = text.chars().peekable();
    let mut pieces = Vec::new();
    for byte in lengths.iter().cycle() {
        if chars.peek().is_none() {
            break;
        }
        let length = 1 + usize::from(*byte) % PIECE_CHARS_MAX;
        pieces.push(chars.by_ref().take(length).collect());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn joined_pieces_are_the_text(text in any::<String>()) {
            let pieces = pieces(&text);
            prop_assert_eq!(pieces.concat(), text);
            for piece in pieces {
                prop_assert!((1..=PIECE_CHARS_MAX).contains(&piece.chars().count()));
            }
        }
    }

    #[test]
    fn bounds_depend_on_the_text() {
        let bounds = |text: &str| {
            pieces(text)
                .iter()
                .map(|piece| piece.chars().count())
                .collect::<Vec<_>>()
        };
        let (one, other) = ("a".repeat(200), "b".repeat(200));
        assert_ne!(bounds(&one), bounds(&other));
        assert_eq!(bounds(&one), bounds(&one));
    }

    #[test]
    fn every_body_and_its_place_count() {
        let ask = |bodies: &[&str]| Ask {
            user_id: uuid::Uuid::nil(),
            title: "t".into(),
            bodies: bodies.iter().map(ToString::to_string).collect(),
            nonce: "n".into(),
        };
        assert_ne!(text(&ask(&["a", "b"])), text(&ask(&["b", "a"])));
        assert_ne!(text(&ask(&["a", "b"])), text(&ask(&["a", "c"])));
        assert_ne!(text(&ask(&["ab"])), text(&ask(&["a", "b"])));
    }
}
