//! What messages mean, told by rules that a profile gives: the first that fits says what a message is.
//!
//! Rules read JSON. A codec whose protocol is no JSON hands them each of its frames as a JSON object, so that the same rules,
//! with the same pointers, tell the frames of every protocol apart.

use std::borrow::Cow;
use std::sync::Arc;

use history::Step;

use super::echo::echoed;
use super::{Item, Slot, Whose, Wire};
use crate::pointer::{find, pick};
use crate::profile::Action;

/// Kind of an error that names no request.
const STRAY_ERROR: &str = "error";

/// What the messages of a service mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// In order; a message that none fits is undecodable.
    pub rules: Vec<Rule>,
    /// Where the frames of a message stand, if it may be an array of several.
    pub each: Option<String>,
    /// Messages that are proof of life and nothing else, whether they are JSON or not.
    pub heartbeats: Vec<Heartbeat>,
    /// Kinds of events with which the service lets in or turns away: they are not yet content of a session.
    pub preliminaries: Vec<String>,
}

/// A message that is proof of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The whole message, as it comes.
    pub message: String,
    /// What has to be sent back, if anything.
    pub answer: Option<String>,
}

/// One kind of message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What stands where in it, by JSON pointers; all of it must hold.
    pub when: Vec<(String, Condition)>,
    /// What it means.
    pub meaning: Meaning,
}

/// What must hold of the value at a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is one, and it is not null.
    Present,
    /// There is none, or it is null.
    Absent,
    /// There is one, and it is null.
    Null,
    /// It is this text, or has this JSON.
    Is(String),
    /// Its text begins so.
    Begins(String),
}

/// How a message names the request that it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correlation {
    /// Where the request id stands, as a JSON pointer, and what stands before it there; `None` if nowhere.
    pub id: Option<(String, String)>,
    /// Whether, where there is no id, it is the oldest request that has no answer yet.
    pub oldest: bool,
    /// Whether the answer that ends the request is still to come: an error before a fence.
    pub fenced: bool,
    /// What is known of the request, pointers in place of what it says: it is the oldest such that has no answer yet.
    pub of: Option<Asked>,
}

/// What is known of a request that has no id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The op, if it is known.
    pub action: Option<Action>,
    /// What it says.
    pub says: Vec<(Slot, String)>,
}

/// What a message means. The values are JSON pointers into the message, `""` for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields' names say what is found there")]
pub enum Meaning {
    /// The last of an answer: success. Without its id the message is no answer, and a later rule may fit.
    Reply { whose: Correlation, content: String },
    /// What was asked is stored, more comes. As for a reply, its id has to be there.
    Ack { whose: Correlation, content: String },
    /// A piece of a streamed answer. As for a reply, its id has to be there.
    Piece { whose: Correlation, text: String },
    /// The last of an answer: an error. Without its id it is an error that belongs to no request.
    Error { whose: Correlation, code: String },
    /// Something nobody asked for.
    Event {
        kind: Kind,
        content: String,
        cursor: Option<String>,
        answer: Option<String>,
    },
    /// Proof of life, and what has to be sent back, if anything.
    Heartbeat { answer: Option<String> },
}

/// Where the kind of an event is known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is always this.
    Named(String),
    /// It stands there.
    At(String),
}

/// Rules that are read by, and which of them took the frames of the last message.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) rules: Arc<Rules>,
    /// What is sent is binary.
    binary: bool,
    taken: Vec<Option<usize>>,
}

impl Reader {
    pub(super) fn new(rules: Arc<Rules>, binary: bool) -> Self {
        Self {
            rules,
            binary,
            taken: Vec::new(),
        }
    }

    /// From here on, the frames are of another message.
    pub(super) fn begin(&mut self) {
        self.taken.clear();
    }

    /// The rules that took the frames of this message, counted from 1.
    pub(super) fn taken(&self) -> &[Option<usize>] {
        &self.taken
    }

    /// An item that no rule was asked for.
    pub(super) fn pass<'a>(&mut self, item: Item<'a>) -> Item<'a> {
        self.taken.push(None);
        item
    }

    /// What a frame means, which is JSON.
    pub(super) fn read<'a>(&mut self, json: &'a str, back: &mut Vec<Wire>) -> Item<'a> {
        let found = self.rules.item(json);
        self.taken.push(found.as_ref().map(|(number, ..)| *number));
        let Some((_, item, answer)) = found else {
            return Item::Undecodable;
        };
        // what cannot be said back is not
        let answer = answer.and_then(|answer| echoed(answer, json));
        back.extend(answer.map(|answer| Wire::new(answer.into_owned(), self.binary)));
        item
    }

    /// The item of a message that is proof of life as a whole.
    pub(super) fn heartbeat(&mut self, message: &[u8], back: &mut Vec<Wire>) -> Option<Item<'static>> {
        let beats = &self.rules.heartbeats;
        let beat = beats.iter().find(|beat| beat.message.as_bytes() == message)?;
        let answer = beat.answer.as_ref();
        back.extend(answer.map(|answer| Wire::new(answer.clone(), self.binary)));
        Some(self.pass(Item::Heartbeat))
    }
}

impl Rules {
    /// Whether answers are told by their order.
    pub(crate) fn by_order(&self) -> Order {
        let orders = self.rules.iter().map(|rule| match &rule.meaning {
            Meaning::Reply { whose, .. } | Meaning::Ack { whose, .. } if whose.oldest => Order::Strict,
            Meaning::Reply { whose, .. }
            | Meaning::Ack { whose, .. }
            | Meaning::Piece { whose, .. }
            | Meaning::Error { whose, .. }
                if whose.of.is_some() =>
            {
                Order::Fitting
            }
            Meaning::Error { whose, .. } if whose.oldest => Order::Errors,
            _ => Order::None,
        });
        orders.max().unwrap_or_default()
    }

    /// Whether it is by their content that some answers are told, so that it says nothing that the content is the right one.
    pub(crate) fn tell_by_content(&self) -> bool {
        let whose = self.rules.iter().filter_map(|rule| match &rule.meaning {
            Meaning::Reply { whose, .. } | Meaning::Ack { whose, .. } | Meaning::Piece { whose, .. } => {
                Some(whose)
            }
            _ => None,
        });
        let mut said = whose
            .filter_map(|whose| whose.of.as_ref())
            .flat_map(|of| &of.says);
        said.any(|(slot, _)| matches!(slot, Slot::Body | Slot::Nonce))
    }

    /// The number of the rule that takes a frame, from 1, what it makes of it, and what is to be sent back.
    fn item<'a>(&self, json: &'a str) -> Option<(usize, Item<'a>, Option<&String>)> {
        let mut fitting = (1..).zip(&self.rules).filter(|(_, rule)| rule.fits(json));
        fitting.find_map(|(number, rule)| {
            let answer = match &rule.meaning {
                Meaning::Heartbeat { answer } | Meaning::Event { answer, .. } => answer.as_ref(),
                _ => None,
            };
            Some((number, self.meant(&rule.meaning, json)?, answer))
        })
    }

    /// The frame, taken to mean that; `None` if it lacks what such a frame has.
    fn meant<'a>(&self, meaning: &Meaning, json: &'a str) -> Option<Item<'a>> {
        Some(match meaning {
            Meaning::Reply { whose, content } => answer(json, whose, Step::Done, content)?,
            Meaning::Ack { whose, content } => answer(json, whose, Step::Ack, content)?,
            Meaning::Piece { whose, text } => Item::Reply {
                whose: whose.find(json)?,
                step: Step::Delta,
                text: Some(pick(json, text)?.into()),
                code: None,
                payload: Cow::Borrowed(""),
            },
            Meaning::Error { whose, code } => failure(json, whose, code),
            Meaning::Event {
                kind,
                content,
                cursor,
                ..
            } => {
                let kind = match kind {
                    Kind::Named(name) => name.clone(),
                    Kind::At(pointer) => pick(json, pointer)?,
                };
                let cursor = cursor.as_ref().and_then(|pointer| pick(json, pointer));
                Item::Event {
                    cursor: cursor.and_then(|cursor| cursor.parse().ok()),
                    content: !self.preliminaries.contains(&kind),
                    kind: kind.into(),
                    payload: find(json, content).unwrap_or_default(),
                }
            }
            Meaning::Heartbeat { .. } => Item::Heartbeat,
        })
    }
}

/// What answers are told by, beside ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Nothing.
    #[default]
    None,
    /// Errors without an id are the oldest request's.
    Errors,
    /// Some answers are the oldest request's that they fit.
    Fitting,
    /// Answers come in the order of the requests.
    Strict,
}

impl Rule {
    fn fits(&self, json: &str) -> bool {
        self.when
            .iter()
            .all(|(pointer, condition)| condition.holds(json, pointer))
    }
}

impl Condition {
    /// Whether it holds of what stands at a pointer.
    pub(crate) fn holds(&self, json: &str, pointer: &str) -> bool {
        match self {
            Self::Present => pick(json, pointer).is_some(),
            Self::Absent => pick(json, pointer).is_none(),
            Self::Null => find(json, pointer).is_some_and(|there| there == "null"),
            Self::Is(text) => pick(json, pointer).as_ref() == Some(text),
            Self::Begins(text) => pick(json, pointer).is_some_and(|there| there.starts_with(text)),
        }
    }
}

impl Correlation {
    /// Whose answer the frame is; `None` if it does not say.
    fn find<'a>(&self, json: &str) -> Option<Whose<'a>> {
        let id = self.id.as_ref().and_then(|(pointer, before)| {
            let there = pick(json, pointer)?;
            Some(there.strip_prefix(before.as_str())?.to_owned())
        });
        match id {
            Some(id) => Some(Whose::Id(id.into())),
            None if self.of.is_some() => {
                let Asked { action, says } = self.of.as_ref()?;
                let says = says.iter().map(|(slot, at)| Some((*slot, pick(json, at)?)));
                Some(Whose::Fitting(Asked {
                    action: *action,
                    says: says.collect::<Option<_>>()?,
                }))
            }
            None if self.oldest && self.fenced => Some(Whose::OldestFenced),
            None if self.oldest => Some(Whose::Oldest),
            None => None,
        }
    }
}

fn answer<'a>(json: &'a str, whose: &Correlation, step: Step, content: &str) -> Option<Item<'a>> {
    Some(Item::Reply {
        whose: whose.find(json)?,
        step,
        text: None,
        code: None,
        payload: find(json, content).unwrap_or_default(),
    })
}

fn failure<'a>(json: &str, whose: &Correlation, code: &str) -> Item<'a> {
    let code = pick(json, code).unwrap_or_else(|| STRAY_ERROR.to_owned());
    match whose.find(json) {
        Some(whose) => Item::Reply {
            whose,
            step: Step::Error,
            text: None,
            code: Some(code.into()),
            payload: Cow::Borrowed(""),
        },
        // it says that something was refused, and nothing of what the session may see
        None => Item::Event {
            kind: STRAY_ERROR.into(),
            cursor: None,
            content: false,
            payload: Cow::Borrowed(""),
        },
    }
}
