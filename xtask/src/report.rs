//! The report of a run: one model, and the forms it is read in.

mod build;
mod junit;
mod model;
#[cfg(test)]
mod sample;
mod summary;
mod terminal;
mod units;

use anyhow::{Context as _, Result};

pub(crate) use model::{Drill, Report};
pub(crate) use terminal::render as screen;

use crate::run_dir::RunDir;

/// `report.json`.
pub(crate) fn json(report: &Report) -> Result<String> {
    serde_json::to_string_pretty(report).context("cannot write the report as JSON")
}

/// Writes the files of the report beside the history.
pub(crate) fn write(report: &mut Report, dir: &RunDir) -> Result<()> {
    report.files.names = vec!["report.json", "junit.xml", "summary.md", "history/", "logs/"];
    if report.drill.is_some() {
        report.files.names.push("mutants/");
    }
    dir.write("report.json", json(report)?.as_bytes())?;
    dir.write("junit.xml", junit::render(report)?.as_bytes())?;
    dir.write("summary.md", summary::render(report).as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// All names of fields, however deep.
    fn fields(value: &Value, names: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    names.insert(name.clone());
                    fields(value, names);
                }
            }
            Value::Array(array) => array.iter().for_each(|value| fields(value, names)),
            _ => {}
        }
    }

    #[test]
    fn every_field_is_documented() {
        let docs = include_str!("../../docs/report.md");
        let mut names = BTreeSet::new();
        for judged in [sample::valid(), sample::violated(), sample::interfered()] {
            let mut report = sample::report(&judged);
            let summary = "mutant x fired once".to_owned();
            let mutant = "x".to_owned();
            report.drill = Some(Drill {
                mutant,
                fired: 1,
                opportunities: Some(3),
                acted: Some(3),
                caught_by: vec!['S'],
                matched: true,
                summary,
            });
            fields(
                &serde_json::from_str(&json(&report).unwrap()).unwrap(),
                &mut names,
            );
        }
        let missing: Vec<_> = names
            .iter()
            .filter(|name| !docs.contains(&format!("`{name}`")))
            .collect();
        assert!(missing.is_empty(), "docs/report.md does not mention {missing:?}");
    }

    #[test]
    fn exit_codes_follow_from_what_is_reported() {
        let code = |judged: &crate::judge::Judged| sample::report(judged).exit.code();
        assert_eq!(code(&sample::valid()), 0);
        assert_eq!(
            code(&sample::violated()),
            10,
            "a violation outweighs a breach and an unknown"
        );
        assert_eq!(
            code(&sample::interfered()),
            10,
            "the seventh look counts as the six do"
        );
        assert_eq!(code(&sample::empty()), 12);
        let mut breach = sample::valid();
        breach.header.gates.push("latency_p99 < 5ms".into());
        assert_eq!(code(&breach), 11);
        let mut partly = sample::valid();
        partly.header.planes = vec!["performance".into()];
        partly.performance.planes = Some(partly.header.planes.clone());
        for verdict in &mut partly.judgement.verdicts {
            verdict.state = isolation::State::Unknown;
        }
        assert_eq!(code(&partly), 0, "verdicts that nobody asked for do not count");
        partly.judgement.pool_hygiene.findings = vec!["sqlx: open transaction".into()];
        assert_eq!(code(&partly), 10, "but what was found cannot be unseen");
    }
}
