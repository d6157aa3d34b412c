//! What users did last before something went wrong.

use std::collections::BTreeMap;

use history::{At, BoundaryKind, CloseCause, Conn, Event, Fact, Op, Outcome, Place, Role, User};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::Finding;

/// Steps kept for one user before one instant.
const STEPS_MAX: usize = 5;

/// One step of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastStep {
    /// When.
    pub at: At,
    /// Which event of the history.
    pub place: Place,
    /// What it was, in words.
    pub what: String,
}

/// The last steps of users before events.
#[derive(Debug)]
pub(super) struct Steps {
    /// For each user, the events of interest with the steps before.
    wanted: BTreeMap<User, BTreeMap<(At, Place), Vec<LastStep>>>,
    conns: FxHashMap<Conn, User>,
    /// Attempts that are not over.
    attempts: FxHashMap<Op, (User, Role, String)>,
}

impl Steps {
    /// For the observers and victims of `findings`, before each.
    pub(super) fn before(findings: &[Finding]) -> Self {
        let mut wanted: BTreeMap<User, BTreeMap<(At, Place), Vec<LastStep>>> = BTreeMap::new();
        for finding in findings {
            for user in [Some(finding.observer), finding.victim].into_iter().flatten() {
                wanted
                    .entry(user)
                    .or_default()
                    .entry((finding.at, finding.place))
                    .or_default();
            }
        }
        Self {
            wanted,
            conns: FxHashMap::default(),
            attempts: FxHashMap::default(),
        }
    }

    /// Whether a user is of interest.
    pub(super) fn concern(&self, user: User) -> bool {
        self.wanted.contains_key(&user)
    }

    /// What a user did last before an event, the last step last.
    pub(super) fn of(&self, user: User, before: (At, Place)) -> Vec<LastStep> {
        self.wanted
            .get(&user)
            .and_then(|instants| instants.get(&before))
            .cloned()
            .unwrap_or_default()
    }

    pub(super) fn observe(&mut self, place: Place, event: &Event<'_>) {
        let Some((user, what)) = self.step(&event.fact) else {
            return;
        };
        let Some(instants) = self.wanted.get_mut(&user) else {
            return;
        };
        let step = LastStep {
            at: event.at,
            place,
            what,
        };
        for (_, steps) in instants.range_mut((event.at, place)..) {
            let after = steps.partition_point(|known| (known.at, known.place) <= (step.at, place));
            steps.insert(after, step.clone());
            if steps.len() > STEPS_MAX {
                steps.remove(0);
            }
        }
    }

    /// Whose step a fact is, and what it was.
    fn step(&mut self, fact: &Fact<'_>) -> Option<(User, String)> {
        match fact {
            Fact::Opened {
                conn, user, replica, ..
            } => {
                self.concern(*user).then(|| self.conns.insert(*conn, *user));
                Some((
                    *user,
                    format!("opened connection {} to process {}", conn.0, replica.0),
                ))
            }
            Fact::Refused {
                conn, user, reason, ..
            } => Some((*user, format!("was refused connection {}: {reason}", conn.0))),
            Fact::Closed { conn, cause, .. } => {
                let cause = match cause {
                    CloseCause::ByPlan => "closed it",
                    CloseCause::ByService => "saw the service close it",
                    CloseCause::Lost => "lost it",
                    CloseCause::ByLimit => "gave it up at a limit",
                };
                Some((
                    self.conns.remove(conn)?,
                    format!("connection {}: {cause}", conn.0),
                ))
            }
            Fact::Invoked(invoked) => {
                let (user, role, request) =
                    (invoked.user, invoked.role, invoked.request.clone().into_owned());
                let what = format!("invoked {role:?} as {request} over connection {}", invoked.conn.0);
                self.concern(user)
                    .then(|| self.attempts.insert(invoked.op, (user, role, request)));
                Some((user, what))
            }
            Fact::Completed { op, outcome } => {
                let (user, role, request) = self.attempts.remove(op)?;
                let outcome = match outcome {
                    Outcome::Ok => "ok".to_owned(),
                    Outcome::Fail(code) => format!("failed ({code})"),
                    Outcome::Info(why) => format!("unknown ({why})"),
                };
                Some((user, format!("{role:?} as {request}: {outcome}")))
            }
            Fact::Membership {
                room, user, joined, ..
            } => {
                let went = if *joined { "came into" } else { "left" };
                Some((*user, format!("{went} room {}", room.0)))
            }
            Fact::Boundary {
                session, user, kind, ..
            } => {
                let end = match kind {
                    BoundaryKind::Logout => "logged out",
                    BoundaryKind::Expiry => "expired",
                    BoundaryKind::Revocation => "was revoked",
                };
                Some((*user, format!("session {} {end}", session.0)))
            }
            _ => None,
        }
    }
}
