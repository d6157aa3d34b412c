//! `target`: profiles as files.

mod check;
mod new;

use anyhow::{Result, bail};
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
            bail!(usage(what));
        }
        TargetCommand::Schema => screen::print(&schema())?,
        TargetCommand::Check(args) => return check::run(args).await,
        TargetCommand::New(args) => new::run(args)?,
    }
    Ok(Exit::Done)
}
