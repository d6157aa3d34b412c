//! Leads all users through the phases: each begins for all at once and ends when all have arrived, or without the late.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use history::{At, Fact, Interval, User};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::plan::{Phase, PhaseKind, Plan};
use crate::recorder::Recorder;

/// Users named in a message; the others are counted.
const NAMED: usize = 8;

/// What all users see of the conductor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cue {
    /// Nothing has begun.
    Wait,
    /// A phase has begun.
    Play {
        /// Its number.
        phase: u16,
        /// When.
        from: At,
    },
    /// The run is over before its plan is done: close and go.
    Stop,
}

/// A user is done with a phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) user: User,
    pub(crate) phase: u16,
    /// Whether it is connected and answered.
    pub(crate) fit: bool,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Name of the phase.
    pub phase: String,
    /// The round, if the phase is one; else 0.
    pub round: u16,
    /// Phases that are done.
    pub done: u16,
    /// Phases of the plan.
    pub total: u16,
    /// Users who have arrived at the end of this phase.
    pub arrived: u32,
}

/// Leads one run.
pub(crate) struct Conductor {
    pub(crate) plan: Arc<Plan>,
    pub(crate) clock: Clock,
    pub(crate) recorder: Recorder,
    pub(crate) cues: watch::Sender<Cue>,
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) interrupt: watch::Receiver<bool>,
}

/// How a phase ended.
enum PhaseEnd {
    /// All came, or the late were left behind.
    Over,
    /// Somebody wants the run to stop.
    Interrupted,
}

impl Conductor {
    /// Leads through all phases; whether the run was interrupted.
    pub(crate) async fn lead(mut self) -> (Recorder, bool) {
        let plan = Arc::clone(&self.plan);
        let mut stage = Stage::begin(self.clock.now());
        for phase in &plan.phases {
            self.change_stage(&mut stage, phase.kind);
            if let PhaseEnd::Interrupted = self.phase(phase).await {
                self.cues.send_replace(Cue::Stop);
                self.end_stage(&stage);
                return (self.recorder, true);
            }
        }
        self.end_stage(&stage);
        (self.recorder, false)
    }

    async fn phase(&mut self, phase: &Phase) -> PhaseEnd {
        let from = self.clock.now();
        self.recorder.record(
            from,
            Fact::PhaseBegan {
                phase: phase.number,
                name: phase.kind.name().into(),
                round: phase.round,
                measured: phase.measured,
            },
        );
        self.cues.send_replace(Cue::Play {
            phase: phase.number,
            from,
        });
        let (end, arrived) = self.gather(phase).await;
        let at = self.clock.now();
        self.recorder.record(at, Fact::PhaseEnded { phase: phase.number });
        if let PhaseEnd::Over = end {
            self.tell_missing(at, phase, &arrived);
        }
        end
    }

    /// Waits for all users, the phase's limit or an interrupt.
    async fn gather(&mut self, phase: &Phase) -> (PhaseEnd, Vec<Arrival>) {
        let users = self.plan.people.len();
        let deadline = Instant::now() + phase.limit;
        let mut arrived: Vec<Arrival> = Vec::with_capacity(users);
        while arrived.len() < users {
            self.tell_progress(phase, arrived.len());
            tokio::select! {
                arrival = self.arrivals.recv() => match arrival {
                    Some(arrival) if arrival.phase == phase.number => arrived.push(arrival),
                    Some(_late) => {}
                    None => return (PhaseEnd::Over, arrived),
                },
                () = tokio::time::sleep_until(deadline) => return (PhaseEnd::Over, arrived),
                () = raised(&mut self.interrupt) => return (PhaseEnd::Interrupted, arrived),
            }
        }
        (PhaseEnd::Over, arrived)
    }

    fn tell_progress(&self, phase: &Phase, arrived: usize) {
        self.progress.send_replace(Progress {
            phase: phase.kind.name().to_owned(),
            round: phase.round.0,
            done: phase.number,
            total: u16::try_from(self.plan.phases.len()).unwrap_or(u16::MAX),
            arrived: u32::try_from(arrived).unwrap_or(u32::MAX),
        });
    }

    /// A barrier that did not fill leaves a gap in the evidence: it is said, and makes verdicts unknown.
    fn tell_missing(&mut self, at: At, phase: &Phase, arrived: &[Arrival]) {
        let here: BTreeSet<_> = arrived.iter().map(|arrival| arrival.user).collect();
        let name = phase.kind.name();
        if let Some(who) = named(
            self.plan
                .people
                .iter()
                .map(|p| p.user)
                .filter(|user| !here.contains(user)),
        ) {
            let ms = phase.limit.as_millis();
            let what = format!("phase {name}: {who} did not arrive within {ms} ms and were left behind");
            self.recorder.record(at, Fact::LimitHit { what: what.into() });
        }
        let unfit = arrived
            .iter()
            .filter(|arrival| !arrival.fit)
            .map(|arrival| arrival.user);
        if let (PhaseKind::Connect, Some(who)) =
            (phase.kind, named(unfit.collect::<BTreeSet<_>>().into_iter()))
        {
            let what = format!("start barrier: {who} are not connected and answered");
            self.recorder.record(at, Fact::LimitHit { what: what.into() });
        }
    }

    fn change_stage(&mut self, stage: &mut Stage, kind: PhaseKind) {
        let name = stage_of(kind);
        if stage.name != name {
            self.end_stage(stage);
            *stage = Stage {
                name,
                from: self.clock.now(),
            };
        }
    }

    fn end_stage(&mut self, stage: &Stage) {
        let to = self.clock.now();
        let during = Interval { from: stage.from, to };
        self.recorder.record(
            to,
            Fact::Stage {
                name: stage.name.into(),
                during,
            },
        );
    }
}

/// A stretch of the run, as reports name it.
struct Stage {
    name: &'static str,
    from: At,
}

impl Stage {
    fn begin(from: At) -> Self {
        Self {
            name: stage_of(PhaseKind::Login),
            from,
        }
    }
}

fn stage_of(kind: PhaseKind) -> &'static str {
    match kind {
        PhaseKind::Login => "log in",
        PhaseKind::Connect => "connect",
        PhaseKind::Drain | PhaseKind::Close => "drain",
        _ => "drive",
    }
}

/// `3 users (1, 4, 7)`; `None` for nobody.
fn named(users: impl Iterator<Item = User>) -> Option<String> {
    let users: Vec<_> = users.map(|user| user.0.to_string()).collect();
    let shown = users.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if users.len() > NAMED { ", ..." } else { "" };
    (!users.is_empty()).then(|| format!("{} users ({shown}{more})", users.len()))
}

/// Resolves once the flag is raised; never, if nobody can raise it any more.
async fn raised(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|raised| *raised).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// How long a user may take to close when a run is stopped.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_up_to_a_limit() {
        let some = |count| named((0..count).map(User));
        assert_eq!(some(0), None);
        assert_eq!(some(2).as_deref(), Some("2 users (0, 1)"));
        assert_eq!(some(9).as_deref(), Some("9 users (0, 1, 2, 3, 4, 5, 6, 7, ...)"));
    }
}
