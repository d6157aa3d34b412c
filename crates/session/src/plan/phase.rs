//! The phases: all users enter one together and leave it before the next begins.

use std::time::Duration;

use history::Round;

use super::Scale;

/// One phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Its number, counted from 0.
    pub number: u16,
    /// What happens in it.
    pub kind: PhaseKind,
    /// The round, if it is part of one; else 0.
    pub round: Round,
    /// Whether its ops count for performance.
    pub measured: bool,
    /// After this, those who are not done are counted, said, and not waited for.
    pub limit: Duration,
}

/// What happens in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PhaseKind {
    /// Everybody registers and logs in over HTTP; some twice.
    Login,
    /// Everybody connects.
    Connect,
    /// Everybody creates threads of the same titles and posts secrets into them; rooms are made and filled.
    Plant,
    /// Members subscribe to their rooms and post there.
    Join,
    /// Second sessions begin to end: log-out, expiry, revocation. What comes after them is seen in all later phases.
    Leave,
    /// One user alone posts: the latency that the service has without load.
    Solo,
    /// Many post at once, under equal request ids: with [`Self::Solo`], shows whether requests are serialised.
    Burst,
    /// A measured round.
    Round,
    /// Everybody cancels a reply while it streams.
    Cancel,
    /// Everybody posts more at once than the service has places for, some without the patience to wait for one.
    Exhaust,
    /// Guests are taken into rooms while members post.
    Admit,
    /// Guests subscribe, and everybody in a room posts.
    Mingle,
    /// Guests are put out again while members post, and members go on posting.
    Expel,
    /// Some drop their connection, and miss what others post.
    Drop,
    /// They come back and resume.
    Resume,
    /// What must be denied is tried.
    Probe,
    /// Everybody does what would be pushed to those who should have been denied.
    Provoke,
    /// Everybody has something pushed to itself, after which nothing of the provocation is still to come.
    Echo,
    /// Everybody reads everything of its own.
    ReadAll,
    /// What an ended session must no longer be able to do is tried, once it has expired: as late as can be, since that is waited for.
    Boundary,
    /// Nobody asks for anything: late frames come in.
    Drain,
    /// Connections are closed in order.
    Close,
    /// One subject does all that its script has, with nobody else there.
    Alone,
}

impl PhaseKind {
    /// The name in histories and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Connect => "connect",
            Self::Plant => "plant",
            Self::Join => "join",
            Self::Solo => "solo",
            Self::Burst => "burst",
            Self::Leave => "leave",
            Self::Round => "round",
            Self::Cancel => "cancel",
            Self::Exhaust => "exhaust",
            Self::Admit => "admit",
            Self::Mingle => "mingle",
            Self::Expel => "expel",
            Self::Drop => "drop",
            Self::Resume => "resume",
            Self::Probe => "probe",
            Self::Provoke => "provoke",
            Self::Echo => "echo",
            Self::Boundary => "boundary",
            Self::ReadAll => "read-all",
            Self::Drain => "drain",
            Self::Close => "close",
            Self::Alone => "alone",
        }
    }

    /// The phase of that [name](Self::name).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.name() == name)
    }

    /// Whether what must be denied is tried in it, or what shows whether it was.
    #[must_use]
    pub fn tries(self) -> bool {
        matches!(
            self,
            Self::Leave | Self::Probe | Self::Provoke | Self::Echo | Self::Boundary
        )
    }

    fn all() -> impl Iterator<Item = Self> {
        BEFORE.into_iter().chain([Self::Round]).chain(AFTER)
    }

    /// Those that a run can do without, in the order in which they come.
    pub fn optional() -> impl Iterator<Item = Self> {
        Self::all().filter(|kind| kind.is_optional())
    }

    /// Whether a run can do without it: what it would have shown is not shown then.
    #[must_use]
    pub fn is_optional(self) -> bool {
        use PhaseKind::{Close, Connect, Drain, Login, Plant, Round};
        !matches!(self, Login | Connect | Plant | Round | Drain | Close)
    }

    /// How long it may take before those who are late are left behind, without what it takes by design.
    fn slack(self, users: u32) -> Duration {
        let each = |ms| Duration::from_millis(ms) * users;
        match self {
            // a password hash at production cost is 22 ms of one core
            Self::Login => Duration::from_secs(10) + each(100),
            Self::Connect => Duration::from_secs(6) + each(10),
            Self::Plant | Self::Boundary | Self::ReadAll => Duration::from_secs(12) + each(20),
            // hundreds of attempts, each with its controls
            Self::Probe | Self::Alone => Duration::from_secs(30),
            Self::Drain | Self::Close => Duration::from_secs(3) + each(2),
            _ => Duration::from_secs(6) + each(10),
        }
    }
}

const BEFORE: [PhaseKind; 7] = [
    PhaseKind::Login,
    PhaseKind::Connect,
    PhaseKind::Plant,
    PhaseKind::Join,
    PhaseKind::Leave,
    PhaseKind::Solo,
    PhaseKind::Burst,
];

const AFTER: [PhaseKind; 14] = [
    PhaseKind::Cancel,
    PhaseKind::Exhaust,
    PhaseKind::Admit,
    PhaseKind::Mingle,
    PhaseKind::Expel,
    PhaseKind::Drop,
    PhaseKind::Resume,
    PhaseKind::Probe,
    PhaseKind::Provoke,
    PhaseKind::Echo,
    PhaseKind::ReadAll,
    PhaseKind::Boundary,
    PhaseKind::Drain,
    PhaseKind::Close,
];

/// All phases of a run, but for those that are left out.
pub(super) fn all(scale: &Scale) -> Vec<Phase> {
    let rounds = (1..=scale.rounds).map(|round| (PhaseKind::Round, Round(round)));
    let apart = |kind: &PhaseKind| (*kind, Round(0));
    let order = BEFORE
        .iter()
        .map(apart)
        .chain(rounds)
        .chain(AFTER.iter().map(apart))
        .filter(|(kind, _)| !scale.without.contains(kind));
    (0..)
        .zip(order)
        .map(|(number, (kind, round))| one(scale, number, kind, round))
        .collect()
}

pub(super) fn one(scale: &Scale, number: u16, kind: PhaseKind, round: Round) -> Phase {
    let measured = kind == PhaseKind::Round;
    let by_design = if measured { scale.duration } else { Duration::ZERO };
    Phase {
        number,
        kind,
        round,
        measured,
        limit: by_design + kind.slack(scale.users),
    }
}
