//! Requests: what a client asks, as far as it can be read without knowing the op.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{Dialect, ErrorCode, Failure};
use crate::gateway::limits::REQUEST_ID_CHARS_MAX;

macro_rules! ops {
    ($($op:ident = $name:literal),* $(,)?) => {
        /// The ops of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Op {
            $(#[doc = concat!("`", $name, "`")] $op,)*
        }

        impl Op {
            /// The name on the wire and in metrics.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$op => $name,)* }
            }

            fn by_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$op),)* _ => None }
            }
        }
    };
}

ops! {
    WhoAmI = "whoami",
    Snapshot = "snapshot",
    ThreadCreate = "thread.create",
    ThreadList = "thread.list",
    ThreadFind = "thread.find",
    ThreadRead = "thread.read",
    ThreadSubscribe = "thread.subscribe",
    MessagePost = "message.post",
    Cancel = "cancel",
    RoomCreate = "room.create",
    RoomList = "room.list",
    RoomAdd = "room.add",
    RoomRemove = "room.remove",
    RoomSubscribe = "room.subscribe",
    RoomPost = "room.post",
    RoomRead = "room.read",
    PresenceSet = "presence.set",
    Typing = "typing",
    UserGet = "user.get",
    Resume = "resume",
}

/// A request whose id and op are known; the arguments are still to be read from `text`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) op: Op,
    /// A token in it, which has no business there.
    pub(crate) token: Option<String>,
    text: Utf8Bytes,
}

impl Request {
    /// All of it, as it came.
    #[cfg(feature = "mutants")]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The arguments of the op.
    ///
    /// # Errors
    /// `bad_request` when one is missing or of the wrong type.
    pub(crate) fn arguments<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Failure> {
        serde_json::from_str(&self.text)
            .map_err(|_| Failure::bad_request("an argument of this op is missing or of the wrong type"))
    }
}

/// A message that is no request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// The request id, if it could be read.
    pub(crate) id: Option<String>,
    pub(crate) failure: Failure,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<Word<'a>>,
    #[serde(borrow, default)]
    op: Option<Word<'a>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Word<'a>>,
    #[serde(borrow, default)]
    token: Option<Word<'a>>,
}

/// A string, or something else where a string was wanted.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Other(IgnoredAny),
}

impl Envelope<'_> {
    fn id(&mut self) -> Option<String> {
        let id = self.id.take().and_then(Word::text)?;
        (1..=REQUEST_ID_CHARS_MAX)
            .contains(&id.chars().count())
            .then(|| id.into_owned())
    }
}

impl<'a> Word<'a> {
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(IgnoredAny) => None,
        }
    }
}

/// Reads the envelope of a message.
///
/// # Errors
/// [`Rejected`], with the request id where that can be read.
pub(crate) fn parse(text: Utf8Bytes, dialect: Dialect) -> Result<Request, Rejected> {
    let mut envelope = envelope(&text).map_err(|failure| Rejected { id: None, failure })?;
    let reject = |id: Option<String>, code, message| {
        Err(Rejected {
            id,
            failure: Failure::new(code, message),
        })
    };
    let Some(id) = envelope.id() else {
        return reject(
            None,
            ErrorCode::BadRequest,
            "a request needs an id, a string of 1 to 64 characters",
        );
    };
    let token = envelope
        .token
        .take()
        .map(|token| token.text().unwrap_or_default().into_owned());
    let op = match dialect {
        Dialect::V2 => envelope.op,
        Dialect::V1 => envelope.kind,
    };
    let Some(op) = op.and_then(Word::text) else {
        return reject(Some(id), ErrorCode::BadRequest, "a request needs an op, a string");
    };
    let Some(op) = Op::by_name(&op) else {
        return reject(Some(id), ErrorCode::UnknownOp, "there is no such op");
    };
    Ok(Request { id, op, token, text })
}

fn envelope(text: &str) -> Result<Envelope<'_>, Failure> {
    // a derived reader would take an array for an object
    if !text.trim_start().starts_with('{') {
        return Err(Failure::new(ErrorCode::BadJson, "a message is one JSON object"));
    }
    serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            Failure::bad_request("the request's id or op occurs twice")
        } else {
            Failure::new(ErrorCode::BadJson, "the message is not JSON")
        }
    })
}

/// The id of a message that is not looked at further, if it can be read.
pub(crate) fn id_of(text: &str) -> Option<String> {
    envelope(text).ok()?.id()
}

/// Accepts `text` as an argument of 1 to `chars_max` characters that the database can hold.
///
/// # Errors
/// `bad_request` with `message`.
pub(crate) fn text_argument(text: &str, chars_max: usize, message: &'static str) -> Result<(), Failure> {
    let length = text.chars().take(chars_max + 1).count();
    if length == 0 || length > chars_max || text.contains('\0') {
        return Err(Failure::bad_request(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Result<(&str, Op), (Option<&str>, ErrorCode)>) {
        let parsed = parse(text.into(), Dialect::V2);
        let parsed = parsed
            .as_ref()
            .map(|request| (request.id.as_str(), request.op))
            .map_err(|rejected| (rejected.id.as_deref(), rejected.failure.code));
        assert_eq!(parsed, expect, "{text}");
    }

    #[test]
    fn reads_the_envelope_and_nothing_more() {
        check(r#"{"id":"1","op":"whoami"}"#, Ok(("1", Op::WhoAmI)));
        check(
            r#" {"op":"thread.create","title":[1],"id":"\u0061"}"#,
            Ok(("a", Op::ThreadCreate)),
        );
    }

    #[test]
    fn names_what_is_wrong() {
        check("", Err((None, ErrorCode::BadJson)));
        check("[\"1\",\"whoami\"]", Err((None, ErrorCode::BadJson)));
        check(r#"{"id":"1","op":"whoami"} x"#, Err((None, ErrorCode::BadJson)));
        check(r#"{"id":"1","op":"#, Err((None, ErrorCode::BadJson)));
        check(r#"{"op":"whoami"}"#, Err((None, ErrorCode::BadRequest)));
        check(r#"{"id":7,"op":"whoami"}"#, Err((None, ErrorCode::BadRequest)));
        check(r#"{"id":"","op":"whoami"}"#, Err((None, ErrorCode::BadRequest)));
        check(
            &format!(r#"{{"id":"{}","op":"whoami"}}"#, "é".repeat(65)),
            Err((None, ErrorCode::BadRequest)),
        );
        check(
            r#"{"id":"1","id":"2","op":"whoami"}"#,
            Err((None, ErrorCode::BadRequest)),
        );
        check(r#"{"id":"1"}"#, Err((Some("1"), ErrorCode::BadRequest)));
        check(r#"{"id":"1","op":{}}"#, Err((Some("1"), ErrorCode::BadRequest)));
        check(
            r#"{"id":"1","op":"nope"}"#,
            Err((Some("1"), ErrorCode::UnknownOp)),
        );
        check(
            r#"{"id":"1","type":"whoami"}"#,
            Err((Some("1"), ErrorCode::BadRequest)),
        );
    }

    #[test]
    fn the_older_dialect_names_the_op_by_type() {
        let request = parse(r#"{"type":"whoami","id":"1"}"#.into(), Dialect::V1).expect("a request");
        assert_eq!((request.id.as_str(), request.op), ("1", Op::WhoAmI));
    }

    #[test]
    fn arguments_are_typed() {
        #[derive(Debug, Deserialize)]
        struct Title {
            title: String,
        }
        let read = |text: &str| {
            let request = parse(text.into(), Dialect::V2).expect("a request");
            request.arguments::<Title>().map(|read| read.title)
        };
        assert_eq!(
            read(r#"{"id":"1","op":"thread.create","title":"a"}"#),
            Ok("a".to_owned())
        );
        let missing = read(r#"{"id":"1","op":"thread.create","title":5}"#).expect_err("a refusal");
        assert_eq!(missing.code, ErrorCode::BadRequest);
    }
}
