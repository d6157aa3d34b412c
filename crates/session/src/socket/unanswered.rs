//! Requests that the service has not answered, where answers are told by their order.

use std::collections::VecDeque;

use history::Op;

use crate::codec::Order;

/// Requests without an answer that a connection remembers; beyond, the oldest is forgotten.
const UNANSWERED_LIMIT: usize = 1_024;

/// The requests of one connection that wait, the oldest first; none where every answer has an id.
#[derive(Debug)]
pub(super) struct Unanswered {
    order: Order,
    ops: VecDeque<Op>,
}

impl Unanswered {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            ops: VecDeque::new(),
        }
    }

    /// A request is written.
    pub(super) fn begin(&mut self, op: Op) {
        if self.order == Order::None {
            return;
        }
        if self.ops.len() == UNANSWERED_LIMIT {
            self.ops.pop_front();
        }
        self.ops.push_back(op);
    }

    /// The oldest but `before`.
    pub(super) fn get(&self, before: usize) -> Option<Op> {
        self.ops.get(before).copied()
    }

    /// It is answered.
    pub(super) fn settle(&mut self, op: Op) {
        self.ops.retain(|other| *other != op);
    }

    /// Nobody waits for it any more. Its answer is still to come where all are in order; where only errors are, the next one
    /// is more likely that of a later request.
    pub(super) fn give_up(&mut self, op: Op) {
        if self.order == Order::Errors {
            self.settle(op);
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
        (1..=3).for_each(|number| unanswered.begin(op(number)));
        unanswered
    }

    #[test]
    fn answers_are_in_order() {
        let mut unanswered = of_three(Order::Strict);
        assert_eq!(
            [0, 2, 3].map(|before| unanswered.get(before)),
            [Some(op(1)), Some(op(3)), None]
        );
        unanswered.settle(op(1));
        assert_eq!(unanswered.get(0), Some(op(2)));
        // a late answer is still that of who gave up
        unanswered.give_up(op(2));
        assert_eq!(unanswered.get(0), Some(op(2)));
    }

    #[test]
    fn an_error_is_of_one_who_waits() {
        let mut unanswered = of_three(Order::Errors);
        unanswered.settle(op(2));
        unanswered.give_up(op(1));
        assert_eq!(unanswered.get(0), Some(op(3)));
    }

    #[test]
    fn ids_need_no_order() {
        assert_eq!(of_three(Order::None).get(0), None);
    }

    #[test]
    fn no_more_than_the_limit_wait() {
        let mut unanswered = Unanswered::new(Order::Strict);
        (0..=1_024).for_each(|number| unanswered.begin(op(number)));
        assert_eq!(
            (unanswered.get(0), unanswered.get(UNANSWERED_LIMIT)),
            (Some(op(1)), None)
        );
    }
}
