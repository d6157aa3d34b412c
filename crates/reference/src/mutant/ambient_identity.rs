//! Whoever shows nothing is taken for whoever was there before.
//!
//! **Incidents.** Puma, CVE-2022-23634, and Spring Security #6856: who asks is kept in a variable of the worker thread, and not taken out when the
//! request is over.
//!
//! **Mechanism.** `GET /me` notes the bearer token in a thread-local variable if there is one in the request, and reads the variable. A request without
//! a token finds that of the last request that was served on its thread.
//!
//! **Layer.** The request context of `GET /me`.
//!
//! **Caught by** B: an answer without a token; K: a user is taken for another; U: whose id and e-mail that shows.
//!
//! **Fix.** The context is made new for each request.
//!
//! Who asks without a token is known by the connection, if it has shown one there before.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, PoisonError};

use uuid::Uuid;

use super::Mutant;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "ambient-identity",
    process: "auth",
    checks: "BUK",
};

/// The other end of an HTTP connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) Option<SocketAddr>);

thread_local! {
    static CURRENT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Who asked last over each connection.
static ASKED: LazyLock<Mutex<HashMap<SocketAddr, Uuid>>> = LazyLock::new(Mutex::default);

/// The token that a request is served by.
pub(crate) fn token(presented: Option<&str>) -> Option<String> {
    CURRENT.with_borrow_mut(|current| {
        if let Some(presented) = presented {
            *current = Some(presented.to_owned());
        }
        current.clone().filter(|_| presented.is_some() || MUTANT.acts())
    })
}

/// Takes notice that a request was served as `user_id`'s.
pub(crate) fn served(Peer(peer): Peer, has_token: bool, user_id: Uuid) {
    let (Some(peer), Some(_)) = (peer, MUTANT.armed()) else {
        return;
    };
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    if has_token {
        asked.insert(peer, user_id);
    } else {
        let observer = asked.get(&peer).copied().unwrap_or_default();
        MUTANT.record(observer, user_id, "without a token, was answered as");
    }
}
