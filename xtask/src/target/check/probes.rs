//! What must be denied and was tried: one of each kind, with what was sent and what came, and how many more there were.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use history::ProbeResult;
use session::{Traced, TracedProbe, TracedStep};

use super::{cut, write_step};

/// Steps that are shown of one probe.
const STEPS_MAX: usize = 6;
/// How much earlier or later than the probe a step of it may be told.
const SLACK_NS: u64 = 1_000_000;
/// Characters of what was seen that are shown.
const DETAIL_MAX: usize = 120;

/// All of it; nothing if nothing was tried.
pub(super) fn told(steps: &[Traced]) -> String {
    let mut kinds: BTreeMap<_, Vec<(&Traced, &TracedProbe)>> = BTreeMap::new();
    for traced in steps {
        if let TracedStep::Tried(probe) = &traced.step {
            let kind = (probe.check, probe.class.as_str());
            kinds.entry(kind).or_default().push((traced, probe));
        }
    }
    let mut text = String::new();
    if !kinds.is_empty() {
        text.push_str("\nWhat must be denied, one of each kind:\n\n");
    }
    for tried in kinds.values() {
        kind(&mut text, tried, steps);
    }
    text
}

fn kind(text: &mut String, tried: &[(&Traced, &TracedProbe)], steps: &[Traced]) {
    let denied = |probe: &TracedProbe| matches!(probe.result, ProbeResult::Refused | ProbeResult::Silent);
    let Some((first, shown)) = tried.first() else {
        return;
    };
    // writing to a string cannot fail
    let _ = writeln!(text, "{}", headline(shown, tried.len()));
    for step in of_it(shown, steps) {
        write_step(text, step);
    }
    let _ = writeln!(
        text,
        "{:8.3}s  user {}  {}",
        first.at.0 as f64 / 1e9,
        first.user.0,
        taken_for(shown)
    );
    let others = &tried[1..];
    let odd = others
        .iter()
        .filter(|(_, probe)| !(denied(probe) && probe.controls.0 && probe.controls.1));
    for (traced, probe) in odd {
        let who = format!("{:8.3}s  user {}  ", traced.at.0 as f64 / 1e9, traced.user.0);
        let _ = writeln!(text, "{who}{}: {}", probe.name, taken_for(probe));
    }
}

/// What was sent for it and came, the first answer last.
fn of_it<'a>(probe: &TracedProbe, steps: &'a [Traced]) -> Vec<&'a Traced> {
    let (from, until) = (probe.during.from.0, probe.during.to.0 + SLACK_NS);
    let asked = |step: &Traced| matches!(step.step, TracedStep::Asked(_)) && from <= step.at.0 + SLACK_NS;
    let over = |step: &&Traced| {
        let within = (from <= step.at.0 || asked(step)) && step.at.0 <= until;
        within && probe.conn == Some(step.conn) && !matches!(step.step, TracedStep::Tried(_))
    };
    // what comes first is the answer to something else
    let answers = |step: &&Traced| matches!(step.step, TracedStep::Came { .. } | TracedStep::Answered { .. });
    let mut of_it: Vec<&Traced> = Vec::new();
    for step in steps.iter().filter(over).skip_while(answers).take(STEPS_MAX) {
        // several may be asked the same at once
        if of_it.last().is_none_or(|last| last.step != step.step) {
            of_it.push(step);
        }
        if !matches!(
            step.step,
            TracedStep::Asked(_) | TracedStep::Opened(_) | TracedStep::Sent(_)
        ) {
            break;
        }
    }
    of_it
}

/// What was tried, against whom, how often.
fn headline(probe: &TracedProbe, times: usize) -> String {
    let victim = probe
        .victim
        .map(|victim| format!(", user {}'s", victim.0))
        .unwrap_or_default();
    let which = match probe.class == probe.name {
        true => String::new(),
        false => format!(" ({})", probe.name),
    };
    let more = match times {
        1 => String::new(),
        times => format!(", and {} more", times - 1),
    };
    format!("{}  {}{which}{victim}{more}", probe.check.letter(), probe.class)
}

/// What it was taken for, and whether the same on one's own was served.
fn taken_for(probe: &TracedProbe) -> String {
    let result = match probe.result {
        ProbeResult::Accepted => "ACCEPTED",
        ProbeResult::Refused => "taken as refused",
        ProbeResult::Silent => "taken as denied by silence",
        ProbeResult::Lost => "NOT DECIDED",
    };
    let own = match probe.controls {
        (true, true) => "one's own was served before and after",
        (false, true) => "one's own was NOT SERVED before",
        (true, false) => "one's own was NOT SERVED after",
        (false, false) => "one's own was NOT SERVED",
    };
    let detail: String = cut(&probe.detail).chars().take(DETAIL_MAX).collect();
    match detail.is_empty() {
        true => format!("{result}; {own}"),
        false => format!("{result}: {detail}; {own}"),
    }
}
