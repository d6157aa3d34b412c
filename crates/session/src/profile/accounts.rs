//! Where a target's users come from.

use std::fmt;

use crate::codec::{Slot, Template, Values};

/// Where users come from.
#[derive(Clone, Debug)]
pub enum Accounts {
    /// Each registers, over [`HttpPaths::register`](super::HttpPaths::register).
    Register {
        /// Most that the target takes; `None` if it sets no limit.
        max: Option<u32>,
    },
    /// Nobody registers: whoever has a token that is signed here, or says who it is where nobody has one, is a user. Its id is its
    /// handle.
    Unregistered {
        /// Most that the target takes; `None` if it sets no limit.
        max: Option<u32>,
    },
    /// They are there already. A run has no more users than are listed.
    List(Vec<Listed>),
}

impl Accounts {
    /// Most users that a run can have; `None` if there is no limit.
    #[must_use]
    pub fn max(&self) -> Option<u32> {
        match self {
            Self::Register { max } | Self::Unregistered { max } => *max,
            Self::List(listed) => Some(u32::try_from(listed.len()).unwrap_or(u32::MAX)),
        }
    }
}

/// A user that is there already.
#[derive(Clone)]
pub struct Listed {
    /// What is known of it: its id, e-mail, password, name, token, as far as they are listed.
    pub values: Values,
}

impl fmt::Debug for Listed {
    /// Which values there are, but not what they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = Slot::ALL
            .iter()
            .filter(|(slot, _)| self.values.get(*slot).is_some());
        f.debug_list().entries(there.map(|(_, name)| name)).finish()
    }
}

/// How access tokens are signed here, for a service that trusts whoever has the key.
#[derive(Clone)]
pub struct Signing {
    /// Algorithm.
    pub algorithm: Algorithm,
    /// The key: a secret for HS256, PEM for the others.
    pub key: Vec<u8>,
    /// The claims, JSON with slots.
    pub claims: Template,
    /// Life of a token in seconds, unless a run asks for a shorter one.
    pub life_s: u64,
    /// Whether a run may sign tokens of a shorter life, to see what is served after their end.
    pub short: bool,
}

impl fmt::Debug for Signing {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing")
            .field("algorithm", &self.algorithm)
            .field("claims", &self.claims)
            .field("life_s", &self.life_s)
            .finish_non_exhaustive()
    }
}

/// How a token is signed (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's")]
pub enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}
