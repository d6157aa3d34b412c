//! Which planted leaks a drill is about.

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
    let chosen: Vec<Mutant> = known.into_iter().filter(wanted).collect();
    if chosen.is_empty() {
        return Err(usage(
            "drill",
            "no planted leak is named so and to be caught by such a check",
        ));
    }
    Ok(chosen)
}
