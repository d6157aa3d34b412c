//! Which planted leaks a drill is about.

use history::Check;
use isolation::NON_INTERFERENCE_LETTER;

use crate::binaries::Mutant;
use crate::cli::{DrillArgs, Misuse, usage};

/// Those that `--mutant` names, or that the checks of `--check` must catch; all, if neither is given, but for limits, which take
/// hours: one for each of the six checks.
pub(super) fn chosen(known: Vec<Mutant>, args: &DrillArgs) -> Result<Vec<Mutant>, Misuse> {
    let names: Vec<&str> = known.iter().map(|mutant| mutant.name.as_str()).collect();
    if let Some(wrong) = args.mutants.iter().find(|name| !names.contains(&name.as_str())) {
        let message = format!("--mutant: there is no `{wrong}`; there are {}", names.join(", "));
        return Err(usage(message));
    }
    let wanted = |mutant: &Mutant| {
        (args.mutants.is_empty() || args.mutants.contains(&mutant.name))
            && (args.checks.is_empty() || args.checks.iter().any(|check| mutant.checks.contains(*check)))
    };
    let mut chosen: Vec<Mutant> = known.into_iter().filter(wanted).collect();
    let picked = args.one_per_check || args.one_per_phase;
    let some = args.limit && !picked && args.mutants.is_empty() && args.checks.is_empty();
    if some {
        chosen.retain(|mutant| !mutant.needs_comparison());
    }
    if picked || some {
        let mut taken = Vec::new();
        if args.one_per_check || some {
            take_one_per_check(&mut chosen, &mut taken);
        }
        if args.one_per_phase {
            take_one_per_phase(&mut chosen, &mut taken);
        }
        chosen = taken;
    }
    if chosen.is_empty() {
        return Err(usage(
            "no planted leak is named so and to be caught by such a check",
        ));
    }
    Ok(chosen)
}

/// For each check the first that it is expected to catch and that no check before it has taken.
fn take_one_per_check(mutants: &mut Vec<Mutant>, taken: &mut Vec<Mutant>) {
    let letters = Check::ALL.iter().map(|check| check.letter());
    for letter in letters.chain([NON_INTERFERENCE_LETTER]) {
        let first = mutants.iter().position(|mutant| mutant.checks.contains(letter));
        taken.extend(first.map(|at| mutants.remove(at)));
    }
}

/// The first of each set of phases that nobody who is taken stands for; ordinary load is no phase.
fn take_one_per_phase(mutants: &mut Vec<Mutant>, taken: &mut Vec<Mutant>) {
    for mutant in mutants.drain(..) {
        if !mutant.traffic.is_empty() && taken.iter().all(|other| other.traffic != mutant.traffic) {
            taken.push(mutant);
        }
    }
}

#[cfg(test)]
mod tests {
    use session::plan::PhaseKind;

    use super::*;

    type Take = fn(&mut Vec<Mutant>, &mut Vec<Mutant>);

    #[track_caller]
    fn check(takes: &[Take], expect: &[&str]) {
        use PhaseKind::{Cancel, Exhaust};
        let mutant = |(name, checks, traffic): (&str, &str, &[PhaseKind])| Mutant {
            name: name.to_owned(),
            checks: checks.to_owned(),
            traffic: traffic.to_vec(),
        };
        let mut all = [
            ("a", "ST", &[Cancel][..]),
            ("b", "S", &[]),
            ("c", "TSR", &[Cancel]),
            ("d", "U", &[]),
            ("e", "T", &[Cancel, Exhaust]),
            ("f", "U", &[Exhaust]),
        ]
        .map(mutant)
        .to_vec();
        let mut taken = Vec::new();
        for take in takes {
            take(&mut all, &mut taken);
        }
        let names: Vec<String> = taken.into_iter().map(|mutant| mutant.name).collect();
        assert_eq!(names, expect);
    }

    #[test]
    fn one_leak_stands_for_each_check_and_for_each_set_of_phases() {
        check(&[take_one_per_check], &["a", "b", "c", "d"]);
        check(&[take_one_per_phase], &["a", "e", "f"]);
        check(
            &[take_one_per_check, take_one_per_phase],
            &["a", "b", "c", "d", "e", "f"],
        );
    }
}
