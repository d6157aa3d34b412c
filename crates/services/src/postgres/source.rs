use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The environment variable that says where PostgreSQL comes from, as [`PostgresSource`] reads it.
pub const POSTGRES_ENV: &str = "CROSSTALK_POSTGRES";

/// Where PostgreSQL comes from.
///
/// Read from text: empty or `any`; `fetch`; `postgres://…` or `postgresql://…`; anything else is a folder.
///
/// ```
/// use services::PostgresSource;
///
/// assert!(matches!("fetch".parse(), Ok(PostgresSource::Fetched)));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub enum PostgresSource {
    /// The first usable one of `PATH` and the usual install folders, or else a fetched one.
    #[default]
    Any,
    /// A fetched one, whatever is installed.
    Fetched,
    /// The binaries (`postgres`, `initdb`) in this folder, and no others.
    BinDir(PathBuf),
    /// A server that runs already; the URL's role must be allowed to create databases and roles.
    Url(String),
}

impl PostgresSource {
    /// What [`POSTGRES_ENV`] says; [`Any`](Self::Any) if it is not set.
    #[must_use]
    pub fn from_env() -> Self {
        std::env::var_os(POSTGRES_ENV).map_or(Self::Any, |text| Self::read(&text.to_string_lossy()))
    }

    fn read(text: &str) -> Self {
        match text.trim() {
            "" | "any" => Self::Any,
            "fetch" => Self::Fetched,
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Self::Url(url.to_owned())
            }
            folder => Self::BinDir(folder.into()),
        }
    }
}

impl FromStr for PostgresSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::read(text))
    }
}

impl fmt::Debug for PostgresSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::Fetched => f.write_str("Fetched"),
            Self::BinDir(folder) => f.debug_tuple("BinDir").field(folder).finish(),
            Self::Url(_) => f.write_str("Url(withheld)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: PostgresSource) {
        assert!(text.parse() == Ok(expect), "{text}");
    }

    #[test]
    fn a_source_is_read_from_text() {
        check("", PostgresSource::Any);
        check("any", PostgresSource::Any);
        check(" fetch ", PostgresSource::Fetched);
        check(
            "/usr/lib/postgresql/15/bin",
            PostgresSource::BinDir("/usr/lib/postgresql/15/bin".into()),
        );
        check(
            "postgres://me@here/x",
            PostgresSource::Url("postgres://me@here/x".into()),
        );
        check(
            "postgresql://me@here/x",
            PostgresSource::Url("postgresql://me@here/x".into()),
        );
    }

    #[test]
    fn a_url_is_not_shown() {
        let source: PostgresSource = "postgres://me:hunter2@here/x".parse().unwrap();
        assert!(!format!("{source:?}").contains("hunter2"));
    }
}
