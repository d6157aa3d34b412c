//! Whoever takes part in a run.

use std::rc::Rc;

use history::{At, User};

use crate::plan::Phase;
use crate::subject::Subject;
use crate::user::VirtualUser;
use crate::worker::Worker;

/// One who plays phase after phase.
pub(crate) enum Player {
    /// One of the people.
    User(Box<VirtualUser>),
    /// One whose doings are compared.
    Subject(Box<Subject>),
}

impl Player {
    pub(crate) fn worker(&self) -> &Rc<Worker> {
        match self {
            Self::User(user) => &user.worker,
            Self::Subject(subject) => subject.worker(),
        }
    }

    pub(crate) fn user(&self) -> User {
        match self {
            Self::User(user) => user.person.user,
            Self::Subject(subject) => subject.user(),
        }
    }

    /// Whether it is connected and answered. What a subject lacks, the comparison tells.
    pub(crate) fn is_fit(&self) -> bool {
        match self {
            Self::User(user) => user.is_fit(),
            Self::Subject(_) => true,
        }
    }

    /// Does its part of `phase`, which began at `from`.
    pub(crate) async fn play(&self, phase: &Phase, from: At) {
        match self {
            Self::User(user) => user.play(phase, from).await,
            // on the heap, as a user's parts are: it is far larger, and there are few of them
            Self::Subject(subject) => Box::pin(subject.play(phase)).await,
        }
    }
}
