//! The report as Markdown: for a comment under a pull request, or the summary page of a pipeline.

use std::fmt::Write as _;

use super::model::Report;
use super::terminal::{headline, remark};
use super::units::time_us;

/// Findings that the summary shows.
const FINDINGS_SHOWN: usize = 10;

/// The whole file.
pub(crate) fn render(report: &Report) -> String {
    let mut text = format!("## Crosstalk {}\n", cell(&headline(report)));
    if !report.checks.is_empty() {
        text.push_str("\n| check | verdict |\n|---|---|\n");
        for check in &report.checks {
            let mut verdict = cell(&check.verdict);
            for reason in &check.reasons {
                let _ = write!(verdict, "<br>{}", cell(reason));
            }
            let _ = writeln!(text, "| {} {} | {verdict} |", check.letter, check.name);
        }
    }
    for finding in report.findings.shown.iter().take(FINDINGS_SHOWN) {
        let user = |user: Option<u32>| user.map_or("-".to_owned(), |user| user.to_string());
        let (observer, victim) = (user(finding.observer), user(finding.victim));
        let _ = write!(text, "\n- **{}** {}", finding.check, cell(&finding.what));
        let _ = write!(
            text,
            " (observer {observer}, victim {victim}, at {})",
            time_us(finding.at_us as f64)
        );
    }
    if report.findings.total > 0 {
        let _ = writeln!(
            text,
            "\n\n{} in all; report.json has the evidence.",
            report.findings.total
        );
    }
    text.push_str("\n| gate | outcome | figure |\n|---|---|---|\n");
    for gate in &report.gates {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            gate.gate,
            gate.outcome.name(),
            cell(&remark(gate))
        );
    }
    for problem in &report.problems {
        let _ = write!(text, "\n- {}", cell(problem));
    }
    if let Some(drill) = &report.drill {
        let _ = write!(text, "\n{}\n", cell(&drill.summary));
    }
    let _ = write!(
        text,
        "\nAgain: `{}` (one seed is one workload, not one interleaving)\n",
        report.run.repeat
    );
    text
}

/// Text of a service must not become markup or end a table's cell.
fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '@' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    escaped
}
