//! How messages are framed, and the rules that tell them apart.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Binary, Holds, Mqtt, Placed, Text};

/// How messages are framed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) enum Framing {
    /// The reference service's JSON, which is read fastest.
    Chat(Chat),
    /// JSON, one text a message, told apart by rules.
    Json(Json),
    /// The protocol graphql-transport-ws: JSON whose rules are known. Frames are its messages; a subscription's id begins with `s`.
    GraphqlTransportWs(Known),
    /// WAMP (`wamp.2.json`): JSON arrays whose rules are known.
    Wamp(Known),
    /// Socket.IO over Engine.IO v4. Rules see `type` (open, close, connect, disconnect, event, ack, connect-error), `namespace`,
    /// `id`, `data`.
    SocketIo(Ruled),
    /// STOMP 1.2. Rules see `command`, `headers`, `body` (a text) and, if the body is JSON, `json`.
    Stomp(Ruled),
    /// Plain text, one a message or in lines, taken to pieces by regular expressions.
    Text(Lines),
    /// Binary frames, laid out field by field. Rules see each as an object: `packet`, the name of its kind, and its fields by their names.
    Binary(Binary),
    /// MQTT, whose packets and rules are known.
    Mqtt(Mqtt),
}

/// Rules for what comes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Ruled {
    /// In order; the first that fits says what a message is. A message that none fits leaves verdicts unknown.
    pub(in crate::profile::file) rules: Placed<Vec<Placed<Rule>>>,
}

/// A protocol whose rules are known.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Known {
    /// Rules that come before the known ones.
    #[serde(default)]
    pub(in crate::profile::file) rules: Vec<Placed<Rule>>,
}

/// Plain text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Lines {
    /// What ends a line, so that a message may hold several, or a part of one [default: a message is one text].
    pub(in crate::profile::file) ends: Option<Text>,
    /// Whether what is sent goes as binary messages [default: as text].
    #[serde(default)]
    pub(in crate::profile::file) binary: bool,
    /// Regular expressions; the first that matches a text gives its named groups to the rules, beside `text`, all of it. A group
    /// named `length` says how many bytes follow the line, which the rules see as `payload`.
    #[serde(default)]
    pub(in crate::profile::file) patterns: Vec<Text>,
    /// In order; the first that fits says what a text is. A text that none fits leaves verdicts unknown.
    pub(in crate::profile::file) rules: Placed<Vec<Placed<Rule>>>,
    /// Whole messages that are proof of life and nothing else.
    #[serde(default)]
    pub(in crate::profile::file) heartbeats: Vec<Heartbeat>,
}

/// The reference service's JSON.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Chat {
    /// How its objects are shaped.
    pub(in crate::profile::file) envelope: Envelope,
}

/// How the objects are shaped.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::profile::file) enum Envelope {
    /// The member that is there says what it is: `ok`, `err`, `ack`, `delta`, `done` beside `re`; `ev` for events.
    ByMember,
    /// The member `type` says what it is: `result`, `error`, `ack`, `delta`, `done`, `event`; requests have an `id`.
    ByType,
}

/// JSON told apart by rules.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Json {
    /// In order; the first that fits says what a message is. A message that none fits leaves verdicts unknown.
    pub(in crate::profile::file) rules: Placed<Vec<Placed<Rule>>>,
    /// Where an array of messages stands, if one message may hold several: `""` if it is one itself.
    pub(in crate::profile::file) each: Option<Text>,
    /// Whole messages that are proof of life and nothing else, whether they are JSON or not.
    #[serde(default)]
    pub(in crate::profile::file) heartbeats: Vec<Heartbeat>,
}

/// A message that is proof of life.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Heartbeat {
    /// The message as it comes; may be empty.
    pub(in crate::profile::file) message: String,
    /// What has to be sent back, if anything.
    pub(in crate::profile::file) answer: Option<String>,
}

/// One kind of message: when a message is of this kind, and, by exactly one of the others, what that kind is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Rule {
    /// From JSON pointers to what must be there: a text or a number, `true` for anything but null, `false` for nothing or null.
    #[serde(default)]
    pub(in crate::profile::file) when: BTreeMap<Text, Condition>,
    /// The last of an answer: success.
    pub(in crate::profile::file) reply: Option<Answer>,
    /// What was asked is stored, more of the answer comes.
    pub(in crate::profile::file) ack: Option<Answer>,
    /// A piece of a streamed answer.
    pub(in crate::profile::file) piece: Option<Piece>,
    /// The last of an answer: an error. One that names no request is an error of its own.
    pub(in crate::profile::file) error: Option<Failure>,
    /// Something nobody asked for.
    pub(in crate::profile::file) event: Option<Event>,
    /// Proof of life.
    pub(in crate::profile::file) heartbeat: Option<Beat>,
}

/// What must stand at a pointer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "neither a text, a number, true, false, `{ begins = \"...\" }` nor `{ null = true }`"
)]
pub(in crate::profile::file) enum Condition {
    /// Something (true), nothing (false).
    There(bool),
    /// This number.
    Number(i64),
    /// This text.
    Text(String),
    /// More than that.
    More(More),
}

/// What must stand at a pointer: exactly one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) enum More {
    /// A text that begins so.
    Begins(String),
    /// Null, and not nothing (true); not null (false).
    Null(bool),
}

/// Where the parts of an answer stand, as JSON pointers into the message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Answer {
    /// The id of the request that it answers.
    pub(in crate::profile::file) id: Option<Text>,
    /// What stands before the id, there.
    pub(in crate::profile::file) prefix: Option<Text>,
    /// Whether it answers the oldest request that has no answer yet, if there is no id.
    #[serde(default)]
    pub(in crate::profile::file) oldest: bool,
    /// The op that it answers, where no id says which request: it is the oldest of that op that has no answer yet. If there is none, it is
    /// an event named `reply`.
    pub(in crate::profile::file) op: Option<Text>,
    /// What of that request stands where: `{ thread = "/room" }`. It is the oldest that said this.
    #[serde(default)]
    pub(in crate::profile::file) says: Holds,
    /// What the pointers of an op's `answer` begin at [default: the whole message].
    pub(in crate::profile::file) content: Option<Text>,
}

/// Where the parts of a piece stand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Piece {
    /// The id of the request that it answers.
    pub(in crate::profile::file) id: Text,
    /// What stands before the id, there.
    pub(in crate::profile::file) prefix: Option<Text>,
    /// Its text.
    pub(in crate::profile::file) text: Text,
}

/// Where the parts of an error stand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Failure {
    /// The id of the request that it answers.
    pub(in crate::profile::file) id: Option<Text>,
    /// What stands before the id, there.
    pub(in crate::profile::file) prefix: Option<Text>,
    /// Whether it is an answer to the oldest request that has no answer yet, if there is no id.
    #[serde(default)]
    pub(in crate::profile::file) oldest: bool,
    /// The op that it answers, where no id says which request: it is the oldest of that op that has no answer yet. If there is none, it is
    /// an error of its own.
    pub(in crate::profile::file) op: Option<Text>,
    /// What of that request stands where: `{ thread = "/room" }`. It is the oldest that said this.
    #[serde(default)]
    pub(in crate::profile::file) says: Holds,
    /// Whether the answer to that request's fence is still to come.
    #[serde(default)]
    pub(in crate::profile::file) fenced: bool,
    /// Its code or message.
    pub(in crate::profile::file) code: Text,
}

/// Where the parts of an event stand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Event {
    /// Its kind, if all of these are of one; either this or `kind`.
    pub(in crate::profile::file) named: Option<Text>,
    /// Where its kind stands.
    pub(in crate::profile::file) kind: Option<Text>,
    /// Where its content stands [default: the whole message].
    pub(in crate::profile::file) content: Option<Text>,
    /// Where its position stands in what a resume can replay: a number that grows.
    pub(in crate::profile::file) cursor: Option<Text>,
    /// What has to be sent back, if anything: `${/id}` in it is what stands there in the event, as JSON, `${/id:bare}` as text.
    pub(in crate::profile::file) answer: Option<Text>,
}

/// What is done about proof of life.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Beat {
    /// What has to be sent back, if anything: `${/id}` in it is what stands there in the message, as JSON, `${/id:bare}` as text.
    pub(in crate::profile::file) answer: Option<Text>,
}
