//! Subjects: users whose doings are compared, alone with together.
//!
//! A script is what a subject does in each phase. It is followed three times, each time by a user of its own in a tenant of
//! its own: twice alone, all of it in one phase, and once together with everybody, each part in its phase.

use history::{Replica, Round, Take, Tenant, User};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Person, Phase, PhaseKind, Plan, Scale, Tenancy, names, phase};

/// The takes, in the order in which users are numbered for them.
const TAKES: [Take; 3] = [Take::Together, Take::Alone, Take::AloneAgain];
/// Deeds of a subject in a round.
const DEEDS: usize = 12;

/// A user who follows a script.
#[derive(Clone, Debug, PartialEq)]
pub struct SubjectPlan {
    /// Who; its number is above those of all people.
    pub person: Person,
    /// The tenant that it has for itself.
    pub tenancy: Tenancy,
    /// What it does.
    pub script: u16,
    /// In whose company.
    pub take: Take,
}

/// One thing that a subject does in a round. All of it is about what is its own, or about nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Deed {
    Post,
    PostNothing,
    Snapshot,
    List,
    Find,
    FindNothing,
    Read,
    ReadNothing,
    WhoAmI,
    ListRooms,
    PostRoom,
    ReadRoom,
    Presence,
    Typing,
    LookUpOneself,
    LookUpNobody,
    CancelNothing,
}

impl Deed {
    const ALL: [Self; 17] = [
        Self::Post,
        Self::PostNothing,
        Self::Snapshot,
        Self::List,
        Self::Find,
        Self::FindNothing,
        Self::Read,
        Self::ReadNothing,
        Self::WhoAmI,
        Self::ListRooms,
        Self::PostRoom,
        Self::ReadRoom,
        Self::Presence,
        Self::Typing,
        Self::LookUpOneself,
        Self::LookUpNobody,
        Self::CancelNothing,
    ];
}

impl Plan {
    /// What a subject does in `round`, in order; the first is a post.
    #[must_use]
    pub fn deeds(&self, script: u16, round: Round) -> Vec<Deed> {
        let mut rng = self.rng(User(script.into()), round, 2);
        let more = (1..DEEDS).map(|_| Deed::ALL[rng.random_range(0..Deed::ALL.len())]);
        std::iter::once(Deed::Post).chain(more).collect()
    }

    /// The plan of a take alone: the same scripts, one after the other, and nobody else. `None` for the take together,
    /// which is this plan.
    #[must_use]
    pub fn alone(&self, take: Take) -> Option<Self> {
        let order = TAKES
            .iter()
            .position(|one| *one == take)
            .filter(|order| *order > 0)?;
        let mut scale = self.scale.clone();
        // nobody else: one thread will do
        scale.workers = 1;
        let scripts = self.scale.scripts;
        // numbers of phases are not used twice in a run
        let after = self.phases.len() + (order - 1) * usize::from(scripts);
        let phases = (0..scripts).zip(after..).map(|(_, number)| {
            phase::one(
                &scale,
                u16::try_from(number).unwrap_or(u16::MAX),
                PhaseKind::Alone,
                Round(0),
            )
        });
        Some(Self {
            phases: phases.collect(),
            subjects: subjects(&scale, take, self.tag),
            people: Vec::new(),
            tenants: Vec::new(),
            rooms: Vec::new(),
            scale,
            tag: self.tag,
        })
    }

    /// What the phases are in which a subject has a part, in their order.
    #[must_use]
    pub fn parts(&self) -> Vec<Phase> {
        phase::all(&self.scale)
    }

    /// The phase of that number.
    #[must_use]
    pub fn phase(&self, number: u16) -> &Phase {
        &self.phases[usize::from(number - self.first_phase())]
    }

    /// Number of the first phase.
    #[must_use]
    pub fn first_phase(&self) -> u16 {
        self.phases[0].number
    }

    /// All who take part.
    pub fn users(&self) -> impl Iterator<Item = User> {
        let subjects = self.subjects.iter().map(|subject| subject.person.user);
        self.people.iter().map(|person| person.user).chain(subjects)
    }
}

/// Users that all takes of all scripts need.
pub(super) fn users(scale: &Scale) -> u32 {
    u32::from(scale.scripts) * TAKES.len() as u32
}

/// The subjects of one take.
pub(super) fn subjects(scale: &Scale, take: Take, tag: u64) -> Vec<SubjectPlan> {
    let order = TAKES.iter().position(|one| *one == take).unwrap_or_default() as u32;
    let one = |script: u16| {
        let above = order * u32::from(scale.scripts) + u32::from(script);
        let tenant = Tenant(scale.tenants + above);
        SubjectPlan {
            person: Person {
                user: User(scale.users + above),
                tenant,
                rank: 0,
                name: names::person(script.into()),
                replica: Replica(u8::try_from(script % u16::from(scale.replicas)).unwrap_or_default()),
                dialect: u8::try_from(script % u16::from(scale.dialects)).unwrap_or_default(),
                worker: script % scale.workers,
                room: None,
                second: None,
                resumes: false,
            },
            tenancy: Tenancy {
                tenant,
                slug: names::tenant(tenant.0, tag),
                key: names::key(&mut key_rng(scale, tenant)),
            },
            script,
            take,
        }
    };
    (0..scale.scripts).map(one).collect()
}

fn key_rng(scale: &Scale, tenant: Tenant) -> ChaCha8Rng {
    super::rng(scale, User(tenant.0), Round(0), 3)
}
