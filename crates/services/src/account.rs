use nix::unistd::User;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Accounts that root hands PostgreSQL to, in order of preference.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// An account of this machine that a process can run under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its primary group's id.
    pub gid: u32,
}

impl Account {
    /// The account of that name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let user = User::from_name(name).ok()??;
        Some(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        })
    }

    /// Whom a process without special rights must run as: `None` is the present user, for anybody but root;
    /// root gets `postgres`, or else `nobody`.
    ///
    /// # Errors
    /// [`Error::NoAccount`] if root has neither.
    pub fn unprivileged() -> Result<Option<Self>, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        UNPRIVILEGED
            .into_iter()
            .find_map(Self::named)
            .map(Some)
            .ok_or_else(|| Error::NoAccount {
                tried: UNPRIVILEGED.join(", "),
            })
    }
}
