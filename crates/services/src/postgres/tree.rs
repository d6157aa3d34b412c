//! Copies of whole folders.

use std::fs;
use std::io;
use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};

use crate::Account;

/// Copies a folder to a path where nothing is yet: contents, permissions and links, the whole owned by `owner` if
/// one is given. File systems that can share the blocks do.
pub(super) fn copy(from: &Path, to: &Path, owner: Option<&Account>) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target, owner)?;
            continue;
        }
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
        own(&target, owner)?;
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    own(to, owner)
}

/// [`copy`] on a thread where it may block.
pub(super) async fn copy_apart(from: PathBuf, to: PathBuf, owner: Option<Account>) -> io::Result<()> {
    let copied = tokio::task::spawn_blocking(move || copy(&from, &to, owner.as_ref()));
    copied.await.map_err(io::Error::other).flatten()
}

/// Gives one file, link or folder to an account.
pub(super) fn own(path: &Path, owner: Option<&Account>) -> io::Result<()> {
    owner.map_or(Ok(()), |account| {
        lchown(path, Some(account.uid), Some(account.gid))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_copy_has_the_same_contents_permissions_and_links() {
        let root = tempfile::tempdir().unwrap();
        let from = root.path().join("from");
        fs::create_dir_all(from.join("deep")).unwrap();
        fs::write(from.join("deep/file"), "text").unwrap();
        fs::set_permissions(from.join("deep/file"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(from.join("deep"), fs::Permissions::from_mode(0o700)).unwrap();
        symlink("deep/file", from.join("link")).unwrap();

        let to = root.path().join("to");
        copy(&from, &to, None).unwrap();

        assert_eq!(fs::read_to_string(to.join("link")).unwrap(), "text");
        assert!(fs::symlink_metadata(to.join("link")).unwrap().is_symlink());
        for (path, mode) in [("deep", 0o700), ("deep/file", 0o600)] {
            let found = fs::metadata(to.join(path)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{path}");
        }
    }

    #[test]
    fn nothing_is_copied_over_what_exists() {
        let root = tempfile::tempdir().unwrap();
        let taken = copy(root.path(), root.path(), None).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
    }
}
