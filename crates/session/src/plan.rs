//! Who does what and when: pure, and the same for the same seed.
//!
//! A plan fixes users, tenants, rooms, phases, the ops of every user and their arrival times. It does not fix how the
//! ops of different users interleave: that is the system's.

mod names;
mod phase;
mod steps;
mod subject;

use std::time::Duration;

use history::{At, Replica, Room, Round, Take, Tenant, User};
use perf::{Schedule, Spacing, Starts};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::nanoseconds;

pub use phase::{Phase, PhaseKind};
pub use steps::{Mix, Step, Steps};
pub use subject::{Deed, SubjectPlan};

/// Most users of a run: a canary carries its owner in 20 bits.
pub const MAX_USERS: u32 = history::USERS_MAX;

/// What a plan is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Virtual users, 1 to [`MAX_USERS`].
    pub users: u32,
    /// Tenants, 1 to `users`.
    pub tenants: u32,
    /// Measured rounds, at least 1.
    pub rounds: u16,
    /// How long a measured round lasts.
    pub duration: Duration,
    /// Ops per second of all users together (open model); `None` for a closed loop.
    pub rate: Option<f64>,
    /// Which ops they are.
    pub mix: Mix,
    /// Threads that drive the users, at least 1.
    pub workers: u16,
    /// Gateways that the target has, at least 1.
    pub replicas: u8,
    /// Dialects that the target speaks, at least 1; most users speak the first.
    pub dialects: u8,
    /// Phases that are left out, each [optional](PhaseKind::is_optional).
    pub without: Vec<PhaseKind>,
    /// Scripts that are followed alone and together; 0 for none.
    pub scripts: u16,
}

impl Default for Scale {
    fn default() -> Self {
        Self {
            seed: 0,
            users: 12,
            tenants: 3,
            rounds: 3,
            duration: Duration::from_millis(300),
            rate: None,
            mix: Mix::Everything,
            workers: 2,
            replicas: 1,
            dialects: 1,
            without: Vec::new(),
            scripts: 0,
        }
    }
}

impl Scale {
    /// Tenants for `users` when nobody says otherwise: three, or one for every 25 users if that is more; never more than
    /// users. What a tenant's members hear of each other grows with the square of its size.
    #[must_use]
    pub fn tenants_for(users: u32) -> u32 {
        (users / 25).max(users.min(3))
    }
}

/// Why there is no plan.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A number that has to be at least one, or at most something, is not.
    #[error("{what} is {given}, must be {min} to {max}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// What it is.
        given: u64,
        /// The least that will do.
        min: u64,
        /// The most that will do.
        max: u64,
    },
    /// The rate is no number above zero.
    #[error("rate is {given}, must be a number of ops per second above 0")]
    Rate {
        /// What it is.
        given: f64,
    },
    /// A phase cannot be left out.
    #[error("phase {} cannot be left out", .0.name())]
    Needed(PhaseKind),
    /// The rounds would last no time.
    #[error("duration of a round is 0, must be above")]
    NoDuration,
}

/// How the second session of a user ends, so that what comes after can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionEnd {
    /// The user logs out of it.
    Logout,
    /// Its access token, asked for with a short life, expires.
    Expiry,
    /// A spent refresh token is presented again, which revokes it.
    Revocation,
}

/// One virtual user.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// Its number.
    pub user: User,
    /// Its tenant.
    pub tenant: Tenant,
    /// Its place within the tenant, from 0.
    pub rank: u32,
    /// Display name: looks like others' names on purpose.
    pub name: String,
    /// The gateway that its first session connects to.
    pub replica: Replica,
    /// Which of the target's dialects it speaks.
    pub dialect: u8,
    /// The thread that drives it, from 0.
    pub worker: u16,
    /// The room that it is a member of from the begin.
    pub room: Option<Room>,
    /// How its second session ends; `None` if it has one session only.
    pub second: Option<SessionEnd>,
    /// Whether it drops its connection in mid-run and resumes.
    pub resumes: bool,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenancy {
    /// Its number.
    pub tenant: Tenant,
    /// Short name; look alike on purpose.
    pub slug: String,
    /// The key that its users present.
    pub key: String,
}

/// One room: shared by two members of a tenant, and by a guest now and then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPlan {
    /// Its number.
    pub room: Room,
    /// Its tenant.
    pub tenant: Tenant,
    /// Name, equal in all tenants on purpose.
    pub name: &'static str,
    /// Who creates it.
    pub owner: User,
    /// Who shares it from the begin; `None` in a tenant of one.
    pub member: Option<User>,
    /// Who is taken in and put out again; `None` in a tenant of one or two.
    pub guest: Option<User>,
}

/// The whole workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What it was made from.
    pub scale: Scale,
    /// The users, in order of their numbers.
    pub people: Vec<Person>,
    /// The tenants, in order of their numbers.
    pub tenants: Vec<Tenancy>,
    /// The rooms, in order of their numbers: one for each tenant.
    pub rooms: Vec<RoomPlan>,
    /// The phases, in order.
    pub phases: Vec<Phase>,
    /// Those who follow scripts, beside the people.
    pub subjects: Vec<SubjectPlan>,
    /// Keeps the tenants of different runs apart.
    tag: u64,
}

impl Plan {
    /// Titles of the threads that every user creates before the rounds: the same for all.
    pub const TITLES: [&'static str; 2] = ["notes", "plans"];
    /// Posts that the lone user makes in [`PhaseKind::Solo`], and each user in [`PhaseKind::Burst`].
    pub const POSTS: u32 = 4;

    /// The plan of `scale`.
    ///
    /// # Errors
    ///
    /// [`PlanError`] names the first number that will not do.
    ///
    /// ```
    /// use session::plan::{Plan, Scale};
    ///
    /// let plan = Plan::new(Scale { seed: 7, ..Scale::default() })?;
    /// assert_eq!(plan.people.len(), 12);
    /// assert_eq!(plan, Plan::new(Scale { seed: 7, ..Scale::default() })?);
    /// # Ok::<(), session::plan::PlanError>(())
    /// ```
    pub fn new(scale: Scale) -> Result<Self, PlanError> {
        check(&scale)?;
        let mut rng = ChaCha8Rng::seed_from_u64(scale.seed);
        let tag = rng.random_range(0..1_u64 << 40);
        let tenants = tenants(&scale, tag, &mut rng);
        let people = people(&scale, &mut rng);
        let rooms = rooms(&scale);
        let phases = phase::all(&scale);
        let subjects = subject::subjects(&scale, Take::Together, tag);
        Ok(Self {
            scale,
            people,
            tenants,
            rooms,
            phases,
            subjects,
            tag,
        })
    }

    /// What `user` does in `round`, without end: a round ends by time.
    #[must_use]
    pub fn steps(&self, user: User, round: Round) -> Steps {
        let person = &self.people[user.0 as usize];
        let peer = self.peer(person).unwrap_or(user);
        Steps::new(
            self.rng(user, round, 0),
            self.scale.mix,
            person.room.is_some(),
            peer,
        )
    }

    /// When the ops of `user` in a `round` that begins at `from` are to begin; `None` in a closed loop.
    #[must_use]
    pub fn starts(&self, user: User, round: Round, from: At) -> Option<Starts<ChaCha8Rng>> {
        let rate_per_s = self.scale.rate? / f64::from(self.scale.users);
        let schedule = Schedule::Open {
            rate_per_s,
            spacing: Spacing::Poisson,
        };
        let to = At(from.0 + nanoseconds(self.scale.duration));
        Some(schedule.starts(from, to, self.rng(user, round, 1)))
    }

    /// The room of `tenant`.
    #[must_use]
    pub fn room(&self, tenant: Tenant) -> &RoomPlan {
        &self.rooms[tenant.0 as usize]
    }

    /// Title of the thread that every user creates at the begin of `round`: the same for all.
    #[must_use]
    pub fn round_title(round: Round) -> String {
        format!("round {}", round.0)
    }

    /// How the title of the thread begins whose replies are cancelled, the same for all: replies that quote it take long
    /// enough to stream.
    #[must_use]
    pub fn long_title() -> String {
        "a thread with a long title ".repeat(14)
    }

    /// The user who is asked about by `person`: the next of the same tenant; `None` in a tenant of one.
    #[must_use]
    pub fn peer(&self, person: &Person) -> Option<User> {
        let next = User(person.user.0 + self.scale.tenants);
        let first = User(person.tenant.0);
        let peer = if next.0 < self.scale.users { next } else { first };
        (peer != person.user).then_some(peer)
    }

    /// The user of another tenant that `person` probes; `None` if there is but one tenant.
    #[must_use]
    pub fn stranger(&self, person: &Person) -> Option<User> {
        let after = self.people.iter().cycle().skip(person.user.0 as usize + 1);
        let mut others = after.take(self.people.len());
        others
            .find(|other| other.tenant != person.tenant)
            .map(|other| other.user)
    }

    /// Whom `person` probes: a stranger and a peer, as far as there are any.
    pub fn victims(&self, person: &Person) -> impl Iterator<Item = User> + use<> {
        [self.stranger(person), self.peer(person)].into_iter().flatten()
    }

    fn rng(&self, user: User, round: Round, purpose: u64) -> ChaCha8Rng {
        rng(&self.scale, user, round, purpose)
    }
}

fn rng(scale: &Scale, user: User, round: Round, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(scale.seed);
    rng.set_stream(1 + (purpose << 48 | u64::from(round.0) << 32 | u64::from(user.0)));
    rng
}

fn check(scale: &Scale) -> Result<(), PlanError> {
    let within = |what, given: u64, max: u64| match given {
        0 => Err(PlanError::OutOfRange {
            what,
            given,
            min: 1,
            max,
        }),
        given if given > max => Err(PlanError::OutOfRange {
            what,
            given,
            min: 1,
            max,
        }),
        _ => Ok(()),
    };
    let all = u64::from(scale.users) + u64::from(subject::users(scale));
    within("number of users", scale.users.into(), MAX_USERS.into())?;
    within("number of users and subjects", all, MAX_USERS.into())?;
    within("number of tenants", scale.tenants.into(), scale.users.into())?;
    within("number of rounds", scale.rounds.into(), 1_000)?;
    within("number of workers", scale.workers.into(), 1_000)?;
    within("number of gateways", scale.replicas.into(), 200)?;
    within("number of dialects", scale.dialects.into(), 200)?;
    if scale.duration.is_zero() {
        return Err(PlanError::NoDuration);
    }
    if let Some(needed) = scale.without.iter().find(|kind| !kind.is_optional()) {
        return Err(PlanError::Needed(*needed));
    }
    match scale.rate {
        Some(given) if !(given.is_finite() && given > 0.0) => Err(PlanError::Rate { given }),
        _ => Ok(()),
    }
}

fn tenants(scale: &Scale, tag: u64, rng: &mut ChaCha8Rng) -> Vec<Tenancy> {
    let one = |number| Tenancy {
        tenant: Tenant(number),
        slug: names::tenant(number, tag),
        key: names::key(rng),
    };
    (0..scale.tenants).map(one).collect()
}

fn people(scale: &Scale, rng: &mut ChaCha8Rng) -> Vec<Person> {
    let shift = rng.random_range(0..names::COUNT);
    (0..scale.users)
        .map(|number| person(scale, number, shift))
        .collect()
}

fn person(scale: &Scale, number: u32, shift: u32) -> Person {
    let (tenant, rank) = (number % scale.tenants, number / scale.tenants);
    let replicas = u32::from(scale.replicas);
    Person {
        user: User(number),
        tenant: Tenant(tenant),
        rank,
        name: names::person(number + shift),
        replica: Replica(u8::try_from(rank % replicas).unwrap_or_default()),
        dialect: dialect(scale, rank),
        worker: u16::try_from(number % u32::from(scale.workers)).unwrap_or_default(),
        room: (rank < 2).then_some(Room(tenant)),
        second: match rank {
            0 => Some(SessionEnd::Logout),
            1 => Some(SessionEnd::Expiry),
            2 => Some(SessionEnd::Revocation),
            _ => None,
        },
        resumes: rank % 4 == 1 || scale.users == scale.tenants,
    }
}

/// Every fourth of a tenant speaks an older dialect.
fn dialect(scale: &Scale, rank: u32) -> u8 {
    let older = u32::from(scale.dialects) - 1;
    if older == 0 || rank % 4 != 3 {
        return 0;
    }
    u8::try_from(1 + rank / 4 % older).unwrap_or_default()
}

fn rooms(scale: &Scale) -> Vec<RoomPlan> {
    let of_rank = |tenant: u32, rank: u32| {
        let number = tenant + rank * scale.tenants;
        (number < scale.users).then_some(User(number))
    };
    let one = |tenant| RoomPlan {
        room: Room(tenant),
        tenant: Tenant(tenant),
        name: "general",
        owner: User(tenant),
        member: of_rank(tenant, 1),
        guest: of_rank(tenant, 2),
    };
    (0..scale.tenants).map(one).collect()
}

#[cfg(test)]
mod tests;
