//! Faults on purpose: a process of the run is killed, paused or signalled at a moment of one's choice.
//!
//! `kill:gateway-0@round` kills the first gateway when the first round begins; `pause:postgres@round-2` freezes the whole
//! server in the second. What is done to a service is an event of the run, so that no such run is valid. The harness itself
//! and its guard can be struck too, so that every way in which a run can end is one command.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use history::Round;
use rustix::process::{Pid, Signal, getpid, kill_process};
use services::Guard;
use session::plan::{PhaseKind, Plan};

use crate::interrupt::Interrupt;
use crate::stack::{SERVICES, Stack};

/// How long a signal to ourselves may take to be heard.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// What is done to whom, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) action: Action,
    pub(crate) victim: Victim,
    pub(crate) moment: Moment,
}

/// The signal that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// SIGKILL.
    Kill,
    /// SIGSTOP, to all processes of a service.
    Pause,
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP.
    HangUp,
    /// No signal: a panic in the code that composes a run.
    Panic,
}

/// Who is struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// A process under test, by its name.
    Service(String),
    /// The process that owns all services.
    Guard,
    /// This process.
    Harness,
}

/// When a fault comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The database is up, and the services are about to be started.
    Start,
    /// A phase begins; of the rounds, the one of this number.
    Phase(PhaseKind, Round),
    /// Database and operator ports are about to be read.
    Audit,
    /// The pools are about to be stressed.
    Pools,
    /// The services are about to be stopped.
    Stop,
}

impl Fault {
    /// Number of the phase of `plan` in which it comes; `None` if it comes in none.
    pub(crate) fn phase(&self, plan: &Plan) -> Option<u16> {
        let Moment::Phase(kind, round) = self.moment else {
            return None;
        };
        let of = |phase: &&session::plan::Phase| phase.kind == kind && phase.round == round;
        plan.phases.iter().find(of).map(|phase| phase.number)
    }

    /// Does it; whether it was done to what is under test, which every verdict has to know.
    ///
    /// # Errors
    /// If there is nobody to do it to.
    pub(crate) async fn inflict(
        &self,
        stack: Option<&Stack>,
        guard: &Guard,
        interrupt: &Interrupt,
    ) -> Result<bool> {
        match &self.victim {
            Victim::Harness => {
                let Some(signal) = self.action.signal() else {
                    panic!("as {self} asked for");
                };
                kill_process(getpid(), signal).context("cannot signal this process")?;
                // the next signal is the next one only after this one was heard; one that is ignored never is
                let _ = tokio::time::timeout(HEARD_WITHIN, interrupt.came()).await;
                Ok(false)
            }
            Victim::Guard => {
                let pid = guard
                    .pid()
                    .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
                kill_process(pid.context("the guard is gone")?, Signal::KILL)
                    .context("cannot kill the guard")?;
                Ok(false)
            }
            Victim::Service(name) => {
                let process = stack.and_then(|stack| stack.process(name));
                let process = process.with_context(|| format!("no process `{name}` of ours runs"))?;
                let signal = match self.action {
                    Action::Pause => services::Signal::Stop,
                    _ => services::Signal::Kill,
                };
                process.strike(signal).await?;
                Ok(true)
            }
        }
    }

    fn check(self) -> Result<Self, String> {
        use Action::{HangUp, Interrupt, Kill, Panic, Pause, Terminate};
        let fits = match &self.victim {
            Victim::Harness => matches!(self.action, Kill | Interrupt | Terminate | HangUp | Panic),
            Victim::Guard => self.action == Kill,
            Victim::Service(_) => matches!(self.action, Kill | Pause),
        };
        if !fits {
            return Err(format!(
                "`{}:{}`: a service can be told kill or pause, the guard kill, the harness kill, int, term, hup or panic",
                self.action, self.victim
            ));
        }
        if matches!(self.victim, Victim::Service(_)) && self.moment == Moment::Start {
            return Err(format!("{} does not run yet at `start`", self.victim));
        }
        Ok(self)
    }
}

impl FromStr for Fault {
    type Err = String;

    /// Reads `ACTION:WHOM@WHEN`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once(':')
            .and_then(|(action, rest)| Some((action, rest.split_once('@')?)));
        let Some((action, (victim, moment))) = parts else {
            return Err("must be ACTION:WHOM@WHEN, as in kill:gateway-0@round".to_owned());
        };
        Self {
            action: action.parse()?,
            victim: victim.parse()?,
            moment: moment.parse()?,
        }
        .check()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}@{}", self.action, self.victim, self.moment)
    }
}

impl Action {
    fn signal(self) -> Option<Signal> {
        match self {
            Self::Kill => Some(Signal::KILL),
            Self::Pause => Some(Signal::STOP),
            Self::Interrupt => Some(Signal::INT),
            Self::Terminate => Some(Signal::TERM),
            Self::HangUp => Some(Signal::HUP),
            Self::Panic => None,
        }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "kill" => Self::Kill,
            "pause" => Self::Pause,
            "int" => Self::Interrupt,
            "term" => Self::Terminate,
            "hup" => Self::HangUp,
            "panic" => Self::Panic,
            other => {
                return Err(format!(
                    "unknown action `{other}`: kill, pause, int, term, hup or panic"
                ));
            }
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Interrupt => "int",
            Self::Terminate => "term",
            Self::HangUp => "hup",
            Self::Panic => "panic",
        })
    }
}

impl FromStr for Victim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "harness" => Ok(Self::Harness),
            "guard" => Ok(Self::Guard),
            service if SERVICES.contains(&service) => Ok(Self::Service(service.to_owned())),
            other => Err(format!(
                "no process `{other}`: {}, guard or harness",
                SERVICES.join(", ")
            )),
        }
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service(name) => name,
            Self::Guard => "guard",
            Self::Harness => "harness",
        })
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, round) = match text.strip_prefix("round-").map(str::parse) {
            Some(Ok(round)) if round > 0 => ("round", Round(round)),
            _ if text == "round" => (text, Round(1)),
            _ => (text, Round(0)),
        };
        match name {
            "start" => Ok(Self::Start),
            "audit" => Ok(Self::Audit),
            "pools" => Ok(Self::Pools),
            "stop" => Ok(Self::Stop),
            _ => PhaseKind::named(name)
                .map(|kind| Self::Phase(kind, round))
                .ok_or_else(|| {
                    format!(
                        "no moment `{text}`: start, a phase (login, connect, plant, burst, round, round-2, probe, drain, \
                         close and others), audit, pools or stop"
                    )
                }),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Phase(kind, Round(0 | 1)) => f.write_str(kind.name()),
            Self::Phase(kind, round) => write!(f, "{}-{}", kind.name(), round.0),
            Self::Audit => f.write_str("audit"),
            Self::Pools => f.write_str("pools"),
            Self::Stop => f.write_str("stop"),
        }
    }
}

#[cfg(test)]
mod tests {
    use session::plan::Scale;

    use super::*;

    #[test]
    fn a_fault_is_read_and_written() {
        for text in [
            "kill:gateway-0@round",
            "pause:postgres@round-2",
            "kill:guard@probe",
            "hup:harness@start",
            "int:harness@audit",
            "term:harness@pools",
            "kill:harness@stop",
            "panic:harness@burst",
        ] {
            assert_eq!(
                text.parse::<Fault>().map(|fault| fault.to_string()).as_deref(),
                Ok(text)
            );
        }
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let error = text.parse::<Fault>().unwrap_err();
        assert!(error.contains(expect), "{text}: {error}");
    }

    #[test]
    fn what_is_no_fault_is_said() {
        check("gateway-0", "must be ACTION:WHOM@WHEN");
        check("kill:gateway-0", "must be ACTION:WHOM@WHEN");
        check("slay:gateway-0@round", "unknown action `slay`");
        check("kill:gateway-9@round", "no process `gateway-9`: postgres, auth");
        check("kill:auth@round-0", "no moment `round-0`");
        check("kill:auth@lunch", "no moment `lunch`");
        check("int:auth@round", "a service can be told kill or pause");
        check("pause:guard@round", "the guard kill");
        check("kill:auth@start", "auth does not run yet at `start`");
    }

    #[test]
    fn a_moment_is_a_phase_of_the_plan_if_the_plan_has_it() {
        let plan = Plan::new(Scale::default()).unwrap();
        let phase = |text: &str| {
            let number = text.parse::<Fault>().unwrap().phase(&plan)?;
            let phase = &plan.phases[usize::from(number)];
            Some((phase.kind, phase.round))
        };
        assert_eq!(phase("kill:auth@login"), Some((PhaseKind::Login, Round(0))));
        assert_eq!(phase("kill:auth@round-3"), Some((PhaseKind::Round, Round(3))));
        assert_eq!(phase("kill:auth@round-4"), None);
        assert_eq!(phase("kill:auth@audit"), None);
    }
}
