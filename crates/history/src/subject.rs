//! Users whose doings are compared: alone with together.

use serde::{Deserialize, Serialize};

use crate::User;

/// See [`crate::Fact::Subject`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The virtual user.
    pub user: User,
    /// What it does: users of one script ask the same in the same order.
    pub script: u16,
    /// In whose company.
    pub take: Take,
    /// Members of the target's messages whose values tell nothing of anybody: positions in logs that all share, opaque
    /// handles.
    pub varies: Vec<String>,
    /// Codes of errors by which the target says that it is too busy.
    pub overload: Vec<String>,
}

/// In whose company a script is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Take {
    /// Nobody else is there.
    Alone,
    /// The same once more, to see what changes by itself.
    AloneAgain,
    /// With everybody.
    Together,
}
