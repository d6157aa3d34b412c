//! All gates of a run: the floors, and what a user asked for.

use std::fmt;

use thiserror::Error;

use crate::figure::Figures;
use crate::gate::{Bound, Comparison, Gate, GateOutcome};
use crate::metric::{Kind, Metric};

/// The gates that are always on: S18 to S23 of the specification, and those that the rules of judgement add.
const FLOORS: [(Metric, Comparison, f64, Option<crate::gate::Unit>); 9] = {
    use crate::gate::Unit::{PerSecond, Percent, Seconds};
    use crate::metric::Stat::Mean;
    [
        (Metric::Violations, Comparison::Equal, 0.0, None),
        (Metric::LostAcks, Comparison::Equal, 0.0, None),
        (Metric::Latency(Mean), Comparison::Less, 5.0, Some(Seconds)),
        (Metric::Throughput, Comparison::Greater, 2.0, Some(PerSecond)),
        (Metric::Fairness, Comparison::Greater, 0.7, None),
        (Metric::RoundSpread, Comparison::Less, 75.0, Some(Percent)),
        (Metric::UsersWithoutSuccess, Comparison::Equal, 0.0, None),
        (Metric::DbSuccess, Comparison::AtLeast, 80.0, Some(Percent)),
        (Metric::Total, Comparison::Less, 30.0, Some(Seconds)),
    ]
};

/// A floor that a user's gate has loosened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loosened {
    /// The user's gate, in force.
    pub gate: Gate,
    /// The floor that it replaces.
    pub floor: Gate,
}

impl fmt::Display for Loosened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gate, floor } = self;
        if gate.comparison == floor.comparison {
            write!(f, "loosened: {gate} (floor {})", floor.bound)
        } else {
            write!(
                f,
                "loosened: {gate} (floor {} {})",
                floor.comparison.sign(),
                floor.bound
            )
        }
    }
}

/// A gate that no one may set.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum GateSetError {
    /// Zero violations is what the tool is for.
    #[error("`{gate}` would loosen `{floor}`, which is never loosened")]
    NeverLoosened {
        /// The user's gate.
        gate: Gate,
        /// The floor.
        floor: Gate,
    },
}

/// The gates of a run, floors first.
///
/// A user's gate on a floor's figure and side replaces the floor: silently if it tightens it, and named by
/// [`GateSet::loosened`] if it does not. Any other is added. All of a user's gates hold together.
#[derive(Clone, Debug, PartialEq)]
pub struct GateSet {
    gates: Vec<Gate>,
    loosened: Vec<Loosened>,
}

/// A gate with what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The gate.
    pub gate: Gate,
    /// What became of it.
    pub outcome: GateOutcome,
}

impl GateSet {
    /// The floors alone.
    #[must_use]
    pub fn floors() -> Self {
        let floor = |(metric, comparison, number, unit)| Gate {
            metric,
            comparison,
            bound: Bound { number, unit },
        };
        Self {
            gates: FLOORS.map(floor).to_vec(),
            loosened: Vec::new(),
        }
    }

    /// The floors with a user's gates.
    ///
    /// # Errors
    /// [`GateSetError`] if a gate would allow a violation.
    pub fn with(user: &[Gate]) -> Result<Self, GateSetError> {
        let floors = Self::floors().gates;
        let mut set = Self {
            gates: Vec::new(),
            loosened: Vec::new(),
        };
        for floor in &floors {
            let rivals: Vec<Gate> = user.iter().filter(|gate| gate.rivals(floor)).copied().collect();
            let loosest = rivals.iter().find(|gate| !gate.implies(floor));
            if let Some(gate) = loosest.filter(|gate| gate.metric == Metric::Violations) {
                return Err(GateSetError::NeverLoosened {
                    gate: *gate,
                    floor: *floor,
                });
            }
            match loosest {
                Some(gate) if rivals.iter().all(|gate| !gate.implies(floor)) => {
                    set.loosened.push(Loosened {
                        gate: *gate,
                        floor: *floor,
                    });
                }
                _ => {}
            }
            if rivals.is_empty() {
                set.gates.push(*floor);
            }
            set.gates.extend(rivals);
        }
        set.gates.extend(
            user.iter()
                .filter(|gate| !floors.iter().any(|floor| gate.rivals(floor))),
        );
        Ok(set)
    }

    /// The gates in force.
    #[must_use]
    pub fn gates(&self) -> &[Gate] {
        &self.gates
    }

    /// Floors that are not in force because a user loosened them.
    #[must_use]
    pub fn loosened(&self) -> &[Loosened] {
        &self.loosened
    }

    /// Holds every gate against what is known.
    #[must_use]
    pub fn judge(&self, figures: &impl Figures) -> Vec<Judged> {
        self.gates
            .iter()
            .map(|gate| Judged {
                gate: *gate,
                outcome: gate.judge(figures),
            })
            .collect()
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.gate, self.outcome)
    }
}

/// Figures that a gate accepts: from `least` to `greatest`, ends included or not.
#[derive(Clone, Copy)]
struct Accepted {
    least: (f64, bool),
    greatest: (f64, bool),
}

impl Gate {
    /// Whether every figure that this accepts is accepted by `other`.
    fn implies(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.accepted(), other.accepted());
        let above = |(one, one_in): (f64, bool), (other, other_in): (f64, bool)| {
            one > other || (one == other && (other_in || !one_in))
        };
        let below = |(one, one_in): (f64, bool), (other, other_in): (f64, bool)| {
            one < other || (one == other && (other_in || !one_in))
        };
        above(ours.least, theirs.least) && below(ours.greatest, theirs.greatest)
    }

    /// Whether both limit the same figure on the same side.
    fn rivals(&self, floor: &Self) -> bool {
        let (ours, theirs) = (self.accepted(), floor.accepted());
        let bounded_above = |accepted: Accepted| accepted.greatest.0.is_finite();
        self.metric == floor.metric
            && (self.comparison == Comparison::Equal || bounded_above(ours) == bounded_above(theirs))
    }

    /// No figure is below 0; of counts only whole ones matter.
    fn accepted(&self) -> Accepted {
        let bound = self.bound.base();
        let whole = self.metric.kind() == Kind::Count;
        let (none, all) = ((0.0, true), (f64::INFINITY, false));
        match self.comparison {
            Comparison::Less if whole => Accepted {
                least: none,
                greatest: (bound - 1.0, true),
            },
            Comparison::Less => Accepted {
                least: none,
                greatest: (bound, false),
            },
            Comparison::AtMost => Accepted {
                least: none,
                greatest: (bound, true),
            },
            Comparison::Greater if whole => Accepted {
                least: (bound + 1.0, true),
                greatest: all,
            },
            Comparison::Greater => Accepted {
                least: (bound, false),
                greatest: all,
            },
            Comparison::AtLeast => Accepted {
                least: (bound, true),
                greatest: all,
            },
            Comparison::Equal => Accepted {
                least: (bound, true),
                greatest: (bound, true),
            },
        }
    }
}
