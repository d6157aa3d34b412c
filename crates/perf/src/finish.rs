//! From sums to figures.

use std::collections::{BTreeMap, BTreeSet};

use history::{At, Interval, PoolFigures, Role, Round, USERS_MAX, User};
use rustc_hash::FxHashMap;

use crate::database::Database;
use crate::fairness::{Fairness, jain};
use crate::histogram::Histogram;
use crate::meter::Meter;
use crate::performance::{
    BURST_PHASE, Performance, RoleFigures, RoundFigures, SOLO_PHASE, Serialisation, StageTime,
    USERS_LISTED_MAX, UserFigures,
};
use crate::phase::{Outcomes, PhaseFacts, PhaseTally, RoleTally, UserTally};

impl Performance {
    pub(crate) fn of(mut meter: Meter) -> Self {
        let serialisation = serialisation(&meter);
        let rounds = rounds(&meter);
        let measured = measured(&mut meter);
        let header = meter.header.take();
        let rounds_planned = header.as_ref().map(|header| header.rounds);
        let users_planned = header.as_ref().map(|header| header.users.min(USERS_MAX));
        let (connections, connect_us, slowest_connect) = meter.connections.finish();
        let pools = in_order(meter.pools);
        let (stages, total_us) = stages(meter.stages);
        let mut figures = Self {
            planes: header.map(|header| header.planes),
            users_planned,
            rounds_planned,
            connect_us,
            connections,
            throughput_per_s: sustained(&rounds, rounds_planned),
            round_spread: round_spread(&rounds),
            rounds,
            serialisation,
            database: Database::of(&pools),
            pools,
            stages,
            total_us,
            ..Self::default()
        };
        if let Some(measured) = measured {
            figures.add_ops(measured, &slowest_connect);
        }
        figures
    }

    fn add_ops(&mut self, measured: PhaseTally, slowest_connect: &FxHashMap<User, u64>) {
        (self.latency_us, self.outcomes) = over_roles(measured.roles.values());
        self.roles = by_role(&measured.roles);
        self.in_flight_max = measured.in_flight.peak();
        self.start_lag_us_max = self.latency_us.map(|_| measured.lag_max_us);
        self.errors = measured.errors.into_counts();
        let users = all_users(&measured.users, self.users_planned);
        self.fairness = fairness(&users);
        self.users_without_success = Some(
            users
                .iter()
                .filter(|(_, tally)| tally.outcomes.ok == 0)
                .map(|(user, _)| *user)
                .collect(),
        );
        self.users = worst_served(users, slowest_connect);
    }
}

/// The measured phases together; `None` if there is none.
fn measured(meter: &mut Meter) -> Option<PhaseTally> {
    let phases: Vec<u16> = meter
        .facts
        .iter()
        .filter(|(_, facts)| facts.measured)
        .map(|(phase, _)| *phase)
        .collect();
    let tallies = phases
        .iter()
        .map(|phase| meter.phases.remove(phase).unwrap_or_default());
    tallies.reduce(|mut all, tally| {
        all.merge(tally);
        all
    })
}

fn over_roles<'a>(roles: impl Iterator<Item = &'a RoleTally>) -> (Option<crate::Spread>, Outcomes) {
    let mut all = RoleTally::default();
    roles.for_each(|role| all.merge(role));
    (all.latency.spread(), all.outcomes)
}

fn by_role(roles: &FxHashMap<Role, RoleTally>) -> Vec<RoleFigures> {
    let mut figures: Vec<_> = roles
        .iter()
        .map(|(role, tally)| RoleFigures {
            role: *role,
            outcomes: tally.outcomes,
            latency_us: tally.latency.spread(),
        })
        .collect();
    figures.sort_by_key(|figures| format!("{:?}", figures.role));
    figures
}

fn rounds(meter: &Meter) -> Vec<RoundFigures> {
    let mut rounds: BTreeMap<Round, Vec<(&PhaseFacts, Option<&PhaseTally>)>> = BTreeMap::new();
    for (phase, facts) in meter.facts.iter().filter(|(_, facts)| facts.measured) {
        rounds
            .entry(facts.round)
            .or_default()
            .push((facts, meter.phases.get(phase)));
    }
    rounds
        .into_iter()
        .map(|(round, phases)| round_figures(round, &phases))
        .collect()
}

fn round_figures(round: Round, phases: &[(&PhaseFacts, Option<&PhaseTally>)]) -> RoundFigures {
    let (mut latency, mut outcomes) = (Histogram::new(), Outcomes::default());
    for role in phases
        .iter()
        .filter_map(|(_, tally)| *tally)
        .flat_map(|tally| tally.roles.values())
    {
        latency.merge(&role.latency);
        outcomes.merge(role.outcomes);
    }
    let window_us = phases
        .iter()
        .map(|(facts, tally)| window_us(facts, *tally))
        .sum::<Option<u64>>();
    let throughput_per_s = window_us
        .filter(|us| *us > 0)
        .map(|us| outcomes.ok as f64 * 1_000_000.0 / us as f64);
    RoundFigures {
        round,
        outcomes,
        window_us,
        throughput_per_s,
        latency_us: latency.spread(),
    }
}

fn window_us(facts: &PhaseFacts, tally: Option<&PhaseTally>) -> Option<u64> {
    let end = facts.ended.max(tally.and_then(|tally| tally.last_ok))?;
    Some(end.since(facts.began?) / 1_000)
}

fn sustained(rounds: &[RoundFigures], planned: Option<u16>) -> Option<f64> {
    if planned.is_some_and(|planned| rounds.len() < usize::from(planned)) {
        return None;
    }
    rounds
        .iter()
        .map(|round| round.throughput_per_s)
        .reduce(|one, other| Some(one?.min(other?)))
        .flatten()
}

fn round_spread(rounds: &[RoundFigures]) -> Option<f64> {
    let rates: Vec<f64> = rounds
        .iter()
        .map(|round| round.throughput_per_s)
        .collect::<Option<_>>()?;
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let greatest = rates.iter().copied().reduce(f64::max)?;
    let least = rates.iter().copied().reduce(f64::min)?;
    (rates.len() >= 2 && mean > 0.0).then(|| (greatest - least) / mean)
}

/// Every user of the plan, and any other that made an attempt.
fn all_users(tallies: &FxHashMap<User, UserTally>, planned: Option<u32>) -> Vec<(User, UserTally)> {
    let users: BTreeSet<User> = (0..planned.unwrap_or(0))
        .map(User)
        .chain(tallies.keys().copied())
        .collect();
    users
        .into_iter()
        .map(|user| (user, tallies.get(&user).cloned().unwrap_or_default()))
        .collect()
}

fn fairness(users: &[(User, UserTally)]) -> Option<Fairness> {
    Some(Fairness {
        throughput: jain(users.iter().map(|(_, tally)| tally.outcomes.ok as f64))?,
        latency: jain(users.iter().filter_map(|(_, tally)| mean_us(tally)))?,
    })
}

fn mean_us(tally: &UserTally) -> Option<f64> {
    let ops = tally.outcomes.total();
    (ops > 0).then(|| tally.latency_sum_us as f64 / ops as f64)
}

fn worst_served(
    mut users: Vec<(User, UserTally)>,
    slowest_connect: &FxHashMap<User, u64>,
) -> Vec<UserFigures> {
    users.sort_by(|(_, one), (_, other)| {
        let by_latency = mean_us(other)
            .partial_cmp(&mean_us(one))
            .unwrap_or(std::cmp::Ordering::Equal);
        one.outcomes.ok.cmp(&other.outcomes.ok).then(by_latency)
    });
    users.truncate(USERS_LISTED_MAX);
    users
        .into_iter()
        .map(|(user, tally)| UserFigures {
            user,
            outcomes: tally.outcomes,
            latency_us_mean: mean_us(&tally),
            connect_us_max: slowest_connect.get(&user).copied(),
        })
        .collect()
}

fn serialisation(meter: &Meter) -> Option<Serialisation> {
    let named = |name| {
        let phases = meter.facts.iter().filter(move |(_, facts)| facts.name == name);
        phases.filter_map(|(phase, _)| meter.phases.get(phase).map(|tally| tally.answered))
    };
    let (posts, sum_us) =
        named(SOLO_PHASE).fold((0, 0), |(posts, us), solo| (posts + solo.count, us + solo.sum_us));
    let solo_us_mean = (sum_us > 0).then(|| sum_us as f64 / posts as f64)?;
    let bursts = named(BURST_PHASE).filter_map(|burst| {
        let burst_makespan_us = burst.last?.since(burst.first?) / 1_000;
        let ratio = burst_makespan_us as f64 / (burst.count as f64 * solo_us_mean);
        Some(Serialisation {
            solo_us_mean,
            burst_makespan_us,
            burst_posts: burst.count,
            ratio,
        })
    });
    bursts.max_by(|one, other| one.ratio.total_cmp(&other.ratio))
}

fn in_order(mut pools: Vec<PoolFigures>) -> Vec<PoolFigures> {
    pools.sort_by_cached_key(|pool| (!pool.stress, pool.label.clone(), format!("{pool:?}")));
    pools
}

fn stages(mut stages: Vec<(Interval, String)>) -> (Vec<StageTime>, Option<u64>) {
    stages.sort();
    let begin = stages.iter().map(|(during, _)| during.from).min();
    let end = stages.iter().map(|(during, _)| during.to).max();
    let total_us = begin
        .zip(end)
        .filter(|(_, end)| *end != At::NEVER)
        .map(|(begin, end)| end.since(begin) / 1_000);
    let times = stages.into_iter().map(|(during, name)| StageTime {
        name,
        us: during.to.since(during.from) / 1_000,
    });
    (times.collect(), total_us)
}
