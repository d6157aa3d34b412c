//! What users send and what comes, step by step, for whoever writes a profile. Secrets are not in it.

use std::cell::{Cell, RefCell};
use std::sync::mpsc::Sender;

use history::{At, Check, Conn, Interval, ProbeResult, User};

use crate::clock::Clock;
use crate::codec::{Item, Whose};

/// Takes the steps of a run.
#[derive(Clone, Debug)]
pub struct Trace(Sender<Traced>);

impl From<Sender<Traced>> for Trace {
    fn from(steps: Sender<Traced>) -> Self {
        Self(steps)
    }
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// When.
    pub at: At,
    /// Whose it is.
    pub user: User,
    /// Over which connection, or which log-in's exchanges.
    pub conn: Conn,
    /// Whether what must be denied was being tried, or what shows whether it was.
    pub tried: bool,
    /// What happened.
    pub step: TracedStep,
}

/// Something that must be denied was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedProbe {
    /// The check it belongs to.
    pub check: Check,
    /// What such probes have in common.
    pub class: String,
    /// What was tried.
    pub name: String,
    /// Against whom; `None` if against the service as such.
    pub victim: Option<User>,
    /// Over which connection; `None` if there was none.
    pub conn: Option<Conn>,
    /// Whether the same on one's own was accepted before and after.
    pub controls: (bool, bool),
    /// What it was taken for.
    pub result: ProbeResult,
    /// What was seen.
    pub detail: String,
    /// When.
    pub during: Interval,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TracedStep {
    /// A request over HTTP.
    Asked(String),
    /// Its answer.
    Answered {
        /// `None` if none came.
        status: Option<u16>,
        /// The body, or why there was none.
        body: String,
        /// What was looked for, where, and whether it was there.
        sought: Vec<(&'static str, String, bool)>,
    },
    /// An upgrade was accepted: to where.
    Opened(String),
    /// It was not: why, and to where.
    Refused(String, String),
    /// A message was sent.
    Sent(String),
    /// A message came.
    Came {
        /// As it came.
        message: String,
        /// What it was taken for, a line each.
        taken: Vec<String>,
        /// Whether it answers what was asked over the connection, and does no more.
        asked: bool,
        /// Whether nothing of it was understood.
        unmatched: bool,
    },
    /// The connection ended.
    Closed(String),
    /// A probe ended.
    Tried(TracedProbe),
}

/// A worker's end of a trace.
#[derive(Debug)]
pub(crate) struct Tracer {
    to: Option<Trace>,
    clock: Clock,
    /// Whether what must be denied is being tried.
    trying: Cell<bool>,
    /// What is not shown, and what stands in its place.
    secrets: RefCell<Vec<(String, &'static str)>>,
}

/// What stands in place of a value from the environment.
const GIVEN: &str = "<env>";

impl Tracer {
    /// `given` came from the environment.
    pub(crate) fn new(to: Option<Trace>, clock: Clock, given: Vec<String>) -> Self {
        let secrets = given.into_iter().map(|secret| (secret, GIVEN)).collect();
        Self {
            to,
            clock,
            trying: Cell::default(),
            secrets: RefCell::new(secrets),
        }
    }

    /// From here on, what must be denied is tried, or is not.
    pub(crate) fn tries(&self, trying: bool) {
        self.trying.set(trying);
    }

    /// From here on, `secret` is not shown.
    pub(crate) fn hide(&self, secret: &str, name: &'static str) {
        if self.to.is_some() && !secret.is_empty() {
            let digits = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            let secrets = &mut *self.secrets.borrow_mut();
            secrets.extend([(secret.to_owned(), name), (digits, name)]);
        }
    }

    /// Tells of a step that was just made, if anybody listens; if nobody does, it costs nothing.
    pub(crate) fn tell(&self, user: User, conn: Conn, step: impl FnOnce() -> TracedStep) {
        let Some(Trace(steps)) = &self.to else { return };
        let step = match step() {
            TracedStep::Asked(text) => TracedStep::Asked(self.shown(text)),
            TracedStep::Sent(text) => TracedStep::Sent(self.shown(text)),
            TracedStep::Answered { status, body, sought } => TracedStep::Answered {
                status,
                body: self.shown(body),
                sought,
            },
            TracedStep::Came {
                message,
                taken,
                asked,
                unmatched,
            } => TracedStep::Came {
                message: self.shown(message),
                taken,
                asked,
                unmatched,
            },
            TracedStep::Opened(to) => TracedStep::Opened(self.shown(to)),
            TracedStep::Refused(why, to) => TracedStep::Refused(why, self.shown(to)),
            step => step,
        };
        let (at, tried) = (self.clock.now(), self.trying.get());
        // nobody may be listening any more
        let _ = steps.send(Traced {
            at,
            user,
            conn,
            tried,
            step,
        });
    }

    fn shown(&self, text: String) -> String {
        let secrets = self.secrets.borrow();
        secrets
            .iter()
            .fold(text, |text, (secret, name)| text.replace(secret, name))
    }
}

/// What a message was taken for, in words.
pub(crate) fn in_words(item: &Item<'_>, ours: bool) -> String {
    match item {
        Item::Reply {
            whose, step, code, ..
        } => {
            let request = match whose {
                Whose::Id(id) => id.as_ref(),
                Whose::Oldest | Whose::OldestFenced | Whose::Fitting(..) => "the oldest request",
            };
            let step = format!("{step:?}").to_lowercase();
            let code = code.as_ref().map(|code| format!(" `{code}`")).unwrap_or_default();
            let whose = if ours { "" } else { ", which was never sent here" };
            format!("answer to {request}, {step}{code}{whose}")
        }
        Item::Event { kind, .. } => format!("event `{kind}`"),
        Item::Heartbeat => "proof of life".to_owned(),
        Item::Undecodable => "NOTHING MATCHED".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_told() {
        let (steps, told) = std::sync::mpsc::channel();
        let clock = Clock::new(std::time::Instant::now());
        let tracer = Tracer::new(Some(Trace::from(steps)), clock, vec!["from-env".to_owned()]);
        tracer.hide("s3cret", "<password>");
        let sent = || TracedStep::Sent("a s3cret from-env".to_owned());
        tracer.tell(User(2), Conn(3), sent);
        let told = told.recv().unwrap();
        assert_eq!(told.step, TracedStep::Sent("a <password> <env>".to_owned()));
        assert_eq!((told.user, told.conn), (User(2), Conn(3)));
    }

    #[test]
    fn messages_in_words() {
        let reply = |step| Item::Reply {
            whose: Whose::Id("7".into()),
            step,
            text: None,
            code: Some("busy".into()),
            payload: "".into(),
        };
        assert_eq!(
            in_words(&reply(history::Step::Error), true),
            "answer to 7, error `busy`"
        );
        assert_eq!(
            in_words(&reply(history::Step::Done), false),
            "answer to 7, done `busy`, which was never sent here"
        );
        assert_eq!(in_words(&Item::Undecodable, true), "NOTHING MATCHED");
    }
}
