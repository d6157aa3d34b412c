use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::postgres::{External, segment};

/// Something that a run made and that must be gone when it is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leftover {
    /// A file, a link (not what it points to) or a folder with all that is in it.
    Path(PathBuf),
    /// A database and roles on somebody else's server.
    External(External),
    /// The shared memory that a killed PostgreSQL server of this data folder has left.
    SharedMemory(PathBuf),
}

impl Leftover {
    /// The same, wherever the guard may stand.
    pub(crate) fn absolute(self) -> Self {
        match self {
            Self::Path(path) => Self::Path(std::path::absolute(&path).unwrap_or(path)),
            other => other,
        }
    }

    /// Removes it; that it is gone already is fine.
    pub(crate) async fn remove(&self) -> Result<(), String> {
        match self {
            Self::Path(path) => {
                remove_path(path).map_err(|error| format!("cannot remove {}: {error}", path.display()))
            }
            Self::External(external) => external.remove().await.map_err(|error| error.to_string()),
            Self::SharedMemory(data) => segment::remove(data),
        }
    }
}

fn remove_path(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_every_kind_are_removed_and_a_link_leaves_its_target() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("folder");
        fs::create_dir_all(folder.join("deep/er")).unwrap();
        fs::write(folder.join("deep/file"), "x").unwrap();
        let kept = root.path().join("kept");
        fs::create_dir(&kept).unwrap();
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&kept, &link).unwrap();

        for path in [&folder, &link, &root.path().join("never-was")] {
            remove_path(path).unwrap();
            assert!(fs::symlink_metadata(path).is_err());
        }
        assert!(kept.is_dir());
    }
}
