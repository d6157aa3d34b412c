//! How binary frames are laid out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Placed, Rule, Text};

/// Binary frames. What is sent is written as what comes is seen: an object with `packet`, the name of the kind of frame, and its fields.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Binary {
    /// What every frame begins with: numbers. Where one `measures` the frame, a message may hold several, or a part of one [default:
    /// nothing, and each message is one frame].
    #[serde(default)]
    pub(in crate::profile::file) head: Vec<Placed<Field>>,
    /// The kinds of frames. What comes is of the first that fits from its first byte to its last.
    pub(in crate::profile::file) packets: Placed<Vec<Placed<Packet>>>,
    /// In order; the first that fits says what a frame is. A frame that none fits leaves verdicts unknown.
    pub(in crate::profile::file) rules: Placed<Vec<Placed<Rule>>>,
}

/// MQTT over WebSockets, with the subprotocol `mqtt`. Rules see `packet` (connack, publish, publish-1, puback, suback ...) and its fields.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Mqtt {
    /// 4 for MQTT 3.1.1 (the default), 5 for MQTT 5: its protocol level, as the protocol itself has it.
    pub(in crate::profile::file) version: Option<Placed<u64>>,
    /// Rules that come before the known ones.
    #[serde(default)]
    pub(in crate::profile::file) rules: Vec<Placed<Rule>>,
}

/// A kind of frame.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Packet {
    /// Its name, which is the member `packet` of its object.
    pub(in crate::profile::file) name: Text,
    /// What stands in which field of the head.
    #[serde(default)]
    pub(in crate::profile::file) when: BTreeMap<Text, u64>,
    /// What follows the head, in order.
    #[serde(default)]
    pub(in crate::profile::file) fields: Vec<Placed<Field>>,
}

/// A field of a frame.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Field {
    /// Its name, which is a member of the frame's object. What has none is not shown, and has an `is`, a `default` or `measures`.
    pub(in crate::profile::file) name: Option<Text>,
    /// What it is: `u1` to `u64` (a number of so many bits, the highest first; what has less than eight shares a byte with its
    /// neighbours), `u16le`, `u24le`, `u32le`, `u64le` (the lowest byte first), `varint` (LEB128), `text` (UTF-8), `bytes` (in
    /// hexadecimal digits) or `uuid` (its 16 bytes).
    #[serde(rename = "type")]
    pub(in crate::profile::file) kind: Text,
    /// Where text or bytes end: after as many bytes as a number right before them says (`"u16"`), after so many (`16`), or at a zero
    /// (`"zero"`) [default: after as many as an earlier field `measures`, or else with the frame].
    pub(in crate::profile::file) length: Option<Placed<Length>>,
    /// What a number counts the bytes of: `all` of the frame, the `rest` that follows the number (both in the head alone), or a field
    /// that comes later, by its name.
    pub(in crate::profile::file) measures: Option<Text>,
    /// How much more the number is than what it measures [default: 0].
    #[serde(default)]
    pub(in crate::profile::file) plus: i64,
    /// What always stands there.
    pub(in crate::profile::file) is: Option<Placed<Content>>,
    /// What is written where nothing is given.
    pub(in crate::profile::file) default: Option<Placed<Content>>,
    /// Whether a frame may end before it, so that it and what comes after it is not there [default: false].
    #[serde(default)]
    pub(in crate::profile::file) optional: bool,
}

/// Where text or bytes end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "neither a number of bytes, the type of a number before them nor `zero`"
)]
pub(in crate::profile::file) enum Length {
    /// After so many bytes.
    Fixed(usize),
    /// After as many as a number of this type says; or `zero`.
    Named(String),
}

/// What stands in a field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "neither a number nor a text")]
pub(in crate::profile::file) enum Content {
    /// A number.
    Number(u64),
    /// Text, or bytes in hexadecimal digits.
    Text(String),
}
