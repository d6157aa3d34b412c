//! Messages without what may differ between two users who do the same.

use std::collections::BTreeMap;

use history::{Serial, User};
use serde_json::{Map, Value};

use crate::canary::{BLOCK_LEN, Canary, MARKER};

use super::transcript::Transcript;

/// Characters of a UUID with hyphens, and where these stand.
const UUID_LEN: usize = 36;
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// What stands for values that the target declares to tell nothing.
const VARIES: &str = "<varies>";

/// Names what may differ by the order in which it first came.
#[derive(Debug)]
pub(super) struct Plain<'a> {
    of: &'a Transcript,
    /// Ids, in lower case, and their numbers.
    ids: BTreeMap<String, usize>,
    canaries: BTreeMap<Serial, usize>,
    /// Whether new ids get no number any more, since the order in which they come is not the user's.
    frozen: bool,
}

impl<'a> Plain<'a> {
    pub(super) fn new(of: &'a Transcript) -> Self {
        Self {
            of,
            ids: BTreeMap::new(),
            canaries: BTreeMap::new(),
            frozen: false,
        }
    }

    /// From here on what comes is in no certain order.
    pub(super) fn freeze(&mut self) {
        self.frozen = true;
    }

    /// A message: JSON as such, anything else as text. `request` is the request's id, if it answers one.
    pub(super) fn message(&mut self, bytes: &[u8], request: Option<&str>) -> Value {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(members)) => {
                let members = members.into_iter().map(|(name, value)| {
                    let names_request = request.is_some() && value.as_str() == request;
                    let value = if names_request {
                        "<request>".into()
                    } else {
                        self.member(&name, value)
                    };
                    (name, value)
                });
                Value::Object(members.collect())
            }
            Ok(value) => self.value(value),
            Err(_) => Value::String(self.text(&String::from_utf8_lossy(bytes))),
        }
    }

    /// Text of a streamed reply.
    pub(super) fn streamed(&mut self, text: &str) -> Value {
        Value::String(self.text(text))
    }

    fn member(&mut self, name: &str, value: Value) -> Value {
        let varies = self.of.subject.varies.iter().any(|varies| varies == name);
        match value {
            Value::String(_) | Value::Number(_) if varies => VARIES.into(),
            value => self.value(value),
        }
    }

    fn value(&mut self, value: Value) -> Value {
        match value {
            Value::Object(members) => {
                let members: Map<String, Value> = members
                    .into_iter()
                    .map(|(name, value)| {
                        let value = self.member(&name, value);
                        (name, value)
                    })
                    .collect();
                Value::Object(members)
            }
            Value::Array(values) => values.into_iter().map(|value| self.value(value)).collect(),
            Value::String(text) if self.of.ids.contains(&text) => self.id(&text).into(),
            Value::String(text) => self.text(&text).into(),
            Value::Number(number) if self.of.ids.contains(&number.to_string()) => {
                self.id(&number.to_string()).into()
            }
            other => other,
        }
    }

    fn id(&mut self, id: &str) -> String {
        let next = self.ids.len() + 1;
        let id = id.to_ascii_lowercase();
        if self.frozen && !self.ids.contains_key(&id) {
            return "<id of something never told>".to_owned();
        }
        format!("<id {}>", self.ids.entry(id).or_insert(next))
    }

    fn canary(&mut self, canary: Canary) -> String {
        if canary.owner != self.of.subject.user {
            return format!("<canary of user {}>", canary.owner.0);
        }
        let next = self.canaries.len() + 1;
        format!("<canary {}>", self.canaries.entry(canary.serial).or_insert(next))
    }

    fn text(&mut self, text: &str) -> String {
        if is_instant(text) {
            return "<instant>".to_owned();
        }
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(uuid) = uuid(rest) {
                plain.push_str(&self.id(uuid));
                rest = &rest[UUID_LEN..];
            } else if let Some(canary) = canary(rest) {
                plain.push_str(&self.canary(canary));
                rest = &rest[BLOCK_LEN..];
            } else {
                plain.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        plain
    }
}

/// Whom a message names beside `own`: the owner of a canary, or of an id by what `named` knows.
pub(super) fn stranger(bytes: &[u8], own: User, named: impl Fn(&str) -> Option<User>) -> Option<User> {
    let text = String::from_utf8_lossy(bytes);
    let owners = text.char_indices().filter_map(|(at, _)| {
        let rest = &text[at..];
        let of_canary = || canary(rest).map(|canary| canary.owner);
        uuid(rest).and_then(&named).or_else(of_canary)
    });
    owners.into_iter().find(|owner| *owner != own)
}

/// The UUID that `text` begins with.
fn uuid(text: &str) -> Option<&str> {
    let head = text.get(..UUID_LEN)?;
    let fits = head.bytes().enumerate().all(|(at, byte)| {
        if HYPHENS.contains(&at) {
            byte == b'-'
        } else {
            byte.is_ascii_hexdigit()
        }
    });
    fits.then_some(head)
}

/// The canary that `text` begins with.
fn canary(text: &str) -> Option<Canary> {
    let head = text.as_bytes().first_chunk::<BLOCK_LEN>()?;
    head.starts_with(MARKER).then(|| Canary::decode(head))?
}

/// Whether it is a date and time as RFC 3339 has them.
fn is_instant(text: &str) -> bool {
    const FORM: &[u8; 19] = b"0000-00-00T00:00:00";
    let Some(head) = text.as_bytes().first_chunk::<19>() else {
        return false;
    };
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        form => byte == form,
    };
    let rest = &text[19..];
    head.iter().zip(FORM).all(fits)
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".:+-Zz".contains(&byte))
}
