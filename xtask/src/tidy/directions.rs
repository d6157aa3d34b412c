//! Who may depend on whom, of our own crates; and which foreign ones a pure crate may not have.

use cargo_metadata::Package;

/// A crate of ours, whether it is pure, and which of ours it may depend on (in tests too).
struct Rule {
    name: &'static str,
    pure: bool,
    may: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        name: "history",
        pure: true,
        may: &[],
    },
    Rule {
        name: "isolation",
        pure: true,
        may: &["history"],
    },
    Rule {
        name: "perf",
        pure: true,
        may: &["history"],
    },
    Rule {
        name: "session",
        pure: false,
        may: &["history", "isolation", "perf"],
    },
    Rule {
        name: "dbpool",
        pure: false,
        may: &["history", "isolation", "perf"],
    },
    Rule {
        name: "services",
        pure: false,
        may: &[],
    },
    Rule {
        name: "reference",
        pure: false,
        may: &[],
    },
    Rule {
        name: "xtask",
        pure: false,
        may: &["dbpool", "history", "isolation", "perf", "services", "session"],
    },
];

/// Crates that bring sockets, files or a runtime: not for pure crates.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "sqlx",
    "tokio-postgres",
    "tokio-tungstenite",
    "rustix",
];

/// What breaks a rule, one line each.
pub(super) fn check(packages: &[Package]) -> Vec<String> {
    let edges = packages.iter().map(|package| {
        let dependencies = package
            .dependencies
            .iter()
            .map(|dependency| dependency.name.as_str())
            .collect();
        (package.name.as_str(), dependencies)
    });
    broken(edges.collect())
}

fn broken(packages: Vec<(&str, Vec<&str>)>) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, dependencies) in packages {
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            broken.push(format!(
                "{name}: no rule says what it may depend on; add it to xtask/src/tidy/directions.rs"
            ));
            continue;
        };
        for dependency in dependencies {
            let ours = RULES.iter().any(|rule| rule.name == dependency);
            if ours && !rule.may.contains(&dependency) {
                broken.push(format!(
                    "{name} depends on {dependency}, which points the wrong way"
                ));
            }
            if rule.pure && IMPURE.contains(&dependency) {
                broken.push(format!("{name} is pure, and depends on {dependency}"));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, dependency: &str, expect: &[&str]) {
        assert_eq!(broken(vec![(name, vec![dependency])]), expect);
    }

    #[test]
    fn directions() {
        check("isolation", "history", &[]);
        check("session", "tokio", &[]);
        check(
            "history",
            "isolation",
            &["history depends on isolation, which points the wrong way"],
        );
        check(
            "reference",
            "session",
            &["reference depends on session, which points the wrong way"],
        );
        check(
            "xtask",
            "reference",
            &["xtask depends on reference, which points the wrong way"],
        );
        check("perf", "tokio", &["perf is pure, and depends on tokio"]);
        check(
            "newcomer",
            "serde",
            &["newcomer: no rule says what it may depend on; add it to xtask/src/tidy/directions.rs"],
        );
    }
}
