//! A run's figures by name, performance and judgement together.

use crate::database::DB_IN_FLIGHT_MIN;
use crate::figure::{Figure, Figures};
use crate::metric::{Metric, WaitStat};
use crate::performance::Performance;

/// Performance with the two figures that only the judge knows; what the judge knows counts whatever was selected.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// What the meter measured.
    pub performance: &'a Performance,
    /// Violations that the judge found; `None` if there was no judgement.
    pub violations: Option<u64>,
    /// Acknowledged messages that are not in the database; `None` if there was no audit, or an incomplete one.
    pub lost_acks: Option<u64>,
}

impl Figures for Sheet<'_> {
    fn figure(&self, metric: Metric) -> Figure {
        let judged = match metric {
            Metric::Violations => self.violations,
            Metric::LostAcks => self.lost_acks,
            _ => None,
        };
        match judged {
            Some(count) => Figure::of(metric, Some(count as f64), ""),
            None => self.performance.figure(metric),
        }
    }
}

impl Figures for Performance {
    /// Violations and lost acknowledgements are no data here: see [`Sheet`].
    fn figure(&self, metric: Metric) -> Figure {
        if let Some(reason) = self.not_run(metric) {
            return Figure::NotRun(reason);
        }
        Figure::of(metric, self.value(metric), &self.why_none(metric))
    }
}

impl Performance {
    fn not_run(&self, metric: Metric) -> Option<String> {
        let plane = metric.plane();
        let selected = self
            .planes
            .as_ref()
            .is_none_or(|planes| plane.is_selected(planes));
        (!selected).then(|| format!("the plane {} was not selected", plane.name()))
    }

    fn value(&self, metric: Metric) -> Option<f64> {
        let whole = |count: u64| Some(count as f64);
        let ops = self.latency_us.map(|latency| latency.count);
        match metric {
            Metric::Latency(stat) => self.latency_us.as_ref().map(|spread| stat.of(spread)),
            Metric::Connect(stat) => self.connect_us.as_ref().map(|spread| stat.of(spread)),
            Metric::Throughput => self.throughput_per_s,
            Metric::Fairness => self.fairness.map(|fairness| fairness.lower()),
            Metric::RoundSpread => self.round_spread,
            Metric::UsersWithoutSuccess => self
                .users_without_success
                .as_ref()
                .map(|users| users.len() as f64),
            Metric::Errors => ops.and(whole(self.outcomes.failed)),
            Metric::ErrorShare => {
                ops.map(|ops| (self.outcomes.failed + self.outcomes.unanswered) as f64 / ops as f64)
            }
            Metric::Unanswered => ops.and(whole(self.outcomes.unanswered)),
            Metric::Refused => {
                let tried = self.connections.opened + self.connections.refused;
                (tried > 0).then_some(self.connections.refused as f64)
            }
            Metric::InFlight => self.in_flight_max.map(|ops| ops as f64),
            Metric::StartLag => self.start_lag_us_max.map(|us| us as f64),
            Metric::Serialisation => self.serialisation.map(|serialisation| serialisation.ratio),
            Metric::Total => self.total_us.map(|us| us as f64),
            Metric::LostAcks | Metric::Violations => None,
            Metric::DbSuccess
            | Metric::DbEfficiency
            | Metric::DbInFlight
            | Metric::DbWait(_)
            | Metric::DbTimeouts => self.database_value(metric),
        }
    }

    fn database_value(&self, metric: Metric) -> Option<f64> {
        let database = self.database?;
        match metric {
            Metric::DbSuccess if database.in_flight_max < DB_IN_FLIGHT_MIN => None,
            Metric::DbSuccess => database.success,
            Metric::DbEfficiency => database.efficiency,
            Metric::DbInFlight => Some(f64::from(database.in_flight_max)),
            Metric::DbWait(stat) => database.wait_us.map(|[median, p99, max]| {
                let us = match stat {
                    WaitStat::Median => median,
                    WaitStat::P99 => p99,
                    WaitStat::Max => max,
                };
                us as f64
            }),
            _ => Some(database.timeouts as f64),
        }
    }

    fn why_none(&self, metric: Metric) -> String {
        match metric {
            Metric::Latency(_)
            | Metric::Errors
            | Metric::ErrorShare
            | Metric::Unanswered
            | Metric::InFlight
            | Metric::StartLag => "no op of a measured phase was attempted".to_owned(),
            Metric::Connect(_) => "no connection was ready".to_owned(),
            Metric::Refused => "no connection was tried".to_owned(),
            Metric::Fairness => "no op of a measured phase was acknowledged".to_owned(),
            Metric::UsersWithoutSuccess => "there was no measured phase".to_owned(),
            Metric::Throughput | Metric::RoundSpread => self.why_no_rounds(metric),
            Metric::Serialisation => "the phases solo and burst did not both take place".to_owned(),
            Metric::DbSuccess
            | Metric::DbEfficiency
            | Metric::DbInFlight
            | Metric::DbWait(_)
            | Metric::DbTimeouts => self.why_no_database(metric),
            Metric::Total => "the run's stages were not all recorded".to_owned(),
            Metric::LostAcks => "there was no complete audit".to_owned(),
            Metric::Violations => "there was no judgement".to_owned(),
        }
    }

    fn why_no_rounds(&self, metric: Metric) -> String {
        let ran = self.rounds.len();
        match self.rounds_planned {
            _ if ran == 0 => "there was no measured phase".to_owned(),
            Some(planned) if ran < usize::from(planned) => format!("{ran} of {planned} rounds took place"),
            _ if metric == Metric::RoundSpread && ran < 2 => {
                "a spread needs two rounds, 1 took place (try --rounds 3)".to_owned()
            }
            _ if metric == Metric::RoundSpread && self.outcomes.ok == 0 => {
                "no op was acknowledged".to_owned()
            }
            _ => "a round has no end".to_owned(),
        }
    }

    fn why_no_database(&self, metric: Metric) -> String {
        match self.database {
            None => "no pool was put under stress".to_owned(),
            Some(database) if metric == Metric::DbSuccess && database.in_flight_max < DB_IN_FLIGHT_MIN => {
                let at_once = database.in_flight_max;
                format!("{at_once} operations at once, it takes {DB_IN_FLIGHT_MIN} to mean anything")
            }
            Some(_) => "a pool did nothing".to_owned(),
        }
    }
}
