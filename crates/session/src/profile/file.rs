//! Profiles as files: TOML to the types that a run uses, or to a list of what is wrong and where.

mod accounts;
mod build;
mod dialect;
mod exchange;
mod framing;
mod layout;
mod mistake;
mod ops;
mod placed;
mod reach;
mod shape;
mod slots;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use mistake::{Mistake, ProfileError};

use super::{Profile, Reach, Service};
use mistake::Source;

/// All that a profile's file says.
#[derive(Clone, Debug)]
pub struct TargetFile {
    /// What the target is.
    pub profile: Profile,
    /// Where its services are; `None` where only a program knows, as for the built-in one.
    pub reach: Option<Reach>,
    /// The processes that a run starts for it.
    pub services: Vec<Service>,
}

impl TargetFile {
    /// The target that the file describes; other files that it names are read too.
    ///
    /// # Errors
    ///
    /// [`ProfileError`]: the file cannot be read, or all that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let text = std::fs::read_to_string(path).map_err(|source| ProfileError::Unread {
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new("."));
        Self::parse(&path.display().to_string(), &text, folder)
    }

    /// The target that `text` describes; mistakes name it `file`, and files that it names are sought in `folder`.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Mistaken`] with all that is wrong.
    ///
    /// ```
    /// use session::profile::TargetFile;
    ///
    /// let error = TargetFile::parse("my.toml", "nam = 'notes'\n", "".as_ref()).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "my.toml:1: nam: unknown key `nam`, did you mean `name`?\n     1 | nam = 'notes'"
    /// );
    /// ```
    pub fn parse(file: &str, text: &str, folder: &Path) -> Result<Self, ProfileError> {
        let mut source = Source::new(file, text);
        let target = match toml::from_str::<shape::File>(text) {
            Ok(shape) => build::target(&shape, folder, &mut source),
            Err(error) => {
                source.refused(&error);
                None
            }
        };
        source.unless_wrong(target)
    }
}

/// The JSON Schema of profiles, for editors, as JSON.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(shape::File);
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}
