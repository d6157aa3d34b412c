//! How users register and log in over HTTP.

use crate::codec::{Slot, Template};

/// The exchanges of the authentication service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPaths {
    /// Makes an account.
    pub register: Exchange,
    /// Gives tokens for credentials.
    pub login: Exchange,
    /// As [`Self::login`], with an access token of a shorter life; `None` if the target has no such thing.
    pub login_short: Option<Exchange>,
    /// Says who the bearer is.
    pub me: Exchange,
    /// Gives new tokens for a refresh token; `None` if the target has no such thing.
    pub refresh: Option<Exchange>,
    /// Ends the session; `None` if the target has no such thing.
    pub logout: Option<Exchange>,
    /// Gives the public keys of access tokens (RFC 7517); `None` if the target has no such thing.
    pub key_set: Option<Exchange>,
}

/// One request and what stands in its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// GET or POST.
    pub verb: Verb,
    /// Path, from the service's root.
    pub path: String,
    /// The body, as JSON.
    pub body: Option<Template>,
    /// Whether the access token goes with it.
    pub bearer: bool,
    /// What stands where in the answer, as JSON pointers.
    pub holds: Vec<(Slot, String)>,
}

/// A request's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Verb {
    Get,
    Post,
}
