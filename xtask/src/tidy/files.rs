//! What a source file may be: so long, and for a `lib.rs` nothing but docs, modules and deliberate names.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::workspace;

/// A file that is longer wants to be two.
const LINES_MAX: usize = 500;
/// Crates that are handed files, instants and generators, and take none by themselves.
const PURE: &[&str] = &["crates/history/src", "crates/isolation/src", "crates/perf/src"];
/// How they would.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "Instant::now",
    "SystemTime::now",
];

/// What breaks a rule, one line each.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for path in workspace::sources(root)? {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        broken.extend(broken_by(&shown, &text));
    }
    Ok(broken)
}

fn broken_by(path: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        broken.push(format!("{path}: {lines} lines, {LINES_MAX} at most"));
    }
    if path.ends_with("src/lib.rs") {
        if let Some(item) = foreign_item(text) {
            broken.push(format!("{path}: `{item}` is neither docs, `mod` nor `use`"));
        }
        if !has_example(text) {
            broken.push(format!("{path}: the crate docs have no example that runs"));
        }
    }
    if PURE.iter().any(|pure| path.starts_with(pure)) {
        let means = |line: &&str| !line.trim_start().starts_with("//");
        for means in IMPURE
            .iter()
            .filter(|word| text.lines().filter(means).any(|line| line.contains(**word)))
        {
            broken.push(format!("{path}: `{means}` in a pure crate"));
        }
    }
    broken
}

/// The first item of a `lib.rs` that is neither a module nor a use.
fn foreign_item(text: &str) -> Option<String> {
    let code: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && !line.starts_with("#[") && !line.starts_with("#!["))
        .collect();
    code.join(" ")
        .split(';')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .find(|item| {
            let item = item
                .strip_prefix("pub(crate) ")
                .or_else(|| item.strip_prefix("pub "))
                .unwrap_or(item);
            !(item.starts_with("use ") || (item.starts_with("mod ") && !item.contains('{')))
        })
        .map(|item| item.chars().take(60).collect())
}

/// Whether the crate docs have a block of code that rustdoc runs.
fn has_example(text: &str) -> bool {
    let fences = text
        .lines()
        .filter_map(|line| line.strip_prefix("//!")?.trim().strip_prefix("```"));
    fences
        .step_by(2)
        .any(|language| matches!(language, "" | "rust" | "no_run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "//! Does it.\n//!\n//! ```\n//! assert!(true);\n//! ```\n\n#![warn(x)]\nmod a;\npub use a::{B,\n    C};\n";

    #[track_caller]
    fn check(path: &str, text: &str, expect: &[&str]) {
        assert_eq!(broken_by(path, text), expect);
    }

    #[test]
    fn files() {
        check("crates/perf/src/lib.rs", GOOD, &[]);
        check("crates/perf/src/gate.rs", &"\n".repeat(500), &[]);
        check(
            "crates/perf/src/gate.rs",
            &"\n".repeat(501),
            &["crates/perf/src/gate.rs: 501 lines, 500 at most"],
        );
        check(
            "crates/perf/src/lib.rs",
            &format!("{GOOD}pub fn stray() {{}}\n"),
            &["crates/perf/src/lib.rs: `pub fn stray() {}` is neither docs, `mod` nor `use`"],
        );
        check(
            "crates/perf/src/lib.rs",
            &format!("{GOOD}mod tests {{ use super::*; }}\n"),
            &["crates/perf/src/lib.rs: `mod tests { use super::*` is neither docs, `mod` nor `use`"],
        );
        check(
            "crates/dbpool/src/lib.rs",
            "//! ```text\n//! no code\n//! ```\n",
            &["crates/dbpool/src/lib.rs: the crate docs have no example that runs"],
        );
        check("crates/perf/src/gate.rs", "// Instant::now\n", &[]);
        check(
            "crates/perf/src/gate.rs",
            "let now = Instant::now();\n",
            &["crates/perf/src/gate.rs: `Instant::now` in a pure crate"],
        );
    }
}
