//! Which planted leaks a drill is about.

use history::Check;

use crate::binaries::Mutant;
use crate::cli::{DrillArgs, usage};

/// Those that `--mutant` names, or that the checks of `--check` must catch; all, if neither is given.
pub(super) fn chosen(known: Vec<Mutant>, args: &DrillArgs) -> Result<Vec<Mutant>, clap::Error> {
    let names: Vec<&str> = known.iter().map(|mutant| mutant.name.as_str()).collect();
    if let Some(wrong) = args.mutants.iter().find(|name| !names.contains(&name.as_str())) {
        let message = format!("--mutant: there is no `{wrong}`; there are {}", names.join(", "));
        return Err(usage("drill", message));
    }
    let wanted = |mutant: &Mutant| {
        (args.mutants.is_empty() || args.mutants.contains(&mutant.name))
            && (args.checks.is_empty() || args.checks.iter().any(|check| mutant.checks.contains(*check)))
    };
    let mut chosen: Vec<Mutant> = known.into_iter().filter(wanted).collect();
    if args.one_per_check {
        chosen = one_per_check(chosen);
    }
    if chosen.is_empty() {
        return Err(usage(
            "drill",
            "no planted leak is named so and to be caught by such a check",
        ));
    }
    Ok(chosen)
}

/// For each check the first that it is expected to catch and that no check before it has taken.
fn one_per_check(mut mutants: Vec<Mutant>) -> Vec<Mutant> {
    let mut taken = Vec::new();
    for check in Check::ALL {
        let first = mutants
            .iter()
            .position(|mutant| mutant.checks.contains(check.letter()));
        taken.extend(first.map(|at| mutants.remove(at)));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leak_stands_for_each_check() {
        let mutant = |(name, checks): (&str, &str)| Mutant {
            name: name.to_owned(),
            checks: checks.to_owned(),
        };
        let all = [("a", "ST"), ("b", "S"), ("c", "TSR"), ("d", "U")].map(mutant);
        let taken: Vec<String> = one_per_check(all.to_vec())
            .into_iter()
            .map(|mutant| mutant.name)
            .collect();
        assert_eq!(taken, ["a", "b", "c", "d"]);
    }
}
