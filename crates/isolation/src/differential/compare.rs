//! Where two messages differ first.

use serde_json::Value;

/// Characters of a value that are shown at most.
const SHOWN_MAX: usize = 240;
/// Characters of it before the first that differs.
const SHOWN_BEFORE: usize = 40;

/// Where two values differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// As RFC 6901 has it.
    pub(super) pointer: String,
    pub(super) alone: String,
    pub(super) together: String,
}

/// The first difference in the order of members and elements; `None` if there is none.
pub(super) fn first(alone: &Value, together: &Value) -> Option<Gap> {
    let mut path = String::new();
    let (alone, together) = descend(alone, together, &mut path)?;
    let (alone, together) = (shown(alone), shown(together));
    let from = shared(&alone, &together);
    Some(Gap {
        pointer: path,
        alone: cut(&alone, from),
        together: cut(&together, from),
    })
}

/// Characters that two texts begin with alike and need not be shown: all but some before the difference.
pub(super) fn shared(one: &str, other: &str) -> usize {
    let alike = one
        .chars()
        .zip(other.chars())
        .take_while(|(one, other)| one == other);
    alike.count().saturating_sub(SHOWN_BEFORE)
}

/// What differs; `path` is where. What is missing on one side is `None` there.
type Sides<'a> = (Option<&'a Value>, Option<&'a Value>);

fn descend<'a>(alone: &'a Value, together: &'a Value, path: &mut String) -> Option<Sides<'a>> {
    match (alone, together) {
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort();
            names.dedup();
            names
                .into_iter()
                .find_map(|name| within(path, name, (one.get(name), other.get(name))))
        }
        // another number of elements is told as such: which of them is the odd one nobody can say
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            (0..one.len()).find_map(|at| within(path, &at.to_string(), (one.get(at), other.get(at))))
        }
        _ => (alone != together).then_some((Some(alone), Some(together))),
    }
}

fn within<'a>(path: &mut String, name: &str, sides: Sides<'a>) -> Option<Sides<'a>> {
    let until = path.len();
    path.push('/');
    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
    let found = match sides {
        (Some(alone), Some(together)) => descend(alone, together, path),
        sides => Some(sides),
    };
    if found.is_none() {
        path.truncate(until);
    }
    found
}

/// A value: an array with its number of elements.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(value @ Value::Array(elements)) => format!("{} of {value}", elements.len()),
        Some(value) => value.to_string(),
    }
}

/// A text from a character on, fit to be printed.
pub(super) fn cut(text: &str, from: usize) -> String {
    let printable = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let mut rest = text.chars().skip(from).map(printable);
    let mut shown: String = if from > 0 { "…".to_owned() } else { String::new() };
    shown.extend(rest.by_ref().take(SHOWN_MAX));
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(alone: Value, together: Value, expect: Option<(&str, &str, &str)>) {
        let gap = first(&alone, &together);
        let told = gap
            .as_ref()
            .map(|gap| (gap.pointer.as_str(), gap.alone.as_str(), gap.together.as_str()));
        assert_eq!(told, expect);
    }

    #[test]
    fn the_first_difference_is_told() {
        check(json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 2}]}), None);
        check(
            json!({"a": [1, {"b": 2}], "c": 1}),
            json!({"a": [1, {"b": 3}], "c": 2}),
            Some(("/a/1/b", "2", "3")),
        );
        check(
            json!({"a/b": {"~": null}}),
            json!({"a/b": {}}),
            Some(("/a~1b/~0", "null", "nothing")),
        );
        check(json!({}), json!({"n": 1}), Some(("/n", "nothing", "1")));
        check(
            json!({"l": ["x"]}),
            json!({"l": ["x", "y"]}),
            Some(("/l", r#"1 of ["x"]"#, r#"2 of ["x","y"]"#)),
        );
        check(json!([1, 2]), json!([2, 1]), Some(("/0", "1", "2")));
        check(json!("1"), json!(1), Some(("", r#""1""#, "1")));
    }

    #[test]
    fn what_is_shown_has_an_end_and_does_not_steer_a_terminal() {
        assert_eq!(cut("\x1b[2J", 0), "\u{fffd}[2J");
        assert_eq!(cut(&"a".repeat(1_000), 0).chars().count(), SHOWN_MAX + 1);
        assert_eq!(cut("abcd", 2), "…cd");
        let long = |end| json!(format!("{}{end}", "a".repeat(1_000)));
        let gap = first(&long("b"), &long("c")).unwrap();
        assert!(
            gap.alone.ends_with("aab\"") && gap.together.ends_with("aac\""),
            "{gap:?}"
        );
    }
}
