//! `target`: profiles as files.

mod check;
mod new;

use anyhow::Result;
use session::profile::{Profile, schema};

use crate::cli::{TargetCommand, usage};
use crate::exit::Exit;
use crate::screen;

/// The profiles that are built in: name, and what they are of.
const BUILT_IN: [(&str, &str); 1] = [(
    "reference",
    "the services that Crosstalk ships: auth, two gateways, agent",
)];

pub(crate) async fn run(command: &TargetCommand) -> Result<Exit> {
    match command {
        TargetCommand::List => {
            let lines = BUILT_IN.map(|(name, what)| format!("{name:12} {what}"));
            screen::print(&lines.join("\n"))?;
        }
        TargetCommand::Show { name } if name == BUILT_IN[0].0 => {
            screen::print(Profile::reference_text().trim_end())?;
        }
        TargetCommand::Show { name } => {
            let names = BUILT_IN.map(|(name, _)| name).join(", ");
            let what = format!("there is no built-in profile `{name}`; there is {names}");
            usage("target", what).exit();
        }
        TargetCommand::Schema => screen::print(&schema())?,
        TargetCommand::Check(args) => return check::run(args).await,
        TargetCommand::New(args) => new::run(args)?,
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use session::profile::{ProfileError, TargetFile};

    /// What may be wrong here, and is not where somebody uses the profile: its secret is not given.
    const NOT_GIVEN: &str = "environment variable";

    #[test]
    fn the_profiles_of_real_services_are_profiles() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets");
        let files = std::fs::read_dir(folder).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let mut read = 0;
        for file in files.filter(|file| file.extension().is_some_and(|end| end == "toml")) {
            match TargetFile::read(&file) {
                Ok(target) => assert_eq!(
                    file.file_stem().and_then(|name| name.to_str()),
                    Some(target.profile.name.as_str())
                ),
                Err(ProfileError::Mistaken(mistakes)) => {
                    let wrong = mistakes
                        .iter()
                        .filter(|mistake| !mistake.message.contains(NOT_GIVEN));
                    assert_eq!(wrong.count(), 0, "{mistakes:#?}");
                }
                Err(error) => panic!("{error}"),
            }
            read += 1;
        }
        assert!(read >= 7, "{read} profiles");
    }
}
