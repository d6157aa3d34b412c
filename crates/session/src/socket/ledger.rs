//! Which request ids a connection has used, and for which attempts.

use history::{
    At, Conn, Fact, Interval, Op, Outcome, Replica, Room, RoomIssued, Session, Tenant, ThreadIssued, User,
};
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use crate::codec::{Slot, Values};
use crate::profile::Action;

/// All attempts of one connection.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Every request id that was ever used here.
    known: FxHashMap<Box<str>, Op>,
    /// Those without an end.
    open: FxHashMap<Op, Open>,
    last_id: u32,
}

/// An attempt that has not ended.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) action: Action,
    pub(crate) invoked: At,
    pub(crate) change: Option<Change>,
    pub(crate) answer: oneshot::Sender<Answer>,
    pub(crate) first_piece: Option<oneshot::Sender<()>>,
    /// What its acknowledgement has held.
    pub(crate) values: Values,
}

/// How an attempt ended, for who made it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) values: Values,
    pub(crate) during: Interval,
}

impl Answer {
    pub(crate) fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// Whether nobody knows.
    pub(crate) fn is_unanswered(&self) -> bool {
        matches!(self.outcome, Outcome::Info(_))
    }

    /// The code or the reason; empty if all went well.
    pub(crate) fn reason(&self) -> &str {
        match &self.outcome {
            Outcome::Ok => "",
            Outcome::Fail(reason) | Outcome::Info(reason) => reason,
        }
    }
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
    /// From here on, request ids are above `base`: users that do this at a barrier have equal ids in flight.
    pub(crate) fn align(&mut self, base: u32) {
        self.last_id = self.last_id.max(base);
    }

    /// The number that the next request id will be.
    pub(crate) fn peek(&self) -> u32 {
        self.last_id + 1
    }

    pub(crate) fn skip(&mut self, count: u32) {
        self.last_id = self.last_id.saturating_add(count);
    }

    pub(crate) fn next_id(&mut self) -> String {
        self.last_id += 1;
        self.last_id.to_string()
    }

    pub(crate) fn begin(&mut self, request: &str, op: Op, open: Open) {
        self.known.insert(request.into(), op);
        self.open.insert(op, open);
    }

    /// The attempt of a request id, also when it is over.
    pub(crate) fn op(&self, request: &str) -> Option<Op> {
        self.known.get(request).copied()
    }

    pub(crate) fn open(&mut self, op: Op) -> Option<&mut Open> {
        self.open.get_mut(&op)
    }

    pub(crate) fn end(&mut self, op: Op) -> Option<Open> {
        self.open.remove(&op)
    }

    pub(crate) fn all_open(&self) -> Vec<Op> {
        let mut ops: Vec<_> = self.open.keys().copied().collect();
        ops.sort_unstable();
        ops
    }
}

impl Open {
    /// What the judge has to know of its end, beside the end itself.
    pub(crate) fn facts<'a>(
        &self,
        op: Op,
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
                op,
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
        let (answer, _) = oneshot::channel();
        Open {
            action,
            invoked: At(10),
            change,
            answer,
            first_piece: None,
            values: Values::new(),
        }
    }

    #[track_caller]
    fn check(open: &Open, outcome: &Outcome, values: &Values, expect: &[Fact<'_>]) {
        assert_eq!(open.facts(Op(9), HOLDER, At(20), outcome, values), expect);
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
        let facts = found.facts(Op(9), HOLDER, At(20), &Outcome::Ok, &values);
        assert!(matches!(
            &facts[..],
            [Fact::RoomIssued(issued), Fact::Membership { joined: true, user: User(1), .. }] if issued.room_id == "r-1"
        ));
    }

    #[test]
    fn ids_are_never_used_twice() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.next_id(), "1");
        ledger.align(1_000);
        assert_eq!(ledger.next_id(), "1001");
        ledger.align(500);
        assert_eq!(ledger.next_id(), "1002");
    }
}
