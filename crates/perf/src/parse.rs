//! Reading gates, and saying where one is wrong.

use std::ops::Range;

use thiserror::Error;

use crate::gate::{Bound, Comparison, Gate, Unit};
use crate::metric::{Kind, Metric};

/// Longest expression, in bytes.
pub const EXPRESSION_MAX: usize = 200;

/// A gate that could not be read, with the place.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{problem}\n  {}\n  {}", printable(.expression), caret(.expression, .place))]
pub struct GateError {
    /// The expression.
    pub expression: String,
    /// Where in it, in bytes.
    pub place: Range<usize>,
    /// What is wrong there.
    pub problem: GateProblem,
}

/// What can be wrong with a gate.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum GateProblem {
    #[error("the gate is empty: write NAME OP NUMBER[UNIT], as in `latency_p99 < 250ms`")]
    Empty,
    #[error("the gate has {bytes} bytes, the limit is {EXPRESSION_MAX}")]
    TooLong { bytes: usize },
    #[error("unknown figure `{name}`{}", nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default())]
    UnknownName {
        name: String,
        nearest: Option<&'static str>,
    },
    #[error("expected one of < <= > >= == after the name")]
    NoComparison,
    #[error("expected a number from 0, such as 250 or 0.7")]
    NoNumber,
    #[error("`{name}` needs a unit: us, ms, s or m")]
    NoUnit { name: &'static str },
    #[error("`{unit}` is no unit of `{name}`: use {}", units(*.kind))]
    WrongUnit {
        unit: String,
        name: &'static str,
        kind: Kind,
    },
    #[error("`{name}` counts whole things")]
    NotWhole { name: &'static str },
}

fn units(kind: Kind) -> &'static str {
    match kind {
        Kind::Duration => "us, ms, s or m",
        Kind::Rate => "/s or none",
        Kind::Share | Kind::Index => "% or none",
        Kind::Count => "none",
    }
}

/// One line, whatever was written.
fn printable(expression: &str) -> String {
    let line: String = expression
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    match line.char_indices().nth(EXPRESSION_MAX) {
        Some((end, _)) => line[..end].to_owned(),
        None => line,
    }
}

fn caret(expression: &str, place: &Range<usize>) -> String {
    let before = expression[..place.start].chars().count().min(EXPRESSION_MAX);
    let under = expression[place.clone()].chars().count().clamp(1, EXPRESSION_MAX);
    format!("{}{}", " ".repeat(before), "^".repeat(under))
}

/// What is left of an expression.
struct Cursor<'a> {
    whole: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.whole[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.whole.len() - self.rest().trim_start().len();
    }

    /// Takes characters for as long as they are wanted.
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Takes the first of `words` that comes next.
    fn take_one<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<T> {
        let (word, meaning) = words.iter().find(|(word, _)| self.rest().starts_with(word))?;
        self.at += word.len();
        Some(*meaning)
    }

    fn error(&self, place: Range<usize>, problem: GateProblem) -> GateError {
        GateError {
            expression: self.whole.to_owned(),
            place,
            problem,
        }
    }

    /// An error at the next character, or behind the last.
    fn error_here(&self, problem: GateProblem) -> GateError {
        let width = self.rest().chars().next().map_or(0, char::len_utf8);
        self.error(self.at..self.at + width, problem)
    }
}

/// Reads `NAME OP NUMBER[UNIT]`.
pub(crate) fn parse(expression: &str) -> Result<Gate, GateError> {
    let mut cursor = Cursor {
        whole: expression,
        at: 0,
    };
    if expression.len() > EXPRESSION_MAX {
        return Err(cursor.error(
            0..0,
            GateProblem::TooLong {
                bytes: expression.len(),
            },
        ));
    }
    cursor.skip_space();
    let metric = metric(&mut cursor)?;
    cursor.skip_space();
    let comparison = cursor
        .take_one(&Comparison::ALL)
        .ok_or_else(|| cursor.error_here(GateProblem::NoComparison))?;
    cursor.skip_space();
    let bound = bound(&mut cursor, metric)?;
    Ok(Gate {
        metric,
        comparison,
        bound,
    })
}

fn metric(cursor: &mut Cursor<'_>) -> Result<Metric, GateError> {
    if cursor.rest().is_empty() {
        return Err(cursor.error_here(GateProblem::Empty));
    }
    let from = cursor.at;
    let name = cursor.take(|c| !c.is_whitespace() && !"<>=".contains(c));
    Metric::named(name).ok_or_else(|| {
        let problem = GateProblem::UnknownName {
            name: printable(name),
            nearest: Metric::nearest_name(name),
        };
        cursor.error(from..cursor.at, problem)
    })
}

fn bound(cursor: &mut Cursor<'_>, metric: Metric) -> Result<Bound, GateError> {
    let from = cursor.at;
    let digits = cursor.take(|c| c.is_ascii_digit() || c == '.');
    let number: f64 = digits
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| {
            let problem = GateProblem::NoNumber;
            if digits.is_empty() {
                cursor.error_here(problem)
            } else {
                cursor.error(from..cursor.at, problem)
            }
        })?;
    let (name, kind) = (metric.name(), metric.kind());
    if kind == Kind::Count && number.fract() != 0.0 {
        return Err(cursor.error(from..cursor.at, GateProblem::NotWhole { name }));
    }
    cursor.skip_space();
    let rest = cursor.rest().trim_end();
    let unit = Unit::ALL
        .iter()
        .find(|(symbol, _)| *symbol == rest)
        .map(|(_, unit)| *unit);
    match unit {
        None if rest.is_empty() && kind == Kind::Duration => {
            Err(cursor.error_here(GateProblem::NoUnit { name }))
        }
        Some(unit) if unit.fits(kind) => Ok(Bound {
            number,
            unit: Some(unit),
        }),
        None if rest.is_empty() => Ok(Bound { number, unit: None }),
        _ => {
            let place = cursor.at..cursor.at + rest.len();
            Err(cursor.error(
                place,
                GateProblem::WrongUnit {
                    unit: printable(rest),
                    name,
                    kind,
                },
            ))
        }
    }
}
