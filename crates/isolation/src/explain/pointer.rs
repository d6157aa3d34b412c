//! Which leaf of a JSON text a byte belongs to.

/// One level of nesting.
#[derive(Debug)]
enum Level {
    /// Within an object, after this key; `None` before the first.
    Object(Option<String>),
    /// Within an array, at this element.
    Array(usize),
}

/// The JSON pointer (RFC 6901) of the value, or the member, that holds the byte at `offset`; `None` if `bytes` are no JSON
/// up to there. What comes after does not matter, so that a cut or garbled text still has its pointers.
pub(super) fn at(bytes: &[u8], offset: usize) -> Option<String> {
    let mut levels: Vec<Level> = Vec::new();
    let mut expects_key = false;
    let mut place = 0;
    while let Some(&byte) = bytes.get(place) {
        let end = if byte == b'"' {
            string_end(bytes, place)
        } else {
            place + 1
        };
        match byte {
            b'"' if expects_key => {
                let key = &bytes[place..end];
                let key =
                    serde_json::from_slice(key).unwrap_or_else(|_| String::from_utf8_lossy(key).into_owned());
                *levels.last_mut()? = Level::Object(Some(key));
                expects_key = false;
            }
            b'{' => {
                levels.push(Level::Object(None));
                expects_key = true;
            }
            b'[' => levels.push(Level::Array(0)),
            b'}' | b']' => {
                levels.pop()?;
                expects_key = false;
            }
            b',' => match levels.last_mut()? {
                Level::Object(_) => expects_key = true,
                Level::Array(index) => *index += 1,
            },
            _ => {}
        }
        if offset < end {
            return (!levels.is_empty()).then(|| pointer(&levels));
        }
        place = end;
    }
    None
}

/// The place after the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn pointer(levels: &[Level]) -> String {
    let mut pointer = String::new();
    for level in levels {
        let step = match level {
            Level::Object(Some(key)) => key.replace('~', "~0").replace('/', "~1"),
            Level::Array(index) => index.to_string(),
            Level::Object(None) => continue,
        };
        pointer.push('/');
        pointer.push_str(&step);
    }
    pointer
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, needle: &str, expect: Option<&str>) {
        let offset = text.find(needle).expect("the needle is there");
        assert_eq!(at(text.as_bytes(), offset).as_deref(), expect);
    }

    #[test]
    fn leaves_are_named() {
        check(r#"{"a":"x"}"#, "x", Some("/a"));
        check(r#"{"a":{"b":[1,{"c":"x"}]}}"#, "x", Some("/a/b/1/c"));
        check(r#"[[],["y","x"]]"#, "x", Some("/1/1"));
        check(r#"{"a":[1,2],"b":"x"}"#, "x", Some("/b"));
        check(r#"{"a":{},"b":{"c":12}}"#, "12", Some("/b/c"));
    }

    #[test]
    fn keys_belong_to_their_member() {
        check(r#"{"a":1,"secret":2}"#, "secret", Some("/secret"));
    }

    #[test]
    fn awkward_keys_are_escaped() {
        check(r#"{"a/b":{"m~n":"x"}}"#, "x", Some("/a~1b/m~0n"));
        check(r#"{"q\"}{":"x"}"#, "x", Some("/q\"}{"));
    }

    #[test]
    fn a_cut_text_still_has_its_pointers() {
        check(r#"{"a":{"b":"xyz"#, "y", Some("/a/b"));
    }

    #[test]
    fn what_is_no_json_has_none() {
        check("x-debug: secret", "secret", None);
        check("}secret", "secret", None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..64), offset in 0_usize..64) {
            at(&bytes, offset);
        }

        #[test]
        fn json_like_bytes_are_survived(text in "[\\[\\]{},:\"\\\\a1]{0,40}", offset in 0_usize..40) {
            at(text.as_bytes(), offset);
        }
    }
}
