//! The temporary folder of a private cluster.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::cluster::PORT;
use super::{PostgresConfig, tree};
use crate::error::at;
use crate::{Account, Error, Guard, Kept, Leftover};

/// The longest path of a Unix socket.
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// A file system in memory, where the thousand files of a cluster are copied in a tenth of the time of a busy disk.
const IN_MEMORY: &str = "/dev/shm";
/// What must be free there for a cluster to be put there; one needs a twentieth, unless it is given much data.
const IN_MEMORY_FREE_BYTES: u64 = 2 << 30;

/// A new folder, its path short, that the account owns; linked from the run's folder.
pub(super) async fn make(
    config: &PostgresConfig,
    account: Option<&Account>,
    guard: &Guard,
) -> Result<(PathBuf, Vec<Kept>), Error> {
    let root = root(account);
    let private = fs::Permissions::from_mode(0o700);
    let made = tempfile::Builder::new()
        .prefix("ct-")
        .permissions(private)
        .tempdir_in(&root);
    let folder = made.map_err(at("create a folder in", &root))?.keep();
    let mut leftovers = vec![guard.keep(Leftover::Path(folder.clone())).await?];
    tree::own(&folder, account).map_err(at("give away", &folder))?;
    let (path, bytes) = (socket(&folder), socket(&folder).as_os_str().len());
    if bytes > SOCKET_PATH_MAX {
        return Err(Error::SocketPathTooLong {
            path,
            bytes,
            limit: SOCKET_PATH_MAX,
        });
    }

    fs::create_dir_all(&config.run_dir).map_err(at("create the folder", &config.run_dir))?;
    if let Some(logs) = config.log.parent() {
        fs::create_dir_all(logs).map_err(at("create the folder", logs))?;
    }
    let link = config.run_dir.join("postgres");
    symlink(&folder, &link).map_err(at("make the link", &link))?;
    leftovers.push(guard.keep(Leftover::Path(link)).await?);
    Ok((folder, leftovers))
}

fn socket(folder: &Path) -> PathBuf {
    folder.join(format!(".s.PGSQL.{PORT}"))
}

/// Where to make it: in the folder that `TMPDIR` names, else in memory, else in `/tmp`; the first where a socket's
/// path is short enough and the account can get to.
fn root(account: Option<&Account>) -> PathBuf {
    let chosen = std::env::var_os("TMPDIR").map(PathBuf::from);
    let memory = has_room(Path::new(IN_MEMORY)).then(|| PathBuf::from(IN_MEMORY));
    let fits = |root: &PathBuf| socket(&root.join("ct-abcdef")).as_os_str().len() <= SOCKET_PATH_MAX;
    let within_reach = |root: &PathBuf| account.is_none() || anybody_can_enter(root);
    let mut roots = [chosen, memory].into_iter().flatten();
    roots
        .find(|root| fits(root) && within_reach(root))
        .unwrap_or_else(|| "/tmp".into())
}

/// Whether programs can run from there, and enough is free.
fn has_room(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|found| {
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        free >= IN_MEMORY_FREE_BYTES && !found.f_flag.contains(StatVfsMountFlags::NOEXEC)
    })
}

fn anybody_can_enter(folder: &Path) -> bool {
    let open = |path: &Path| {
        path.metadata()
            .is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
    };
    folder.is_absolute() && folder.ancestors().all(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_one_s_own_is_not_for_everybody() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!anybody_can_enter(folder.path()));
        assert!(!anybody_can_enter(&folder.path().join("below")));
        assert!(!anybody_can_enter(Path::new("relative")));
        assert!(anybody_can_enter(Path::new("/")));
    }
}
