//! One threshold: `NAME OP NUMBER[UNIT]`.

use std::fmt;
use std::str::FromStr;

use crate::figure::{Figure, Figures, Quantity};
use crate::metric::{Kind, Metric};
use crate::parse::{GateError, parse};

/// How a figure is compared with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
}

impl Comparison {
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("==", Self::Equal),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    /// As written.
    #[must_use]
    pub fn sign(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, comparison)| *comparison == self)
            .map_or("", |(sign, _)| sign)
    }

    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::Greater => value > bound,
            Self::AtLeast => value >= bound,
            Self::Equal => value == bound,
        }
    }
}

/// Units of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unit {
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Percent,
    PerSecond,
}

impl Unit {
    pub(crate) const ALL: [(&'static str, Self); 6] = [
        ("us", Self::Microseconds),
        ("ms", Self::Milliseconds),
        ("s", Self::Seconds),
        ("m", Self::Minutes),
        ("%", Self::Percent),
        ("/s", Self::PerSecond),
    ];

    /// As written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, unit)| *unit == self)
            .map_or("", |(symbol, _)| symbol)
    }

    /// Whether it can measure that.
    pub(crate) fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Microseconds | Self::Milliseconds | Self::Seconds | Self::Minutes => kind == Kind::Duration,
            Self::Percent => matches!(kind, Kind::Share | Kind::Index),
            Self::PerSecond => kind == Kind::Rate,
        }
    }

    /// `number` of this unit in microseconds, per second, or as a fraction.
    fn base(self, number: f64) -> f64 {
        match self {
            Self::Microseconds | Self::PerSecond => number,
            Self::Milliseconds => number * 1e3,
            Self::Seconds => number * 1e6,
            Self::Minutes => number * 60e6,
            Self::Percent => number / 100.0,
        }
    }
}

/// The right side of a gate: a number from 0, as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The number.
    pub number: f64,
    /// Its unit; `None` for counts, and where the unit was left out.
    pub unit: Option<Unit>,
}

impl Bound {
    /// In microseconds, per second, as a fraction or a count.
    #[must_use]
    pub fn base(self) -> f64 {
        self.unit.map_or(self.number, |unit| unit.base(self.number))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, self.unit.map_or("", Unit::symbol))
    }
}

/// A threshold on a figure.
///
/// The grammar is `NAME OP NUMBER[UNIT]`, with or without white space between: a name of [`Metric`]; one of `<`, `<=`, `>`,
/// `>=`, `==`; digits with or without a decimal point; `us`, `ms`, `s` or `m` for durations (which need one), `/s` for rates,
/// `%` for shares and indices, none for counts.
///
/// ```
/// use perf::{Gate, Metric};
///
/// let gate: Gate = "latency_p99<250ms".parse()?;
/// assert_eq!(gate.metric, Metric::named("latency_p99").unwrap());
/// assert_eq!(gate.bound.base(), 250_000.0);
/// assert_eq!(gate.to_string(), "latency_p99 < 250ms");
/// # Ok::<(), perf::GateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// The figure.
    pub metric: Metric,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub bound: Bound,
}

/// What became of a gate.
#[derive(Clone, Debug, PartialEq)]
pub enum GateOutcome {
    /// The figure keeps the bound.
    Met(Quantity),
    /// It does not: a breach.
    Missed(Quantity),
    /// There is no data, which is never met.
    Unknown(String),
    /// Its plane was not selected.
    NotRun(String),
}

impl Gate {
    /// Reads a gate.
    ///
    /// # Errors
    /// [`GateError`] with the position and a hint.
    pub fn parse(expression: &str) -> Result<Self, GateError> {
        parse(expression)
    }

    /// Holds the gate against what is known.
    #[must_use]
    pub fn judge(&self, figures: &impl Figures) -> GateOutcome {
        match figures.figure(self.metric) {
            Figure::Value(quantity) if self.comparison.holds(quantity.value, self.bound.base()) => {
                GateOutcome::Met(quantity)
            }
            Figure::Value(quantity) => GateOutcome::Missed(quantity),
            Figure::NoData(reason) => GateOutcome::Unknown(reason),
            Figure::NotRun(reason) => GateOutcome::NotRun(reason),
        }
    }
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(expression: &str) -> Result<Self, GateError> {
        parse(expression)
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.metric.name(),
            self.comparison.sign(),
            self.bound
        )
    }
}

impl fmt::Display for GateOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Met(quantity) => write!(f, "met: {quantity}"),
            Self::Missed(quantity) => write!(f, "missed: {quantity}"),
            Self::Unknown(reason) => write!(f, "unknown: {reason}"),
            Self::NotRun(reason) => write!(f, "not run: {reason}"),
        }
    }
}
