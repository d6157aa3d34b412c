use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::LogTail;

/// How many lines of a log an error carries.
pub const LOG_TAIL_LINES: usize = 20;

/// How many bytes from a log's end are looked at for those lines.
const LOG_TAIL_BYTES: u64 = 16 * 1024;

/// The end of a log; empty where it cannot be read, as it accompanies an error that is worth more.
pub(crate) fn tail(path: &Path) -> Box<LogTail> {
    let lines = last_lines(path).unwrap_or_default();
    Box::new(LogTail {
        path: path.to_owned(),
        lines,
    })
}

fn last_lines(path: &Path) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let skipped = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().skip(usize::from(skipped > 0)).collect();
    let first = lines.len().saturating_sub(LOG_TAIL_LINES);
    Ok(lines[first..].iter().map(|line| (*line).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expect: &[&str]) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), written).unwrap();
        assert_eq!(tail(file.path()).lines, expect);
    }

    #[test]
    fn a_tail_is_the_last_lines_oldest_first() {
        check("", &[]);
        check("one\ntwo", &["one", "two"]);
        let many: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let last: Vec<String> = (80..100).map(|n| format!("line {n}")).collect();
        check(&many, &last.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn a_cut_first_line_and_bytes_that_are_not_text_do_no_harm() {
        let long = format!("{}\nend", "x".repeat(40_000));
        check(&long, &["end"]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\xff\xfe\nfine\n").unwrap();
        assert_eq!(tail(file.path()).lines[1], "fine");
    }

    #[test]
    fn a_log_that_is_not_there_has_an_empty_tail() {
        assert_eq!(tail(Path::new("/nonexistent/log")).lines, Vec::<String>::new());
    }
}
