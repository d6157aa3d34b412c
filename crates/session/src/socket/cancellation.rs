//! Which attempts their user has cancelled: no other may end as cancelled.

use history::{At, Check, Interval, Outcome, Probe, ProbeResult};

use super::Request;
use super::ledger::{Holder, Ledger, Open};
use crate::codec::Slot;
use crate::profile::Action;

/// The code of what ends as cancelled.
const CANCELLED: &str = "cancelled";

impl Ledger {
    /// If this asks to cancel an attempt of this connection, that one may end so.
    pub(super) fn cancel(&mut self, request: &Request) {
        if request.action != Action::Cancel {
            return;
        }
        let named = request.values.get(Slot::Request).and_then(|id| self.op(id));
        if let Some(open) = named.and_then(|op| self.pending(op)) {
            open.cancelled = true;
        }
    }
}

impl Open {
    /// Whether it ends as cancelled, and its user has not cancelled it.
    pub(super) fn is_stray(&self, outcome: &Outcome) -> bool {
        !self.cancelled && matches!(outcome, Outcome::Fail(code) if code == CANCELLED)
    }

    /// That it did, at `at`; whose doing that was is not known.
    pub(super) fn stray(&self, holder: Holder, at: At) -> Probe<'static> {
        Probe {
            check: Check::Response,
            name: "an op that its user has not cancelled".into(),
            attacker: holder.user,
            victim: Some(holder.user),
            replica: holder.replica,
            conn: Some(holder.conn),
            control_before: true,
            control_after: true,
            result: ProbeResult::Accepted,
            detail: format!(
                "{} as {} ended as cancelled",
                self.action.name(),
                self.op.number()
            )
            .into(),
            during: Interval {
                from: self.invoked,
                to: at,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use history::{Conn, Op};

    use super::*;
    use crate::codec::Order;

    /// Two attempts, and a request about the first; whether the end of the first and that of the second are stray.
    #[track_caller]
    fn check(about: impl FnOnce(&str) -> Request, outcome: Outcome, stray: [bool; 2]) {
        let mut ledger = Ledger::new(Conn(3), Order::None, None);
        let ops = [(); 2].map(|()| {
            let (_, op) = ledger.next_id();
            ledger.begin(Open::new(op, Action::Post, At(10), At(99), None));
            op
        });
        ledger.cancel(&about(&ops[0].number().to_string()));
        let found = ops.map(|op: Op| ledger.pending(op).unwrap().is_stray(&outcome));
        assert_eq!(found, stray);
    }

    fn cancel(id: &str) -> Request {
        Request::new(Action::Cancel).with(Slot::Request, id)
    }

    #[test]
    fn only_what_its_user_has_cancelled_may_end_as_cancelled() {
        let cancelled = || Outcome::Fail("cancelled".to_owned());
        check(cancel, cancelled(), [false, true]);
        check(|_| cancel("7"), cancelled(), [true, true]);
        check(
            |id| Request::new(Action::ReadThread).with(Slot::Request, id),
            cancelled(),
            [true, true],
        );
        for other in [
            Outcome::Ok,
            Outcome::Fail("busy".to_owned()),
            Outcome::Info("cancelled".to_owned()),
        ] {
            check(|_| cancel("7"), other, [false, false]);
        }
    }
}
