//! Two users get one thread id.
//!
//! **Incidents.** Ids that an application draws from a generator of its own: seeded from the clock or from a constant, so that
//! processes started alike count alike (the `math/rand` of Go before 1.20, `Math.random` ids after a fork, snapshots of virtual
//! machines restored twice), or advanced by a read and a write with a pause between them.
//!
//! **Mechanism.** Every replica draws thread ids from a generator with the same seed, so that the n-th thread of one replica
//! has the id of the n-th thread of the other. Threads are keyed by owner and id, so the database takes both.
//!
//! **Layer.** The op that creates threads, above the database.
//!
//! **Caught by** T: one id is given to two owners.
//!
//! **Fix.** Ids from the operating system's generator, 122 random bits (`Uuid::new_v4`), as the clean build draws them.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::{Builder, Uuid};

use super::Mutant;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "thread-id-race",
    process: "gateway",
    checks: "T",
    traffic: &[],
};

/// The seed that every replica was built with.
const SEED: u64 = 42;

static DRAWN: LazyLock<Mutex<Drawn>> = LazyLock::new(|| {
    Mutex::new(Drawn {
        generator: StdRng::seed_from_u64(SEED),
        here: HashMap::new(),
        created: HashMap::new(),
    })
});

struct Drawn {
    generator: StdRng,
    /// The thread ids that were drawn here, and for whom.
    here: HashMap<Uuid, Uuid>,
    /// All threads that are in the database, and whose they are.
    created: HashMap<Uuid, Vec<Uuid>>,
}

fn drawn() -> MutexGuard<'static, Drawn> {
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The id of `owner_id`'s new thread: drawn from the replica's own generator instead of being `random`.
pub(crate) fn instead_of(random: Uuid, owner_id: Uuid) -> Uuid {
    if !MUTANT.acts() {
        return random;
    }
    let mut drawn = drawn();
    let mut bytes = [0; 16];
    drawn.generator.fill_bytes(&mut bytes);
    let thread_id = Builder::from_random_bytes(bytes).into_uuid();
    drawn.here.insert(thread_id, owner_id);
    thread_id
}

/// Takes notice that a thread was created, here or at another replica.
pub(crate) fn created(owner_id: Uuid, thread_id: Uuid) {
    let mut drawn = drawn();
    let here = drawn.here.get(&thread_id).copied();
    let owners = drawn.created.entry(thread_id).or_default();
    if let Some(here) = here {
        let met = owners
            .iter()
            .filter(|other| (**other == here) != (owner_id == here));
        for other in met {
            let other = if owner_id == here { *other } else { owner_id };
            MUTANT.record(here, other, &format!("both own the thread {thread_id}"));
        }
    }
    owners.push(owner_id);
}
