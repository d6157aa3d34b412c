//! What is wrong with a profile, told by file, line and key, with the line quoted and the nearest known name.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How alike two names have to be for one to be suggested for the other, from 0 to 1 (Jaro-Winkler).
const ALIKE: f64 = 0.75;
/// Characters of a line that are quoted.
const QUOTED_MAX: usize = 100;

/// Why there is no target.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file cannot be read.
    #[error("cannot read the profile {path}")]
    Unread {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was read and is no profile.
    #[error("{}", told(.0))]
    Mistaken(
        /// What is wrong with it, in the order of its lines; at least one.
        Vec<Mistake>,
    ),
}

fn told(mistakes: &[Mistake]) -> String {
    let each: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    each.join("\n")
}

/// Something that is wrong with a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// The line, counted from 1; `None` if it is the file as a whole.
    pub line: Option<usize>,
    /// The key that is wrong, or whose value is: `dialect[0].ops.post.frame`; empty without a line.
    pub key: String,
    /// The line as it is, or the begin of it; empty without a line.
    pub quoted: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            key,
            quoted,
            message,
        } = self;
        let Some(line) = line else {
            return write!(f, "{file}: {message}");
        };
        write!(f, "{file}:{line}: ")?;
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        write!(f, "{message}\n  {line:>4} | {quoted}")
    }
}

/// A file, and what was found wrong with it so far.
pub(super) struct Source<'a> {
    file: &'a str,
    text: &'a str,
    tree: Option<Spanned<DeTable<'a>>>,
    mistakes: Vec<(usize, Mistake)>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            tree: DeTable::parse(text).ok(),
            mistakes: Vec::new(),
        }
    }

    /// Something is wrong with what stands there.
    pub(super) fn wrong(&mut self, at: Range<usize>, message: impl Into<String>) {
        let start = at.start.min(self.text.len());
        let before = &self.text.as_bytes()[..start];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let quoted: String = self.text.lines().nth(line - 1).unwrap_or_default().trim().into();
        let cut: String = quoted.chars().take(QUOTED_MAX).collect();
        let more = if cut.len() < quoted.len() { " ..." } else { "" };
        let key = self.tree.as_ref().map(|tree| key_at(tree.get_ref(), start));
        let mistake = Mistake {
            file: self.file.to_owned(),
            line: Some(line),
            key: key.unwrap_or_default(),
            quoted: cut + more,
            message: message.into(),
        };
        self.mistakes.push((start, mistake));
    }

    /// Something is wrong with the file as a whole.
    pub(super) fn lacks(&mut self, message: impl Into<String>) {
        let mistake = Mistake {
            file: self.file.to_owned(),
            line: None,
            key: String::new(),
            quoted: String::new(),
            message: message.into(),
        };
        self.mistakes.push((self.text.len(), mistake));
    }

    /// What serde or the parser found.
    pub(super) fn refused(&mut self, error: &toml::de::Error) {
        let at = error.span().unwrap_or(0..0);
        self.wrong(at, reworded(error.message()));
    }

    /// The value, if nothing is wrong.
    pub(super) fn unless_wrong<T>(mut self, value: Option<T>) -> Result<T, ProfileError> {
        self.mistakes.sort_by_key(|(start, _)| *start);
        let mistakes: Vec<_> = self.mistakes.into_iter().map(|(_, mistake)| mistake).collect();
        match value.filter(|_| mistakes.is_empty()) {
            Some(value) => Ok(value),
            None => Err(ProfileError::Mistaken(mistakes)),
        }
    }
}

/// The key whose name or value stands at an offset.
fn key_at(table: &DeTable<'_>, offset: usize) -> String {
    let mut path = String::new();
    descend_table(table, offset, &mut path);
    path
}

/// Follows the key that spans `offset`; whether there is one.
fn descend_table(table: &DeTable<'_>, offset: usize, path: &mut String) -> bool {
    for (key, value) in table {
        let mut deeper = path.clone();
        if !deeper.is_empty() {
            deeper.push('.');
        }
        deeper.push_str(key.get_ref());
        let named = key.span().contains(&offset);
        if descend_value(value, offset, &mut deeper) || named || value.span().contains(&offset) {
            *path = deeper;
            return true;
        }
    }
    false
}

fn descend_value(value: &Spanned<DeValue<'_>>, offset: usize, path: &mut String) -> bool {
    match value.get_ref() {
        DeValue::Table(table) => descend_table(table, offset, path),
        DeValue::Array(array) => {
            for (index, element) in array.iter().enumerate() {
                let mut deeper = format!("{path}[{index}]");
                if descend_value(element, offset, &mut deeper) || element.span().contains(&offset) {
                    *path = deeper;
                    return true;
                }
            }
            false
        }
        _ => false,
    }
}

/// Serde's words, with the nearest name in place of all of them where one is near.
fn reworded(message: &str) -> String {
    let (what, rest) = match message.split_once("unknown ") {
        Some(("", rest)) => (rest.split(' ').next().unwrap_or_default(), rest),
        _ => return lower(message),
    };
    let what = if what == "field" { "key" } else { "name" };
    let mut names = rest.split('`').skip(1).step_by(2);
    let Some(unknown) = names.next() else {
        return lower(message);
    };
    format!("unknown {what} `{unknown}`{}", suggestion(unknown, names))
}

fn lower(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// `, did you mean ...?` if a known name is near, else all of them.
pub(super) fn suggestion<'n>(unknown: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let alike = |name: &&str| strsim::jaro_winkler(unknown, name);
    let nearest = known
        .iter()
        .map(|name| (alike(name), name))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match nearest {
        Some((likeness, name)) if likeness >= ALIKE => format!(", did you mean `{name}`?"),
        _ if known.is_empty() => String::new(),
        _ => format!(": there are {}", listed(known)),
    }
}

/// `a, b and c`, each in backticks.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
