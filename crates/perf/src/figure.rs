//! What a run knows of a metric.

use std::fmt;

use crate::metric::{Kind, Metric};

/// A number with what it measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// Microseconds, per second, a fraction or a count, as `kind` says.
    pub value: f64,
    /// What it measures.
    pub kind: Kind,
}

impl fmt::Display for Quantity {
    /// In units for people: `12.3ms`, `41.2/s`, `98.5%`, `0.973`, `3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value;
        match self.kind {
            Kind::Duration if value < 1_000.0 => write!(f, "{value:.0}us"),
            Kind::Duration if value < 1_000_000.0 => write!(f, "{}ms", Short(value / 1_000.0)),
            Kind::Duration => write!(f, "{}s", Short(value / 1_000_000.0)),
            Kind::Rate => write!(f, "{}/s", Short(value)),
            Kind::Share => write!(f, "{}%", Short(value * 100.0)),
            Kind::Index => write!(f, "{value:.3}"),
            Kind::Count => write!(f, "{value:.0}"),
        }
    }
}

/// Three significant digits, no fewer than all before the point.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.0 {
            value if value >= 100.0 || value == 0.0 => 0,
            value if value >= 10.0 => 1,
            _ => 2,
        };
        write!(f, "{:.decimals$}", self.0)
    }
}

/// What is known of a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// It was measured.
    Value(Quantity),
    /// It should have been, but there is no data; why.
    NoData(String),
    /// It was not asked for; why.
    NotRun(String),
}

impl Figure {
    /// `value` of `metric`, or no data for `reason`.
    #[must_use]
    pub fn of(metric: Metric, value: Option<f64>, reason: &str) -> Self {
        match value {
            Some(value) => Self::Value(Quantity {
                value,
                kind: metric.kind(),
            }),
            None => Self::NoData(reason.to_owned()),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(quantity) => quantity.fmt(f),
            Self::NoData(reason) => write!(f, "no data: {reason}"),
            Self::NotRun(reason) => write!(f, "not run: {reason}"),
        }
    }
}

/// Where gates look figures up.
pub trait Figures {
    /// What is known of `metric`.
    fn figure(&self, metric: Metric) -> Figure;
}
