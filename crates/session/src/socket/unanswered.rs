//! Requests that the service has not answered, where answers are told by their order or a fence goes along with a request.

use std::collections::VecDeque;

use history::Op;

use crate::codec::Order;

/// Requests that a connection remembers; beyond, the oldest is forgotten.
const UNANSWERED_LIMIT: usize = 1_024;

/// Whose answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// That of a request which had none.
    Answer(Op),
    /// What still comes for a request that has its answer: that of its fence, or an error behind the fence.
    Echo,
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
    pub(super) fn begin(&mut self, op: Op, fenced: bool) {
        if self.order == Order::None && !fenced {
            return;
        }
        if self.waiting.len() == UNANSWERED_LIMIT {
            self.waiting.pop_front();
        }
        let answered = false;
        self.waiting.push_back(Waiting { op, fenced, answered });
    }

    /// An answer without an id has come, the `last` of its request unless that of a fence is `to_come`.
    pub(super) fn by_order(&mut self, last: bool, to_come: bool) -> Taken {
        let strict = self.order == Order::Strict;
        let oldest = self
            .waiting
            .iter()
            .position(|waiting| strict || !waiting.answered);
        let Some(at) = oldest else { return Taken::Nobodys };
        let waiting = &mut self.waiting[at];
        let taken = match waiting.answered {
            true => Taken::Echo,
            false => Taken::Answer(waiting.op),
        };
        if to_come {
            waiting.answered = true;
        } else if last {
            self.waiting.remove(at);
        }
        taken
    }

    /// An answer to this one has come, the `last` of it.
    pub(super) fn by_id(&mut self, op: Op, last: bool) -> Taken {
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
        if self.order == Order::Errors {
            self.waiting.retain(|waiting| waiting.op != op);
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
        (1..=3).for_each(|number| unanswered.begin(op(number), false));
        unanswered
    }

    #[test]
    fn answers_are_in_order() {
        let mut unanswered = of_three(Order::Strict);
        assert_eq!(unanswered.by_order(false, false), Taken::Answer(op(1)));
        assert_eq!(unanswered.by_order(true, false), Taken::Answer(op(1)));
        // a late answer is still that of who gave up
        unanswered.give_up(op(2));
        assert_eq!(unanswered.by_order(true, false), Taken::Answer(op(2)));
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
        unanswered.begin(op(1), true);
        assert!(!unanswered.is_idle());
        assert_eq!(unanswered.by_id(op(1), true), Taken::Answer(op(1)));
        assert_eq!(unanswered.by_id(op(1), true), Taken::Echo);
        assert_eq!(unanswered.by_id(op(1), true), Taken::Answer(op(1)));
    }

    #[test]
    fn no_more_than_the_limit_wait() {
        let mut unanswered = Unanswered::new(Order::Strict);
        (0..=1_024).for_each(|number| unanswered.begin(op(number), false));
        assert_eq!(unanswered.by_order(true, false), Taken::Answer(op(1)));
        assert_eq!(unanswered.waiting.len(), UNANSWERED_LIMIT - 1);
    }
}
