//! What a user does in a measured round.

use history::User;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Which ops the users of a measured round make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mix {
    /// All kinds, about half of them posts.
    #[default]
    Everything,
    /// Posts alone: what the harness itself costs is measured with it.
    Posts,
}

/// One op of a measured round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Post into the round's own thread and take the streamed reply.
    Post,
    /// List one's threads.
    List,
    /// Find a thread by a title that all users have.
    Find,
    /// Read the newest of the round's own thread.
    Read,
    /// Ask who one is.
    WhoAmI,
    /// Post into the shared room, with a note for oneself.
    PostRoom,
    /// Read the newest of the shared room.
    ReadRoom,
    /// Say that one is there.
    Presence,
    /// Say that one types.
    Typing,
    /// Look up a user of the same tenant.
    LookUp(User),
    /// Ask for all that a client shows first.
    Snapshot,
    /// Post nothing, which is refused.
    Malformed,
}

/// The ops of one user in one round, without end.
#[derive(Clone, Debug)]
pub struct Steps {
    rng: ChaCha8Rng,
    mix: Mix,
    in_room: bool,
    peer: User,
    begun: bool,
}

impl Steps {
    pub(super) fn new(rng: ChaCha8Rng, mix: Mix, in_room: bool, peer: User) -> Self {
        Self {
            rng,
            mix,
            in_room,
            peer,
            begun: false,
        }
    }
}

impl Iterator for Steps {
    type Item = Step;

    /// The first is a post: at the barrier, all users have the same request id in flight.
    fn next(&mut self) -> Option<Step> {
        if !std::mem::replace(&mut self.begun, true) || self.mix == Mix::Posts {
            return Some(Step::Post);
        }
        Some(match self.rng.random_range(0..100) {
            0..52 => Step::Post,
            52..55 => Step::Malformed,
            55..57 => Step::Snapshot,
            57..63 => Step::List,
            63..72 => Step::Find,
            72..80 => Step::Read,
            80..86 => Step::WhoAmI,
            86..90 if self.in_room => Step::PostRoom,
            90..92 if self.in_room => Step::ReadRoom,
            92..94 if self.in_room => Step::Typing,
            94..96 => Step::Presence,
            96..100 => Step::LookUp(self.peer),
            _ => Step::Post,
        })
    }
}
