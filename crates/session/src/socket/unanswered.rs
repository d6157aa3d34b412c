//! Requests that the service has not answered, where answers are told by their order or a fence goes along with a request.

use std::collections::VecDeque;

use history::{Op, Step};

use crate::codec::{Asked, Item, Order, Slot, Values, Whose};
use crate::profile::Action;

/// Requests that a connection remembers; beyond, the oldest is forgotten.
const UNANSWERED_LIMIT: usize = 1_024;

/// Whose answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// That of a request which had none.
    Answer(Op),
    /// What still comes for a request that has its answer: that of its fence, or an error behind the fence.
    Echo,
    /// That of a request that was given up, or of a later one, if that was never answered.
    Late,
    /// Nobody's.
    Nobodys,
}

/// The requests of one connection that wait, the oldest first; none where every answer has an id and none has a fence.
#[derive(Debug)]
pub(super) struct Unanswered {
    order: Order,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    op: Op,
    /// Whether it and what goes along with it may be answered both.
    fenced: bool,
    answered: bool,
    given_up: bool,
    /// What it asks, and what it says.
    action: Action,
    said: Values,
}

impl Waiting {
    /// Whether an answer of this kind, which says this, may be its.
    fn fits(&self, asked: &Asked) -> bool {
        let says = |(slot, there): &(Slot, String)| {
            let value = self.said.get(*slot).filter(|value| !value.is_empty());
            value.is_some_and(|value| stands_in(value, there))
        };
        asked.action.is_none_or(|action| self.action == action)
            && !self.answered
            && asked.says.iter().all(says)
    }
}

/// Whether a value stands in a text, and is no part of a longer word there.
fn stands_in(value: &str, text: &str) -> bool {
    let ends = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    let mut places = text.match_indices(value);
    places
        .any(|(at, _)| ends(text[..at].chars().next_back()) && ends(text[at + value.len()..].chars().next()))
}

impl Unanswered {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            waiting: VecDeque::new(),
        }
    }

    /// Whether ids alone tell whose an answer is, and each answer is all that comes.
    pub(super) fn is_idle(&self) -> bool {
        self.order == Order::None && self.waiting.is_empty()
    }

    /// A request is written; with a fence, if `fenced`.
    pub(super) fn begin(&mut self, op: Op, fenced: bool, action: Action, said: &Values) {
        if self.order == Order::None && !fenced {
            return;
        }
        if self.waiting.len() == UNANSWERED_LIMIT {
            self.waiting.pop_front();
        }
        // whose an answer is that is told by other means, need not be known
        let said = match self.order {
            Order::Fitting | Order::Strict => said.clone(),
            Order::None | Order::Errors => Values::new(),
        };
        self.waiting.push_back(Waiting {
            op,
            fenced,
            answered: false,
            given_up: false,
            action,
            said,
        });
    }

    /// Says of answers that are told by order whose they are, by the ids that `op_of` knows, and takes out those that are none
    /// any more: what comes for a request that has its answer, and what was never asked for, which a handshake may wait for.
    pub(super) fn resolve(&mut self, items: &mut [Item<'_>], op_of: impl Fn(&str) -> Option<Op>) {
        for item in items {
            let Item::Reply { whose, step, .. } = item else {
                continue;
            };
            let last = matches!(step, Step::Done | Step::Error);
            let taken = match whose {
                Whose::Id(id) => match op_of(id) {
                    Some(op) => self.by_id(op, last),
                    None => continue,
                },
                Whose::Oldest => self.by_order(last, false),
                Whose::OldestFenced => self.by_order(last, true),
                Whose::Fitting(asked) => {
                    let at = self.waiting.iter().position(|waiting| waiting.fits(asked));
                    match at {
                        Some(at) => self.at(at, last, false),
                        // what others were answered too, or what they said
                        None if *step != Step::Error => {
                            item.disown("reply", true);
                            continue;
                        }
                        None => Taken::Nobodys,
                    }
                }
            };
            let error = *step == Step::Error;
            match taken {
                Taken::Answer(op) => *whose = Whose::Id(op.number().to_string().into()),
                Taken::Echo if !error => *item = Item::Heartbeat,
                Taken::Late => item.disown("late reply", false),
                Taken::Echo | Taken::Nobodys => item.disown(if error { "error" } else { "reply" }, false),
            }
        }
    }

    /// An answer without an id has come, the `last` of its request unless that of a fence is `to_come`.
    fn by_order(&mut self, last: bool, to_come: bool) -> Taken {
        let strict = self.order == Order::Strict;
        let oldest = self
            .waiting
            .iter()
            .position(|waiting| strict || !waiting.answered);
        match oldest {
            Some(at) => self.at(at, last, to_come),
            None => Taken::Nobodys,
        }
    }

    /// An answer to this one has come.
    fn at(&mut self, at: usize, last: bool, to_come: bool) -> Taken {
        let waiting = &mut self.waiting[at];
        let taken = match (waiting.answered, waiting.given_up) {
            (true, _) => Taken::Echo,
            (false, true) => Taken::Late,
            (false, false) => Taken::Answer(waiting.op),
        };
        if to_come {
            waiting.answered = true;
        } else if last {
            self.waiting.remove(at);
        }
        taken
    }

    /// An answer to this one has come, the `last` of it.
    fn by_id(&mut self, op: Op, last: bool) -> Taken {
        let at = self.waiting.iter().position(|waiting| waiting.op == op);
        let Some(at) = at.filter(|_| last) else {
            return Taken::Answer(op);
        };
        let waiting = &mut self.waiting[at];
        let taken = match waiting.answered {
            true => Taken::Echo,
            false => Taken::Answer(op),
        };
        if waiting.fenced && !waiting.answered {
            waiting.answered = true;
        } else {
            self.waiting.remove(at);
        }
        taken
    }

    /// Nobody waits for it any more. Its answer is still to come where all are in order; where only errors are, the next one
    /// is more likely that of a later request.
    pub(super) fn give_up(&mut self, op: Op) {
        if matches!(self.order, Order::Errors | Order::Fitting) {
            self.waiting.retain(|waiting| waiting.op != op);
        }
        let mut waiting = self.waiting.iter_mut();
        if let Some(waiting) = waiting.find(|waiting| waiting.op == op) {
            waiting.given_up = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use history::Conn;

    use super::*;

    fn op(number: u32) -> Op {
        Op::of(Conn(3), number)
    }

    fn of_three(order: Order) -> Unanswered {
        let mut unanswered = Unanswered::new(order);
        (1..=3).for_each(|number| unanswered.begin(op(number), false, Action::Post, &Values::new()));
        unanswered
    }

    #[test]
    fn answers_are_in_order() {
        let mut unanswered = of_three(Order::Strict);
        assert_eq!(unanswered.by_order(false, false), Taken::Answer(op(1)));
        assert_eq!(unanswered.by_order(true, false), Taken::Answer(op(1)));
        // a late answer is still that of who gave up, unless there is none: it is no evidence
        unanswered.give_up(op(2));
        assert_eq!(unanswered.by_order(true, false), Taken::Late);
        // an error, and then the fence of the same
        assert_eq!(unanswered.by_order(true, true), Taken::Answer(op(3)));
        assert_eq!(unanswered.by_order(true, true), Taken::Echo);
        assert_eq!(unanswered.by_order(true, false), Taken::Echo);
        assert_eq!(unanswered.by_order(true, false), Taken::Nobodys);
    }

    #[test]
    fn an_error_is_of_one_who_waits() {
        let mut unanswered = of_three(Order::Errors);
        assert_eq!(unanswered.by_id(op(2), true), Taken::Answer(op(2)));
        unanswered.give_up(op(1));
        assert_eq!(unanswered.by_order(true, false), Taken::Answer(op(3)));
        assert_eq!(unanswered.by_order(true, false), Taken::Nobodys);
    }

    #[test]
    fn an_answer_is_of_the_oldest_that_it_fits() {
        let mut unanswered = Unanswered::new(Order::Fitting);
        let asked = [
            (Action::SubscribeThread, "a.1"),
            (Action::Post, "a.12"),
            (Action::Post, "a.1"),
            (Action::Post, "a.1"),
        ];
        for ((action, thread), number) in asked.into_iter().zip(1..) {
            let said = Values::new().with(Slot::Thread, thread);
            unanswered.begin(op(number), false, action, &said);
        }
        let reply = |thread: &str| Item::Reply {
            whose: Whose::Fitting(Asked {
                action: Some(Action::Post),
                says: vec![(Slot::Thread, thread.to_owned())],
            }),
            step: Step::Done,
            text: None,
            code: None,
            payload: "x".into(),
        };
        let mut items = ["room:a.1", "a.1", "a.1", "a.12", "a.3"].map(reply);
        unanswered.resolve(&mut items, |_| None);
        let told = items.map(|item| match item {
            Item::Reply {
                whose: Whose::Id(id), ..
            } => id.into_owned(),
            Item::Event { kind, content, .. } => format!("{kind} {content}"),
            other => format!("{other:?}"),
        });
        assert_eq!(told, ["3", "4", "reply true", "2", "reply true"]);
        unanswered.give_up(op(1));
        assert!(unanswered.waiting.is_empty());
    }

    #[test]
    fn ids_need_no_order() {
        let mut unanswered = of_three(Order::None);
        assert!(unanswered.is_idle());
        assert_eq!(unanswered.by_id(op(1), true), Taken::Answer(op(1)));
        // a second answer is one
        assert_eq!(unanswered.by_id(op(1), true), Taken::Answer(op(1)));
    }

    #[test]
    fn a_fence_and_what_it_fences_are_answered_once() {
        let mut unanswered = Unanswered::new(Order::None);
        unanswered.begin(op(1), true, Action::Post, &Values::new());
        assert!(!unanswered.is_idle());
        assert_eq!(unanswered.by_id(op(1), true), Taken::Answer(op(1)));
        assert_eq!(unanswered.by_id(op(1), true), Taken::Echo);
        assert_eq!(unanswered.by_id(op(1), true), Taken::Answer(op(1)));
    }

    #[test]
    fn answers_get_the_ids_of_their_requests() {
        let reply = |whose, step| Item::Reply {
            whose,
            step,
            text: None,
            code: None,
            payload: "x".into(),
        };
        let event = |kind: &'static str| Item::Event {
            kind: kind.into(),
            cursor: None,
            content: false,
            payload: "x".into(),
        };
        let id = |id: &'static str| Whose::Id(id.into());
        let mut unanswered = of_three(Order::Strict);
        let mut items = [
            reply(Whose::Oldest, Step::Done),
            reply(Whose::OldestFenced, Step::Error),
            Item::Undecodable,
            reply(Whose::Oldest, Step::Done),
            reply(id("3"), Step::Done),
            reply(id("9"), Step::Done),
            reply(Whose::Oldest, Step::Done),
            reply(Whose::OldestFenced, Step::Error),
        ];
        unanswered.resolve(&mut items, |id| (id == "3").then(|| op(3)));
        let expect = [
            reply(id("1"), Step::Done),
            reply(id("2"), Step::Error),
            Item::Undecodable,
            Item::Heartbeat,
            reply(id("3"), Step::Done),
            reply(id("9"), Step::Done),
            event("reply"),
            event("error"),
        ];
        assert_eq!(items, expect);
    }

    #[test]
    fn no_more_than_the_limit_wait() {
        let mut unanswered = Unanswered::new(Order::Strict);
        (0..=1_024).for_each(|number| unanswered.begin(op(number), false, Action::Post, &Values::new()));
        assert_eq!(unanswered.by_order(true, false), Taken::Answer(op(1)));
        assert_eq!(unanswered.waiting.len(), UNANSWERED_LIMIT - 1);
    }
}
