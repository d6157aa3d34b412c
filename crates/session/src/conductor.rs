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
/// How much longer a phase waits for those who were left behind earlier, once all others have arrived.
const CATCH_UP: Duration = Duration::from_millis(250);

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
    /// Raised by a worker that cannot do its work.
    pub(crate) alarm: watch::Receiver<bool>,
}

/// How a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PhaseEnd {
    /// All came, or the late were left behind.
    Over,
    /// Nobody came: nobody is served any more.
    Deserted,
    /// Somebody wants the run to stop.
    Interrupted,
    /// The harness itself broke.
    Broken,
}

impl Conductor {
    /// Leads through all phases, or as far as there is a point; whether the run was interrupted.
    pub(crate) async fn lead(mut self) -> (Recorder, bool) {
        let plan = Arc::clone(&self.plan);
        let mut stage = Stage::begin(self.clock.now(), &plan);
        let mut end = PhaseEnd::Over;
        let mut behind = BTreeSet::new();
        for phase in &plan.phases {
            self.change_stage(&mut stage, phase.kind);
            end = self.phase(phase, &mut behind).await;
            if end != PhaseEnd::Over {
                self.cues.send_replace(Cue::Stop);
                break;
            }
        }
        self.end_stage(&stage);
        (self.recorder, end == PhaseEnd::Interrupted)
    }

    /// Those left `behind` are not waited for as long as others are: a user who is stuck costs one phase its limit.
    async fn phase(&mut self, phase: &Phase, behind: &mut BTreeSet<User>) -> PhaseEnd {
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
        let (end, arrived) = self.gather(phase, behind).await;
        let at = self.clock.now();
        self.recorder.record(at, Fact::PhaseEnded { phase: phase.number });
        if let PhaseEnd::Over | PhaseEnd::Deserted = end {
            self.tell_missing(at, phase, &arrived, behind);
        }
        if end == PhaseEnd::Deserted {
            let name = phase.kind.name();
            let what = format!("phase {name}: nobody arrived, and the run was given up");
            self.recorder.record(at, Fact::LimitHit { what: what.into() });
        }
        end
    }

    /// Waits for all users, the phase's limit, or whatever else ends it.
    async fn gather(&mut self, phase: &Phase, behind: &BTreeSet<User>) -> (PhaseEnd, Vec<Arrival>) {
        let users = self.plan.users().count();
        let mut deadline = Instant::now() + phase.limit;
        let mut prompt = 0;
        let mut arrived: Vec<Arrival> = Vec::with_capacity(users);
        while arrived.len() < users {
            if prompt == users - behind.len() {
                deadline = deadline.min(Instant::now() + CATCH_UP);
                // once is enough
                prompt = usize::MAX;
            }
            self.tell_progress(phase, arrived.len());
            tokio::select! {
                arrival = self.arrivals.recv() => match arrival {
                    Some(arrival) if arrival.phase == phase.number => {
                        prompt += usize::from(!behind.contains(&arrival.user));
                        arrived.push(arrival);
                    }
                    Some(_late) => {}
                    None => break,
                },
                () = tokio::time::sleep_until(deadline) => break,
                () = raised(&mut self.interrupt) => return (PhaseEnd::Interrupted, arrived),
                () = raised(&mut self.alarm) => return (PhaseEnd::Broken, arrived),
            }
        }
        let end = if arrived.is_empty() {
            PhaseEnd::Deserted
        } else {
            PhaseEnd::Over
        };
        (end, arrived)
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

    /// A barrier that did not fill leaves a gap in the evidence: it is said once for each who is missing, and makes verdicts
    /// unknown.
    fn tell_missing(&mut self, at: At, phase: &Phase, arrived: &[Arrival], behind: &mut BTreeSet<User>) {
        let here: BTreeSet<_> = arrived.iter().map(|arrival| arrival.user).collect();
        let all: BTreeSet<_> = self.plan.users().collect();
        let missing: BTreeSet<_> = all.difference(&here).copied().collect();
        let name = phase.kind.name();
        if let Some(who) = named(missing.difference(behind).copied()) {
            let ms = phase.limit.as_millis();
            let what = format!("phase {name}: {who} did not arrive within {ms} ms and were left behind");
            self.recorder.record(at, Fact::LimitHit { what: what.into() });
        }
        *behind = missing;
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
    fn begin(from: At, plan: &Plan) -> Self {
        let first = plan.phases.first().map_or(PhaseKind::Login, |phase| phase.kind);
        Self {
            name: stage_of(first),
            from,
        }
    }
}

fn stage_of(kind: PhaseKind) -> &'static str {
    match kind {
        PhaseKind::Login => "log in",
        PhaseKind::Connect => "connect",
        PhaseKind::Drain | PhaseKind::Close => "drain",
        PhaseKind::Alone => "alone",
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
    use crate::plan::Scale;

    #[test]
    fn users_are_named_up_to_a_limit() {
        let some = |count| named((0..count).map(User));
        assert_eq!(some(0), None);
        assert_eq!(some(2).as_deref(), Some("2 users (0, 1)"));
        assert_eq!(some(9).as_deref(), Some("9 users (0, 1, 2, 3, 4, 5, 6, 7, ...)"));
    }

    /// What became of a run whose user `n` arrives at a phase's end if `comes(n, phase)`.
    struct Led {
        took: Duration,
        reached: u16,
        interrupted: bool,
        problems: Vec<String>,
        plan: Arc<Plan>,
    }

    async fn led(comes: impl Fn(u32, u16) -> bool + 'static, alarm: watch::Receiver<bool>) -> Led {
        let scale = Scale {
            users: 3,
            ..Scale::default()
        };
        let plan = Arc::new(Plan::new(scale).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let (cues, mut cue) = watch::channel(Cue::Wait);
        let (arrive, arrivals) = mpsc::channel(plan.people.len());
        let (progress, reached) = watch::channel(Progress::default());
        let users = async move {
            while cue.changed().await.is_ok() {
                let Cue::Play { phase, .. } = *cue.borrow_and_update() else {
                    continue;
                };
                for user in (0..3).filter(|user| comes(*user, phase)).map(User) {
                    let fit = true;
                    arrive.send(Arrival { user, phase, fit }).await.unwrap();
                }
            }
        };
        let conductor = Conductor {
            plan: Arc::clone(&plan),
            clock: Clock::new(std::time::Instant::now()),
            recorder: Recorder::create(folder.path(), 7, 1).unwrap(),
            cues,
            arrivals,
            progress,
            interrupt: watch::channel(false).1,
            alarm,
        };
        let began = Instant::now();
        let ((recorder, interrupted), ()) = tokio::join!(conductor.lead(), users);
        let reached = reached.borrow().done;
        Led {
            took: began.elapsed(),
            reached,
            interrupted,
            problems: recorder.finish().judge.finish().problems,
            plan,
        }
    }

    fn said<'a>(led: &'a Led, what: &str) -> Vec<&'a String> {
        led.problems
            .iter()
            .filter(|problem| problem.contains(what))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_stuck_costs_one_phase_its_limit_and_is_named_once() {
        let led = led(|user, phase| user != 2 || phase == 0, watch::channel(false).1).await;
        let phases = u32::try_from(led.plan.phases.len()).unwrap();
        let limit = led.plan.phases[1].limit + CATCH_UP * (phases - 2);
        assert!(led.took >= limit && led.took < limit + CATCH_UP, "{:?}", led.took);
        assert_eq!(said(&led, "did not arrive").len(), 1, "{:?}", led.problems);
        assert_eq!(u32::from(led.reached), phases - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_catches_up_is_waited_for_again() {
        let led = led(
            |user, phase| user != 2 || ![1, 5].contains(&phase),
            watch::channel(false).1,
        )
        .await;
        let limits = led.plan.phases[1].limit + led.plan.phases[5].limit;
        assert!(
            led.took >= limits && led.took < limits + CATCH_UP,
            "{:?}",
            led.took
        );
        assert_eq!(said(&led, "did not arrive").len(), 2, "{:?}", led.problems);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_serves_nobody_is_given_up() {
        let led = led(|_, phase| phase < 4, watch::channel(false).1).await;
        assert_eq!((led.reached, led.interrupted), (4, false));
        assert!(led.took < led.plan.phases[4].limit + CATCH_UP, "{:?}", led.took);
        let phase = led.plan.phases[4].kind.name();
        assert_eq!(
            said(
                &led,
                &format!("phase {phase}: nobody arrived, and the run was given up")
            )
            .len(),
            1
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_harness_goes_no_further() {
        let led = led(|user, _| user != 2, watch::channel(true).1).await;
        assert_eq!(
            (led.reached, led.interrupted, led.took),
            (0, false, Duration::ZERO)
        );
    }
}
