//! The report as Markdown: for a comment under a pull request, or the summary page of a pipeline.

use std::fmt::Write as _;

use isolation::NON_INTERFERENCE;

use super::model::{Company, Report};
use super::terminal::{headline, remark, user};
use super::units::time_us;

/// Findings that the summary shows.
const FINDINGS_SHOWN: usize = 10;

/// The whole file.
pub(crate) fn render(report: &Report) -> String {
    let mut text = format!("## Crosstalk {}\n", cell(&headline(report)));
    let isolation = &report.isolation;
    if !isolation.checks.is_empty() {
        text.push_str("\n| check | verdict |\n|---|---|\n");
        for check in &isolation.checks {
            let _ = writeln!(
                text,
                "| {} {} | {} |",
                check.letter,
                check.verdict.check.name(),
                cell(&check.text)
            );
        }
    }
    if let Some(seventh) = &isolation.non_interference {
        company(&mut text, seventh);
    }
    for finding in isolation.findings.iter().take(FINDINGS_SHOWN) {
        let (observer, victim) = (user(Some(finding.observer)), user(finding.victim));
        let _ = write!(
            text,
            "\n- **{}** {}: {}",
            finding.check.letter(),
            cell(&finding.kind),
            cell(&finding.detail)
        );
        let _ = write!(
            text,
            " (observer {observer}, victim {victim}, at {})",
            time_us(finding.at_us as f64)
        );
    }
    for finding in &isolation.hygiene_findings {
        let _ = write!(text, "\n- left on a pooled connection: {}", cell(finding));
    }
    if isolation.violations > 0 {
        let _ = writeln!(
            text,
            "\n\n{} in all; report.json has the evidence.",
            isolation.violations
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
    if !report.problems.is_empty() {
        text.push('\n');
    }
    for problem in &report.problems {
        let _ = writeln!(text, "- {}", cell(problem));
    }
    if let Some(drill) = &report.drill {
        let _ = writeln!(text, "\n{}", cell(&drill.summary));
    }
    let _ = write!(
        text,
        "\nAgain: `{}` (one seed is one workload, not one interleaving)\n",
        report.run.repeat
    );
    text
}

/// The look beside the checks: a last row of their table, and what was found.
fn company(text: &mut String, company: &Company) {
    let letter = company.letter;
    let _ = writeln!(text, "| {letter} {NON_INTERFERENCE} | {} |", cell(&company.text));
    for found in company.differences.iter().take(FINDINGS_SHOWN) {
        let _ = write!(
            text,
            "\n- **{letter}** {}: {}",
            cell(&found.kind),
            cell(&found.step)
        );
        if !found.pointer.is_empty() {
            let _ = write!(text, " at {}", cell(&found.pointer));
        }
        let (observer, victim) = (user(Some(found.observer)), user(found.victim));
        let (alone, together) = (cell(&found.alone), cell(&found.together));
        let _ = write!(
            text,
            ": alone {alone}, in company {together} (observer {observer}, victim {victim})"
        );
    }
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

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_comment_under_a_pull_request() {
        insta::assert_snapshot!(render(&sample::report(&sample::violated())), @r"
        ## Crosstalk VIOLATED: 4 of 6 checks valid, 2 violations, 6 of 10 gates met, 4.31s

        | check | verdict |
        |---|---|
        | T thread conflict | T valid: 0 violations in 48,210 overlapping creates and foreign-thread probes, 612 units (connection x phase x round). If units leak independently at one rate, it is below 0.49 % (95 %). 26 of 26 denied paths refused. Not covered: timing. |
        | K token isolation | K valid: 0 violations in 48,210 identities read back, 612 units (connection x phase x round). If units leak independently at one rate, it is below 0.49 % (95 %). 26 of 26 denied paths refused. Not covered: timing. |
        | S secret contamination | S violated: 1 violation in 48,210 frames, 612 units (connection x phase x round). 26 of 26 denied paths refused. Not covered: timing. |
        | R response crossing | R unknown: the required situation cancelled\_reply never occurred. 0 violations in 0 nonce-checked replies, 0 units (connection x phase x round). 26 of 26 denied paths refused. Weakest required situation: cancelled\_reply, 118 times, below 2.5 %. Not covered: timing. |
        | U user-id leakage | U valid: 0 violations in 48,210 frames, 612 units (connection x phase x round). If units leak independently at one rate, it is below 0.49 % (95 %). 26 of 26 denied paths refused. Not covered: timing. |
        | B session boundary | B valid: 0 violations in 48,210 opportunities after the end, 612 units (connection x phase x round). If units leak independently at one rate, it is below 0.49 % (95 %). 26 of 26 denied paths refused. Not covered: timing. |

        - **S** foreign secret: a message's body, told to nobody but its owner (observer user 3, victim user 7, at 1.20s)
        - left on a pooled connection: sqlx: role set to stress\_7

        2 in all; report.json has the evidence.

        | gate | outcome | figure |
        |---|---|---|
        | `violations == 0` | missed | 2 |
        | `lost_acks == 0` | missed | 1 |
        | `latency_mean < 5s` | met | 4.12ms |
        | `throughput > 2/s` | met | 402/s |
        | `fairness > 0.7` | met | 0.984 |
        | `round_spread < 75%` | met | 1.90% |
        | `users_without_success == 0` | missed | 1 |
        | `db_success >= 80%` | met | 100% |
        | `total < 30s` | met | 4.31s |
        | `latency_p99 < 5ms` | missed | 22.0ms |

        - a service was lost in mid-run: agent (was ended by SIGKILL)

        Again: `cargo xtask e2e --seed 42` (one seed is one workload, not one interleaving)
        ");
    }

    #[test]
    fn what_a_service_says_stays_text() {
        assert_eq!(
            cell("a|b\n<img src=x> `c` @all"),
            "a\\|b &lt;img src=x> \\`c\\` \\@all"
        );
    }
}
