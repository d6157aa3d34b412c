//! Which operations a stress is made of: decided by number, so that two pools and two runs get the same.

use std::time::Duration;

use crate::litter::Litter;
use crate::stress::Stress;

/// How long an operation that is to be cancelled sleeps in the database.
pub(crate) const SLEEP_CANCELLED: Duration = Duration::from_millis(30);

/// How long an operation sleeps that the server is told to cancel; it must be found sleeping within this time.
pub(crate) const SLEEP_CANCELLED_BY_SERVER: Duration = Duration::from_secs(5);

/// One operation of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) op: u64,
    pub(crate) user: u32,
    pub(crate) kind: Kind,
}

/// What an operation does after its checkout and the examination of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Writes, reads back, commits.
    Commit,
    /// Writes, reads back, rolls back.
    RollBack,
    /// As commit, with a first checkout that gives up after [`crate::IMPATIENCE`].
    Impatient,
    /// As commit, then leaves something behind as a faulty application does.
    Litter(Litter),
    /// Writes and sleeps; the future is dropped after that time.
    Drop(Duration),
    /// Writes and sleeps; the server is told to cancel the statement.
    CancelByServer,
}

/// The operations that a stress asks for.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) ops: u64,
    pub(crate) users: u32,
    pub(crate) cancels: bool,
    pub(crate) litter: Vec<Litter>,
}

impl Plan {
    pub(crate) fn of(stress: &Stress) -> Self {
        Self {
            ops: stress.ops,
            users: stress.users,
            cancels: stress.cancels,
            litter: stress.litter.clone(),
        }
    }

    /// Operation number `op`, counted from 0. Of ten, one rolls back, one litters, one is cancelled; of twenty, one is impatient.
    pub(crate) fn planned(&self, op: u64) -> Planned {
        let lap = op / 10;
        let kind = match op % 10 {
            2 => Kind::RollBack,
            4 if !self.litter.is_empty() => Kind::Litter(self.litter[lap as usize % self.litter.len()]),
            7 if self.cancels => Self::cancel(lap),
            9 if lap.is_multiple_of(2) => Kind::Impatient,
            _ => Kind::Commit,
        };
        let user = user_of(op, self.users);
        Planned { op, user, kind }
    }

    /// Around BEGIN (tens to hundreds of microseconds), in the sleep (milliseconds), or by the server.
    fn cancel(lap: u64) -> Kind {
        match lap % 3 {
            0 => Kind::Drop(Duration::from_micros(50 + lap * 97 % 900)),
            1 => Kind::Drop(Duration::from_millis(5 + lap % 11)),
            _ => Kind::CancelByServer,
        }
    }
}

/// Whose operation number `op` is; shifted by one with every ten, so that every kind happens to every user.
pub(crate) fn user_of(op: u64, users: u32) -> u32 {
    ((op + op / 10) % u64::from(users)) as u32
}

/// The name that a user's rows carry.
pub(crate) fn user_name(user: u32) -> String {
    format!("pool-user-{user}")
}

/// What operation `op` of `user` stores.
pub(crate) fn body(user: u32, op: u64) -> String {
    format!(
        "row of {} in operation {op}, {:016x}",
        user_name(user),
        op.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hundred_operations_hold_every_kind() {
        let plan = Plan {
            ops: 200,
            users: 12,
            cancels: true,
            litter: Litter::DEFAULT.to_vec(),
        };
        let kinds: Vec<Kind> = (0..plan.ops).map(|op| plan.planned(op).kind).collect();
        let count = |wanted: fn(&Kind) -> bool| kinds.iter().filter(|kind| wanted(kind)).count();
        assert_eq!(count(|kind| *kind == Kind::RollBack), 20);
        assert_eq!(count(|kind| *kind == Kind::Impatient), 10);
        assert_eq!(count(|kind| matches!(kind, Kind::Drop(_))), 14);
        assert_eq!(count(|kind| *kind == Kind::CancelByServer), 6);
        for litter in Litter::DEFAULT {
            assert!(kinds.contains(&Kind::Litter(*litter)), "{litter:?}");
        }
    }

    #[test]
    fn without_cancels_and_litter_there_are_none() {
        let plan = Plan {
            ops: 200,
            users: 12,
            cancels: false,
            litter: Vec::new(),
        };
        let tame = |kind| matches!(kind, Kind::Commit | Kind::RollBack | Kind::Impatient);
        assert!((0..plan.ops).all(|op| tame(plan.planned(op).kind)));
    }
}
