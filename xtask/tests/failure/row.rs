//! One way in which a run can end, and the line of the table that says how it did.

use std::io::Write as _;

use crate::bed::{Bed, Ended, xtask};

/// What a run is asked for, and how it has to end.
pub(crate) struct Row<'a> {
    /// Arguments of `e2e`, words apart by spaces.
    pub(crate) arguments: &'a str,
    /// The codes that it may end with.
    pub(crate) codes: &'a [i32],
    /// What it has to say, in its report or on the screen.
    pub(crate) says: &'a [&'a str],
    /// Whether the audit must have counted what was lost.
    pub(crate) audited: bool,
}

/// Few rounds, short ones: what ends the run is looked at, not the run.
pub(crate) const BRIEF: &str = "--rounds 2 --duration 500ms --gate 'total<10m'";

/// The head of the table.
pub(crate) fn head() {
    line(&format!(
        "{:62} {:>4} {:>7} {:>5} {:>7}  says",
        "command: cargo xtask e2e ...", "code", "seconds", "left", "lost"
    ));
}

/// A line of the table, past the test runner's capture of what is printed: it is what a reader runs it for.
pub(crate) fn tell(command: &str, ended: &Ended, says: &[&str]) {
    let lost = ended.lost().map_or("-".to_owned(), |lost| lost.to_string());
    line(&format!(
        "{command:62} {:>4} {:>7.1} {:>5} {lost:>7}  {}",
        ended.code,
        ended.took.as_secs_f64(),
        ended.left.len(),
        says.join("; ")
    ));
}

#[expect(clippy::print_stdout, reason = "a table for people")]
fn line(text: &str) {
    println!("{text}");
    let _ = std::io::stdout().flush();
}

/// Runs each, prints the table, and fails with all that is not as it should be.
pub(crate) fn check_all(rows: &[Row<'_>]) {
    head();
    let wrong: Vec<String> = rows.iter().filter_map(|row| row.check().err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

impl Row<'_> {
    fn check(&self) -> Result<(), String> {
        let bed = Bed::new();
        let mut command = bed.command(xtask());
        command.arg("e2e").args(words(BRIEF)).args(words(self.arguments));
        command
            .arg("--binaries")
            .arg(bed.binaries())
            .arg("--out")
            .arg(bed.out());
        let ended = bed.watch_one(command);
        tell(self.arguments, &ended, self.says);
        self.judge(&ended)
    }

    /// What is wrong with how it ended.
    pub(crate) fn judge(&self, ended: &Ended) -> Result<(), String> {
        let told = format!("{}\n{}", ended.said, ended.report["problems"]);
        let mut wrong = Vec::new();
        if !self.codes.contains(&ended.code) {
            wrong.push(format!("exit code {}, expected {:?}", ended.code, self.codes));
        }
        if !ended.left.is_empty() {
            wrong.push(format!("left behind: {}", ended.left.join(", ")));
        }
        let untold = self.says.iter().filter(|says| !told.contains(**says));
        wrong.extend(untold.map(|says| format!("does not say `{says}`")));
        match ended.lost() {
            Some(0) => {}
            None if !self.audited => {}
            lost => wrong.push(format!("lost acknowledged messages: {lost:?}")),
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!("{}: {}\n{told}", self.arguments, wrong.join("; ")))
    }
}

/// As a shell would take them apart, as far as these tests go: a quoted word holds no space.
pub(crate) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace().map(|word| word.trim_matches('\''))
}
