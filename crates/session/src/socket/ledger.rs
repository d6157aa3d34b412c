//! Which request ids a connection has used, and for which attempts.

use std::task::{Context, Poll, Waker};

use history::{
    At, Conn, Fact, Interval, Op, Outcome, Replica, Room, RoomIssued, Session, Tenant, ThreadIssued, User,
};

use super::request_ids::RequestIds;
use super::unanswered::Unanswered;
use crate::answer::Answer;
use crate::codec::{Item, Order, Slot, Values};
use crate::profile::Action;

/// All attempts of one connection.
///
/// An attempt's number is its request id, so that any id that was ever used here names its attempt, and none has to
/// be remembered: ids are consecutive but for the gaps that phases and probes leave.
#[derive(Debug)]
pub(crate) struct Ledger {
    conn: Conn,
    ids: RequestIds,
    /// Attempts whose end has not been taken note of by whoever made them.
    open: Vec<Open>,
    unanswered: Unanswered,
}

/// An attempt.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) op: Op,
    pub(crate) action: Action,
    pub(crate) invoked: At,
    /// When it is given up.
    pub(crate) deadline: At,
    pub(crate) change: Option<Change>,
    /// What its acknowledgement has held.
    pub(crate) values: Values,
    /// What was made for it, and holds if it succeeds.
    pub(crate) made: Values,
    /// Whether a piece of a streamed answer has come.
    pub(crate) begun: bool,
    /// Whether its user has asked for it to be cancelled.
    pub(super) cancelled: bool,
    /// Its end.
    answer: Option<Answer>,
    /// Whoever waits for any of that.
    waiting: Option<Waker>,
}

/// What an attempt does to what the judge must know, if it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A user comes or goes.
    Membership { room: Room, user: User, joined: bool },
    /// A room comes to be, with its creator in it.
    Founded { room: Room, tenant: Tenant, owner: User },
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) conn: Conn,
    pub(crate) user: User,
    pub(crate) session: Option<Session>,
    pub(crate) replica: Replica,
}

impl Ledger {
    /// `ids` is how many request ids there are on the wire, if they start again.
    pub(crate) fn new(conn: Conn, order: Order, ids: Option<u32>) -> Self {
        Self {
            conn,
            unanswered: Unanswered::new(order),
            ids: RequestIds::new(ids),
            open: Vec::new(),
        }
    }

    /// From here on, request ids are above `base`: users that do this at a barrier have equal ids in flight.
    pub(crate) fn align(&mut self, base: u32) {
        self.ids.align(base);
    }

    /// The number that the next request id will be.
    pub(crate) fn peek(&self) -> u32 {
        self.ids.peek()
    }

    pub(crate) fn skip(&mut self, count: u32) {
        self.ids.skip(count);
    }

    /// The next request id, and the attempt that it names from now on.
    pub(crate) fn next_id(&mut self) -> (u32, Op) {
        let id = self.ids.take();
        (id, Op::of(self.conn, id))
    }

    /// Begins an attempt.
    pub(crate) fn begin(&mut self, open: Open) {
        if self.open.capacity() == 0 {
            // most users have one at a time
            self.open.reserve_exact(1);
        }
        self.open.push(open);
    }

    /// It is asked over the connection, `fenced` or not, and says this.
    pub(crate) fn asked(&mut self, op: Op, fenced: bool, said: &Values) {
        if let Some(action) = self.pending(op).map(|open| open.action) {
            self.unanswered.begin(op, fenced, action, said);
        }
    }

    /// Says whose the answers are that are told by order.
    pub(crate) fn resolve(&mut self, items: &mut [Item<'_>]) {
        if !self.unanswered.is_idle() {
            let (ids, conn) = (&self.ids, self.conn);
            self.unanswered
                .resolve(items, |request| Some(Op::of(conn, ids.of(request)?)));
        }
    }

    /// The attempt was given up.
    pub(crate) fn give_up(&mut self, op: Op) {
        self.unanswered.give_up(op);
    }

    /// The attempt of a request id, also when it is over.
    pub(crate) fn op(&self, request: &str) -> Option<Op> {
        Some(Op::of(self.conn, self.ids.of(request)?))
    }

    /// An attempt that has not ended.
    pub(crate) fn pending(&mut self, op: Op) -> Option<&mut Open> {
        self.open
            .iter_mut()
            .find(|open| open.op == op && open.answer.is_none())
    }

    /// Attempts that have not ended and whose time is up at `at`.
    pub(crate) fn pending_until(&self, at: At) -> Vec<Op> {
        let pending = self.open.iter().filter(|open| open.answer.is_none());
        pending
            .filter(|open| open.deadline <= at)
            .map(|open| open.op)
            .collect()
    }

    /// When the time of the first of those is up.
    pub(crate) fn first_deadline(&self) -> Option<At> {
        let pending = self.open.iter().filter(|open| open.answer.is_none());
        pending.map(|open| open.deadline).min()
    }

    /// Waits for the end of an attempt and takes it out; `None` if there is no such attempt.
    pub(crate) fn poll_answer(&mut self, op: Op, cx: &Context<'_>) -> Poll<Option<Answer>> {
        let Some(at) = self.open.iter().position(|open| open.op == op) else {
            return Poll::Ready(None);
        };
        if self.open[at].answer.is_some() {
            return Poll::Ready(self.open.swap_remove(at).answer);
        }
        self.open[at].wait(cx);
        Poll::Pending
    }

    /// Waits for a piece of a streamed answer; whether one came before the end.
    pub(crate) fn poll_begun(&mut self, op: Op, cx: &Context<'_>) -> Poll<bool> {
        let Some(open) = self.open.iter_mut().find(|open| open.op == op) else {
            return Poll::Ready(false);
        };
        if open.begun || open.answer.is_some() {
            return Poll::Ready(open.begun);
        }
        open.wait(cx);
        Poll::Pending
    }

    /// Nobody waits for an attempt any more.
    pub(crate) fn forget(&mut self, op: Op) {
        self.open.retain(|open| open.op != op);
    }
}

impl Open {
    pub(crate) fn new(op: Op, action: Action, invoked: At, deadline: At, change: Option<Change>) -> Self {
        Self {
            op,
            action,
            invoked,
            deadline,
            change,
            values: Values::new(),
            made: Values::new(),
            begun: false,
            cancelled: false,
            answer: None,
            waiting: None,
        }
    }

    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waiting {
            Some(waiting) => waiting.clone_from(cx.waker()),
            None => self.waiting = Some(cx.waker().clone()),
        }
    }

    /// Wakes whoever waits.
    pub(crate) fn tell(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    pub(crate) fn end(&mut self, answer: Answer) {
        self.answer = Some(answer);
        self.tell();
    }

    /// What the judge has to know of its end, beside the end itself.
    pub(crate) fn facts<'a>(
        &self,
        holder: Holder,
        at: At,
        outcome: &Outcome,
        values: &'a Values,
    ) -> Vec<Fact<'a>> {
        let mut facts = Vec::new();
        let during = Interval {
            from: self.invoked,
            to: at,
        };
        facts.extend(self.membership(during, outcome));
        if *outcome != Outcome::Ok {
            return facts;
        }
        if let (Action::WhoAmI | Action::WhoAmIWith, Some(seen)) = (self.action, values.get(Slot::User)) {
            facts.extend(holder.identified(seen, during));
        }
        if let (Action::CreateThread, Some(id)) = (self.action, values.get(Slot::Thread)) {
            let Holder {
                conn, user: owner, ..
            } = holder;
            facts.push(Fact::ThreadIssued(ThreadIssued {
                op: self.op,
                conn,
                owner,
                thread_id: id.into(),
                during,
            }));
        }
        if let (Some(Change::Founded { room, tenant, owner }), Some(id)) =
            (self.change, values.get(Slot::Room))
        {
            facts.insert(
                0,
                Fact::RoomIssued(RoomIssued {
                    room,
                    tenant,
                    owner,
                    room_id: id.into(),
                }),
            );
        }
        facts
    }

    /// A change that was refused is none; one that nobody answered may have come about at any time since.
    fn membership(&self, during: Interval, outcome: &Outcome) -> Option<Fact<'static>> {
        let during = match outcome {
            Outcome::Ok => during,
            Outcome::Info(_) => Interval {
                to: At::NEVER,
                ..during
            },
            Outcome::Fail(_) => return None,
        };
        let (room, user, joined) = match self.change? {
            Change::Membership { room, user, joined } => (room, user, joined),
            Change::Founded { room, owner, .. } => (room, owner, true),
        };
        Some(Fact::Membership {
            room,
            user,
            joined,
            during,
        })
    }
}

impl Holder {
    /// That the service named the caller `seen`; `None` where no session was presented.
    pub(crate) fn identified(self, seen: &str, during: Interval) -> Option<Fact<'_>> {
        let Self {
            conn,
            user,
            session,
            replica,
        } = self;
        let session = session?;
        Some(Fact::Identified(history::Identified {
            user,
            session,
            conn,
            replica,
            seen: seen.into(),
            during,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDER: Holder = Holder {
        conn: Conn(3),
        user: User(1),
        session: Some(Session(2)),
        replica: Replica(0),
    };

    fn open(action: Action, change: Option<Change>) -> Open {
        Open::new(Op(9), action, At(10), At(99), change)
    }

    #[track_caller]
    fn check(open: &Open, outcome: &Outcome, values: &Values, expect: &[Fact<'_>]) {
        assert_eq!(open.facts(HOLDER, At(20), outcome, values), expect);
    }

    #[test]
    fn unanswered_changes_are_uncertain_for_ever() {
        let change = Change::Membership {
            room: Room(4),
            user: User(5),
            joined: false,
        };
        let leave = open(Action::RemoveMember, Some(change));
        let membership = |to| Fact::Membership {
            room: Room(4),
            user: User(5),
            joined: false,
            during: Interval { from: At(10), to },
        };
        check(&leave, &Outcome::Ok, &Values::new(), &[membership(At(20))]);
        check(
            &leave,
            &Outcome::Info("timeout".to_owned()),
            &Values::new(),
            &[membership(At::NEVER)],
        );
        check(
            &leave,
            &Outcome::Fail("not_found".to_owned()),
            &Values::new(),
            &[],
        );
    }

    #[test]
    fn ids_are_told_when_the_service_issues_them() {
        let create = open(Action::CreateThread, None);
        let values = Values::new().with(Slot::Thread, "t-1");
        let issued = ThreadIssued {
            op: Op(9),
            conn: Conn(3),
            owner: User(1),
            thread_id: "t-1".into(),
            during: Interval {
                from: At(10),
                to: At(20),
            },
        };
        check(&create, &Outcome::Ok, &values, &[Fact::ThreadIssued(issued)]);
        check(&create, &Outcome::Fail("busy".to_owned()), &values, &[]);
    }

    #[test]
    fn a_founder_is_a_member() {
        let change = Change::Founded {
            room: Room(0),
            tenant: Tenant(0),
            owner: User(1),
        };
        let found = open(Action::CreateRoom, Some(change));
        let values = Values::new().with(Slot::Room, "r-1");
        let facts = found.facts(HOLDER, At(20), &Outcome::Ok, &values);
        assert!(matches!(
            &facts[..],
            [Fact::RoomIssued(issued), Fact::Membership { joined: true, user: User(1), .. }] if issued.room_id == "r-1"
        ));
    }

    #[test]
    fn ids_are_never_used_twice() {
        let mut ledger = Ledger::new(Conn(3), Order::None, None);
        assert_eq!(ledger.next_id().0, 1);
        ledger.align(1_000);
        assert_eq!(ledger.next_id().0, 1_001);
        ledger.align(500);
        assert_eq!(ledger.next_id().0, 1_002);
    }

    #[test]
    fn every_id_that_was_used_names_its_attempt_for_ever_and_no_other_does() {
        let mut ledger = Ledger::new(Conn(3), Order::None, None);
        let mut ops = Vec::new();
        for phase in 0..4 {
            ledger.align(phase * 1_000);
            ops.extend((0..10).map(|_| ledger.next_id()));
            ledger.skip(5);
            ops.push(ledger.next_id());
        }
        for (id, op) in &ops {
            assert_eq!(ledger.op(&id.to_string()), Some(*op));
        }
        let used = |id: u32| ops.iter().any(|(used, _)| *used == id);
        for id in (0..5_000).filter(|id| !used(*id)) {
            assert_eq!(ledger.op(&id.to_string()), None, "{id}");
        }
        for strange in ["", "01", "+1", "1 ", "-1", "1.0", "4294967297", "x"] {
            assert_eq!(ledger.op(strange), None, "{strange}");
        }
    }

    #[test]
    fn an_end_is_taken_once() {
        let mut ledger = Ledger::new(Conn(3), Order::None, None);
        let (_, op) = ledger.next_id();
        ledger.begin(Open::new(op, Action::Post, At(10), At(99), None));
        let cx = Context::from_waker(Waker::noop());
        assert!(ledger.poll_answer(op, &cx).is_pending());
        assert_eq!(
            (ledger.pending_until(At(98)), ledger.first_deadline()),
            (vec![], Some(At(99)))
        );
        assert_eq!(ledger.pending_until(At(99)), [op]);
        let during = Interval {
            from: At(10),
            to: At(20),
        };
        let answer = Answer {
            outcome: Outcome::Ok,
            status: None,
            values: Values::new(),
            during,
        };
        ledger.pending(op).unwrap().end(answer);
        assert!(ledger.pending(op).is_none() && ledger.pending_until(At::NEVER).is_empty());
        assert!(matches!(ledger.poll_answer(op, &cx), Poll::Ready(Some(_))));
        assert!(matches!(ledger.poll_answer(op, &cx), Poll::Ready(None)));
    }
}
