//! The rules of the house that no compiler knows.

mod directions;
mod files;

use anyhow::Result;

use crate::exit::Exit;
use crate::{screen, workspace};

/// Checks all rules and prints what breaks one.
pub(crate) fn run() -> Result<Exit> {
    let metadata = workspace::metadata()?;
    let mut broken = directions::check(&metadata.packages);
    broken.extend(files::check(&workspace::root())?);
    for rule in &broken {
        screen::print(rule)?;
    }
    if broken.is_empty() {
        screen::print("tidy: crate directions, pure crates, file lengths, crate docs")?;
        return Ok(Exit::Done);
    }
    screen::print(&format!("tidy: {} broken", broken.len()))?;
    Ok(Exit::Error)
}
