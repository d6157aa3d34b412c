//! Frames: everything the service says, in either dialect.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::{ErrorCode, Failure};

/// JSON that is encoded already.
pub(crate) type Json = Arc<RawValue>;

/// Encodes `value`, a plain data structure.
///
/// # Errors
/// `internal`, should `value` not be encodable.
pub(crate) fn json(value: &impl Serialize) -> Result<Json, Failure> {
    Ok(serde_json::value::to_raw_value(value)?.into())
}

/// Which of the protocol's envelopes a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `chat.v2`, the current one.
    V2,
    /// `chat.v1`, the legacy one.
    V1,
}

impl Dialect {
    /// The name of the WebSocket subprotocol.
    pub(crate) fn subprotocol(self) -> &'static str {
        match self {
            Self::V2 => "chat.v2",
            Self::V1 => "chat.v1",
        }
    }
}

/// One message to a client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Frame<'a> {
    /// The last of an answer.
    Ok { re: &'a str, data: &'a RawValue },
    /// The last of an answer, or of none.
    Err { re: Option<&'a str>, failure: Failure },
    /// What was asked is stored; more comes.
    Ack { re: &'a str, data: &'a RawValue },
    /// A piece of a streamed answer.
    Delta { re: &'a str, n: u64, text: &'a str },
    /// The last of a streamed answer.
    Done { re: &'a str, data: &'a RawValue },
    /// Something nobody asked for.
    Event {
        kind: &'a str,
        cursor: Option<i64>,
        data: &'a RawValue,
    },
}

#[derive(Serialize)]
struct Delta<'a> {
    n: u64,
    text: &'a str,
}

#[derive(Serialize)]
struct ErrorBody {
    code: &'static str,
    message: &'static str,
}

/// The shapes of `chat.v2`.
#[derive(Serialize)]
#[serde(untagged)]
enum Current<'a> {
    Ok {
        re: &'a str,
        ok: &'a RawValue,
    },
    #[serde(rename_all = "snake_case")]
    Err {
        #[serde(skip_serializing_if = "Option::is_none")]
        re: Option<&'a str>,
        err: ErrorBody,
    },
    Ack {
        re: &'a str,
        ack: &'a RawValue,
    },
    Delta {
        re: &'a str,
        delta: Delta<'a>,
    },
    Done {
        re: &'a str,
        done: &'a RawValue,
    },
    Event {
        ev: &'a str,
        cursor: Option<i64>,
        data: &'a RawValue,
    },
}

/// The shapes of `chat.v1`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Legacy<'a> {
    Result {
        id: &'a str,
        data: &'a RawValue,
    },
    Error {
        id: Option<&'a str>,
        code: &'static str,
        message: &'static str,
    },
    Ack {
        id: &'a str,
        data: &'a RawValue,
    },
    Delta {
        id: &'a str,
        n: u64,
        text: &'a str,
    },
    Done {
        id: &'a str,
        data: &'a RawValue,
    },
    Event {
        name: &'a str,
        cursor: Option<i64>,
        data: &'a RawValue,
    },
}

impl<'a> Frame<'a> {
    /// The text of this frame in `dialect`.
    pub(crate) fn encode(self, dialect: Dialect) -> Utf8Bytes {
        let mut bytes = Vec::with_capacity(128);
        self.encode_in(dialect, &mut bytes);
        String::from_utf8(bytes).expect("JSON is text").into()
    }

    /// Appends the text of this frame in `dialect`.
    pub(crate) fn encode_in(self, dialect: Dialect, bytes: &mut Vec<u8>) {
        let encoded = match dialect {
            Dialect::V2 => serde_json::to_writer(bytes, &Current::from(self)),
            Dialect::V1 => serde_json::to_writer(bytes, &Legacy::from(self)),
        };
        // strings, numbers and JSON that is valid already always encode
        encoded.expect("a frame is plain data");
    }
}

impl<'a> From<Frame<'a>> for Current<'a> {
    fn from(frame: Frame<'a>) -> Self {
        match frame {
            Frame::Ok { re, data } => Self::Ok { re, ok: data },
            Frame::Err { re, failure } => Self::Err {
                re,
                err: failure.into(),
            },
            Frame::Ack { re, data } => Self::Ack { re, ack: data },
            Frame::Delta { re, n, text } => Self::Delta {
                re,
                delta: Delta { n, text },
            },
            Frame::Done { re, data } => Self::Done { re, done: data },
            Frame::Event { kind, cursor, data } => Self::Event {
                ev: kind,
                cursor,
                data,
            },
        }
    }
}

impl<'a> From<Frame<'a>> for Legacy<'a> {
    fn from(frame: Frame<'a>) -> Self {
        match frame {
            Frame::Ok { re, data } => Self::Result { id: re, data },
            Frame::Err {
                re,
                failure: Failure { code, message },
            } => Self::Error {
                id: re,
                code: code.name(),
                message,
            },
            Frame::Ack { re, data } => Self::Ack { id: re, data },
            Frame::Delta { re, n, text } => Self::Delta { id: re, n, text },
            Frame::Done { re, data } => Self::Done { id: re, data },
            Frame::Event { kind, cursor, data } => Self::Event {
                name: kind,
                cursor,
                data,
            },
        }
    }
}

impl From<Failure> for ErrorBody {
    fn from(Failure { code, message }: Failure) -> Self {
        Self {
            code: ErrorCode::name(code),
            message,
        }
    }
}

/// Why the service ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    TokenExpired,
    SessionRevoked,
    SlowReader,
    GoingAway,
    Forbidden,
    MessageTooBig,
    NotUtf8,
    ProtocolError,
}

impl CloseReason {
    /// The close frame that says so.
    pub(crate) fn frame(self) -> CloseFrame {
        let (code, reason) = match self {
            Self::TokenExpired => (4401, "token expired"),
            Self::SessionRevoked => (4403, "session revoked"),
            Self::Forbidden => (4403, "forbidden"),
            Self::SlowReader => (4408, "slow reader"),
            Self::GoingAway => (1001, "going away"),
            Self::MessageTooBig => (1009, "message too big"),
            Self::NotUtf8 => (1007, "not UTF-8"),
            Self::ProtocolError => (1002, "protocol error"),
        };
        CloseFrame {
            code: code.into(),
            reason: Utf8Bytes::from_static(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(frame: Frame<'_>, current: serde_json::Value, legacy: serde_json::Value) {
        let read = |dialect| serde_json::from_str::<serde_json::Value>(&frame.encode(dialect)).expect("JSON");
        assert_eq!(read(Dialect::V2), current);
        assert_eq!(read(Dialect::V1), legacy);
    }

    #[test]
    fn both_dialects_say_the_same() {
        let data = super::json(&json!({"a": 1})).expect("JSON");
        let (re, data) = ("7", &*data);
        check(
            Frame::Ok { re, data },
            json!({"re": "7", "ok": {"a": 1}}),
            json!({"type": "result", "id": "7", "data": {"a": 1}}),
        );
        check(
            Frame::Ack { re, data },
            json!({"re": "7", "ack": {"a": 1}}),
            json!({"type": "ack", "id": "7", "data": {"a": 1}}),
        );
        check(
            Frame::Delta { re, n: 2, text: "x" },
            json!({"re": "7", "delta": {"n": 2, "text": "x"}}),
            json!({"type": "delta", "id": "7", "n": 2, "text": "x"}),
        );
        check(
            Frame::Done { re, data },
            json!({"re": "7", "done": {"a": 1}}),
            json!({"type": "done", "id": "7", "data": {"a": 1}}),
        );
        check(
            Frame::Event {
                kind: "presence",
                cursor: None,
                data,
            },
            json!({"ev": "presence", "cursor": null, "data": {"a": 1}}),
            json!({"type": "event", "name": "presence", "cursor": null, "data": {"a": 1}}),
        );
    }

    #[test]
    fn an_error_without_a_request_has_no_re() {
        let failure = Failure::new(ErrorCode::BadJson, "m");
        check(
            Frame::Err { re: None, failure },
            json!({"err": {"code": "bad_json", "message": "m"}}),
            json!({"type": "error", "id": null, "code": "bad_json", "message": "m"}),
        );
    }
}
