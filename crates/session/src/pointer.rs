//! Values within JSON text, by pointer (RFC 6901), without building a tree. As an index into an array, `-1` names its last element.
//! A string that is JSON itself is gone into like any other value: many protocols send their content so.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The value at `pointer`, as text: a string's content, or the JSON of anything else. `None` if nothing or null is there.
pub(crate) fn pick(json: &str, pointer: &str) -> Option<String> {
    let here = find(json, pointer)?;
    if here.starts_with('"') {
        return serde_json::from_str(&here).ok();
    }
    (here != "null").then(|| here.into_owned())
}

/// The value at `pointer`, as the JSON that it is. `None` if nothing is there.
pub(crate) fn find<'a>(json: &'a str, pointer: &str) -> Option<Cow<'a, str>> {
    let mut here: &str = json;
    let mut rest = pointer;
    while let Some((_, below)) = rest.split_once('/') {
        if here.trim_start().starts_with('"') {
            let inner: String = serde_json::from_str(here).ok()?;
            return find(&inner, rest).map(|found| Cow::Owned(found.into_owned()));
        }
        let token = below.split('/').next().unwrap_or_default();
        let name = token.replace("~1", "/").replace("~0", "~");
        here = step(here, &name)?.get();
        rest = &below[token.len()..];
    }
    Some(Cow::Borrowed(here))
}

fn step<'a>(json: &'a str, token: &str) -> Option<&'a RawValue> {
    let mut reader = serde_json::Deserializer::from_str(json);
    Member(token).deserialize(&mut reader).ok().flatten()
}

/// Names an array's last element.
const LAST: &str = "-1";

/// The member of an object, or the element of an array, of this name.
struct Member<'t>(&'t str);

impl<'a> DeserializeSeed<'a> for Member<'_> {
    type Value = Option<&'a RawValue>;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Member<'_> {
    type Value = Option<&'a RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Key<'a>>()? {
            if found.is_none() && key.0 == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut elements: S) -> Result<Self::Value, S::Error> {
        let (mut wanted, last) = (self.0.parse::<usize>().ok(), self.0 == LAST);
        let mut found = None;
        while let Some(element) = elements.next_element::<&'a RawValue>()? {
            if last || wanted == Some(0) {
                found = Some(element);
            }
            wanted = wanted.and_then(|index| index.checked_sub(1));
        }
        Ok(found)
    }
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pointer: &str, expect: Option<&str>) {
        let json = r#"{"a":{"b":[10,{"c":"x\"y"}]},"n":null,"d/e":true,"é":"z"}"#;
        assert_eq!(pick(json, pointer).as_deref(), expect, "{pointer}");
    }

    #[test]
    fn pointers_find_what_is_there() {
        check("/a/b/0", Some("10"));
        check("/a/b/1/c", Some("x\"y"));
        check("/a/b/1", Some(r#"{"c":"x\"y"}"#));
        check("/a/b/-1/c", Some("x\"y"));
        check("/d~1e", Some("true"));
        check("/é", Some("z"));
        check("/n", None);
        check("/a/b/2", None);
        check("/a/x", None);
        check("/a/b/c", None);
        check("/d~1e/x", None);
    }

    #[test]
    fn text_that_is_json_is_gone_into() {
        let json =
            r#"{"data":"{\"id\":\"7\",\"more\":\"[1,{\\\"b\\\":2}]\"}","plain":"a/b","open":"{\"id\":"}"#;
        for (pointer, expect) in [
            ("/data/id", Some("7")),
            ("/data/more/1/b", Some("2")),
            ("/data", Some(r#"{"id":"7","more":"[1,{\"b\":2}]"}"#)),
            ("/plain/0", None),
            ("/open/id", None),
        ] {
            assert_eq!(pick(json, pointer).as_deref(), expect, "{pointer}");
        }
        assert_eq!(find(r#"{"a":[1]}"#, "/a"), Some(Cow::Borrowed("[1]")));
    }

    #[test]
    fn no_json_holds_nothing() {
        assert_eq!(pick("", "/a"), None);
        assert_eq!(pick("{\"a\":", "/a"), None);
    }
}
