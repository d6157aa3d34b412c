//! Answers that say something of the message back: the number of a ping, the id of what is acknowledged.

use std::borrow::Cow;

use crate::pointer::{find, pick};

/// What begins a placeholder, whose name is a pointer.
const BEGIN: &str = "${";
/// What ends the pointer of a value that is said as text, without the quotes that JSON has around it.
const BARE: &str = ":bare";

/// The answer, what stands in the message in place of each `${/pointer}`; `None` if it does not stand there.
pub(super) fn echoed<'a>(answer: &'a str, json: &str) -> Option<Cow<'a, str>> {
    if !answer.contains(BEGIN) {
        return Some(Cow::Borrowed(answer));
    }
    let (mut said, mut rest) = (String::with_capacity(answer.len()), answer);
    while let Some((text, after)) = rest.split_once(BEGIN) {
        let (pointer, tail) = after.split_once('}')?;
        said.push_str(text);
        match pointer.strip_suffix(BARE) {
            Some(pointer) => said.push_str(&pick(json, pointer)?),
            None => said.push_str(&find(json, pointer)?),
        }
        rest = tail;
    }
    said.push_str(rest);
    Some(Cow::Owned(said))
}

/// What is wrong with the placeholders of an answer; else the answer, `value` in place of each.
pub(crate) fn echoing(answer: &str, value: &str) -> Result<String, String> {
    let (mut said, mut rest) = (String::new(), answer);
    while let Some((text, after)) = rest.split_once(BEGIN) {
        let (pointer, tail) = after
            .split_once('}')
            .ok_or("a placeholder `${` without its closing brace")?;
        if !pointer.starts_with('/') {
            let what = "an answer says nothing but what stands in the message: `${/id}`, by a JSON pointer";
            return Err(format!("there is no `${{{pointer}}}` here: {what}"));
        }
        said.push_str(text);
        said.push_str(value);
        rest = tail;
    }
    Ok(said + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &str, expect: Option<&str>) {
        let json = r#"{"id":7,"of":{"at":"a\"b"},"none":null}"#;
        assert_eq!(echoed(answer, json).as_deref(), expect, "{answer}");
    }

    #[test]
    fn what_stands_in_a_message_is_said_back() {
        check("pong", Some("pong"));
        check(
            r#"{"pong":${/id},"of":${/of}}"#,
            Some(r#"{"pong":7,"of":{"at":"a\"b"}}"#),
        );
        check(r#"[${/of/at}]"#, Some(r#"["a\"b"]"#));
        check("PONG ${/of/at:bare}, ${/id:bare}", Some("PONG a\"b, 7"));
        check("PONG ${/gone}", None);
        check("PONG ${/none:bare}", None);
        check("PONG ${/id", None);
    }

    #[test]
    fn what_is_no_pointer_is_told() {
        assert_eq!(echoing("[${/a/b},${/c:bare}]", "1"), Ok("[1,1]".to_owned()));
        let told = |answer| echoing(answer, "").unwrap_err();
        assert_eq!(told("${/a"), "a placeholder `${` without its closing brace");
        assert!(told("${id}").starts_with("there is no `${id}` here"));
    }
}
