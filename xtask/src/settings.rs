//! What `e2e` was asked for, checked: whatever is wrong with it is said before anything is built or started.

use std::time::Duration;

use perf::{Gate, GateSet};
use services::PostgresSource;
use session::plan::Scale;
use session::profile::{Profile, TargetFile};

use crate::binaries::Build;
use crate::cli::{E2eArgs, Misuse, Plane, usage};
use crate::fault::{Fault, Moment, Victim};
use crate::goal::Goal;
use crate::stack::POSTGRES;

/// A run that can be tried.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What the plan is made from, but for the seed and the dialects.
    pub(crate) scale: Scale,
    /// Sorted, none twice.
    pub(crate) planes: Vec<Plane>,
    pub(crate) gates: GateSet,
    /// The target; `None` for the built-in one.
    pub(crate) target: Option<TargetFile>,
    /// What the report must say of all that.
    pub(crate) notes: Vec<String>,
    pub(crate) mutant: Option<String>,
    pub(crate) faults: Vec<Fault>,
    /// Whether users are compared, alone with together.
    pub(crate) differential: bool,
    pub(crate) offline: bool,
    pub(crate) postgres: PostgresSource,
    /// The command that repeats it, but for the seed.
    pub(crate) repeat: String,
}

impl Settings {
    /// Checks what clap could not; the error is worded and formatted as clap's own.
    pub(crate) fn check(args: &E2eArgs) -> Result<Self, Misuse> {
        let goal = Goal::of(args)?;
        let users = goal.users;
        let tenants = goal.tenants(args)?;
        if tenants > users {
            return Err(usage(format!(
                "{tenants} tenants for {users} users: there can be no more tenants than users"
            )));
        }
        let gates: Vec<Gate> = args
            .gates
            .iter()
            .map(|expression| Gate::parse(expression))
            .collect::<Result<_, _>>()
            .map_err(|error| usage(format!("--gate: {error}")))?;
        let gates = GateSet::with(&gates).map_err(|error| usage(format!("--gate: {error}")))?;
        let mut planes = if args.only.is_empty() {
            goal.planes().to_vec()
        } else {
            args.only.clone()
        };
        planes.sort_unstable();
        planes.dedup();
        if let Some(mutant) = &args.mutant {
            check_mutant(mutant)?;
        }
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let scale = Scale {
            users,
            tenants,
            rounds: args.rounds,
            duration: args.duration,
            rate: args.rate,
            workers: u16::try_from(workers).unwrap_or(u16::MAX).min(WORKERS_MAX),
            replicas: goal.replicas,
            without: args.without.clone(),
            scripts: if args.differential { SCRIPTS } else { 0 },
            ..Scale::default()
        };
        if args.differential && !planes.contains(&Plane::Isolation) {
            return Err(usage(
                "--differential is a look at isolation, which --only leaves out",
            ));
        }
        for fault in &args.faults {
            check_fault(fault, args, &planes)?;
        }
        Ok(Self {
            scale,
            planes,
            gates,
            target: goal.target,
            notes: goal.notes,
            mutant: args.mutant.clone(),
            faults: args.faults.clone(),
            differential: args.differential,
            offline: args.offline,
            postgres: args.postgres.clone(),
            repeat: repeat(args),
        })
    }

    /// What the target is.
    pub(crate) fn profile(&self) -> Profile {
        let own = self.target.as_ref().map(|target| target.profile.clone());
        own.unwrap_or_else(Profile::reference)
    }

    /// Whether the services under test are the reference's, which we build.
    pub(crate) fn builds(&self) -> bool {
        self.drives() && self.target.is_none()
    }

    /// Which build of them: only the one with the planted leaks knows the leaks' names.
    pub(crate) fn build(&self) -> Build {
        match self.mutant {
            None => Build::Plain,
            Some(_) => Build::Mutants,
        }
    }

    /// Whether users are driven at all.
    pub(crate) fn drives(&self) -> bool {
        self.planes.iter().any(|plane| *plane != Plane::Dbpool)
    }

    /// Whether the plane was selected.
    pub(crate) fn selects(&self, plane: Plane) -> bool {
        self.planes.contains(&plane)
    }
}

/// Scripts that are followed alone and together: one at each gateway, and each dialect is spoken.
const SCRIPTS: u16 = 2;
/// Threads that drive users at most: the services want processors too.
const WORKERS_MAX: u16 = 16;

/// Which names there are, the build with the planted leaks knows; here only the form is looked at.
fn check_mutant(mutant: &str) -> Result<(), Misuse> {
    let (name, rate) = mutant.split_once(':').unwrap_or((mutant, "1"));
    let named = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let rated = rate.parse().is_ok_and(|rate: f64| rate > 0.0 && rate <= 1.0);
    match (named, rated) {
        (false, _) => Err(usage(format!(
            "--mutant: `{name}` is no name: lower-case letters, digits and hyphens"
        ))),
        (true, false) => Err(usage(format!(
            "--mutant: `{rate}` is no rate: above 0 and at most 1"
        ))),
        (true, true) => Ok(()),
    }
}

/// Whether there will be such a process, and such a moment.
fn check_fault(fault: &Fault, args: &E2eArgs, planes: &[Plane]) -> Result<(), Misuse> {
    let drives = planes.iter().any(|plane| *plane != Plane::Dbpool);
    let never = |why: String| Err(usage(format!("--fault: {fault}: {why}")));
    match (&fault.victim, fault.moment) {
        (_, Moment::Phase(_, round)) if round.0 > args.rounds => {
            never(format!("there are {} rounds, --rounds", args.rounds))
        }
        (_, Moment::Phase(kind, _)) if args.without.contains(&kind) => {
            never("the phase is left out, --without".to_owned())
        }
        (_, Moment::Phase(..) | Moment::Audit) if !drives => {
            never("no users are driven, so there are neither phases nor an audit".to_owned())
        }
        (_, Moment::Pools) if !planes.contains(&Plane::Dbpool) => {
            never("the pools are not put under stress, --only".to_owned())
        }
        (Victim::Service(name), _) if !drives && name != POSTGRES => {
            never(format!("no users are driven, so {name} does not run"))
        }
        (Victim::Service(name), _) if name == POSTGRES && matches!(args.postgres, PostgresSource::Url(_)) => {
            never("the server of a URL is not ours to break".to_owned())
        }
        _ => Ok(()),
    }
}

/// The command line that asks for the same, in the order of the help, without the seed and what only concerns output.
fn repeat(args: &E2eArgs) -> String {
    let defaults = Scale::default();
    let mut words = vec!["cargo xtask e2e".to_owned()];
    let mut word = |differs: bool, text: String| words.extend(differs.then_some(text));
    let users = args.users.unwrap_or(defaults.users);
    word(users != defaults.users, format!("--users {users}"));
    if let Some(tenants) = args.tenants {
        word(
            tenants != Scale::tenants_for(users),
            format!("--tenants {tenants}"),
        );
    }
    word(
        args.rounds != defaults.rounds,
        format!("--rounds {}", args.rounds),
    );
    word(
        args.duration != defaults.duration,
        format!("--duration {}", written(args.duration)),
    );
    for phase in &args.without {
        word(true, format!("--without {}", phase.name()));
    }
    if let Some(rate) = args.rate {
        word(true, format!("--rate {rate}"));
    }
    for plane in &args.only {
        word(true, format!("--only {}", plane.name()));
    }
    for gate in &args.gates {
        word(true, format!("--gate '{gate}'"));
    }
    if let Some(mutant) = &args.mutant {
        word(true, format!("--mutant {mutant}"));
    }
    word(args.differential, "--differential".to_owned());
    for fault in &args.faults {
        word(true, format!("--fault {fault}"));
    }
    if let Some(target) = &args.target {
        word(true, format!("--target {}", target.display()));
    }
    for host in &args.allow_host {
        word(true, format!("--allow-host {host}"));
    }
    word(args.offline, "--offline".to_owned());
    words.join(" ")
}

/// The shortest way to write it that the command line reads back.
fn written(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(words: &str) -> E2eArgs {
        let words = ["cargo xtask", "e2e"].into_iter().chain(words.split_whitespace());
        match Cli::try_parse_from(words).unwrap().command {
            Command::E2e(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn by_default_everything_is_covered() {
        let settings = Settings::check(&args("")).unwrap();
        assert_eq!(settings.planes, Plane::ALL);
        assert_eq!(
            (
                settings.scale.users,
                settings.scale.tenants,
                settings.scale.rounds
            ),
            (12, 3, 3)
        );
        assert_eq!(settings.repeat, "cargo xtask e2e");
        assert!(settings.drives());
        let Scale {
            users,
            tenants,
            rounds,
            duration,
            rate,
            ..
        } = Scale::default();
        let Scale {
            users: u,
            tenants: t,
            rounds: r,
            duration: d,
            rate: p,
            ..
        } = settings.scale;
        assert_eq!(
            (u, t, r, d, p),
            (users, tenants, rounds, duration, rate),
            "the plan's defaults are the command's"
        );
    }

    #[test]
    fn tenants_follow_the_users() {
        let tenants = |words| Settings::check(&args(words)).unwrap().scale.tenants;
        assert_eq!(tenants("--users 1"), 1);
        assert_eq!(tenants("--users 2"), 2);
        assert_eq!(tenants("--users 74"), 3);
        assert_eq!(tenants("--users 5000"), 200);
        assert_eq!(tenants("--users 5000 --tenants 7"), 7);
    }

    #[test]
    fn planes_are_a_set() {
        let settings = Settings::check(&args("--only dbpool --only isolation --only dbpool")).unwrap();
        assert_eq!(settings.planes, [Plane::Isolation, Plane::Dbpool]);
        assert!(!Settings::check(&args("--only dbpool")).unwrap().drives());
    }

    #[test]
    fn the_repeat_command_asks_for_the_same() {
        let words = "--users 40 --duration 2s --without solo --rate 50 --only isolation --mutant some-leak:0.5 --differential --fault kill:auth@round --offline --quiet";
        let settings = Settings::check(&args(words)).unwrap();
        assert_eq!(
            settings.repeat,
            "cargo xtask e2e --users 40 --duration 2s --without solo --rate 50 --only isolation --mutant some-leak:0.5 --differential --fault kill:auth@round --offline"
        );
        let again = args(settings.repeat.trim_start_matches("cargo xtask e2e"));
        assert_eq!(Settings::check(&again).unwrap().scale, settings.scale);
    }

    #[track_caller]
    fn check(words: &str, expect: &str) {
        let error = Settings::check(&args(words)).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(expect), "{shown}");
    }

    #[test]
    fn what_cannot_be_is_said() {
        check(
            "--users 2 --tenants 3",
            "3 tenants for 2 users: there can be no more tenants than users",
        );
        check(
            "--gate latncy_p99<5ms",
            "unknown figure `latncy_p99`, did you mean `latency_p99`?",
        );
        check("--gate violations<5", "which is never loosened");
        check("--fault kill:auth@round-4", "there are 3 rounds");
        check("--fault kill:auth@cancel --without cancel", "left out");
        check("--fault kill:auth@stop --only dbpool", "auth does not run");
        check(
            "--fault term:harness@audit --only dbpool",
            "neither phases nor an audit",
        );
        check(
            "--fault kill:postgres@pools --only isolation",
            "not put under stress",
        );
        check(
            "--fault kill:postgres@stop --postgres postgres://here/x",
            "not ours to break",
        );
        check(
            "--differential --only performance",
            "--differential is a look at isolation",
        );
        check("--mutant Bad!", "`Bad!` is no name");
        check("--mutant leak:2", "`2` is no rate: above 0 and at most 1");
    }
}
