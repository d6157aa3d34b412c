//! How users register and log in over HTTP.

use super::Signing;
use crate::codec::{Slot, Template};

/// The exchanges of the authentication service.
#[derive(Clone, Debug, Default)]
pub struct HttpPaths {
    /// Makes an account; `None` if accounts are there already.
    pub register: Option<Exchange>,
    /// Gives tokens for credentials; `None` if tokens are listed or signed here.
    pub login: Option<Exchange>,
    /// Signs tokens here, in place of [`Self::login`].
    pub signing: Option<Signing>,
    /// As [`Self::login`], with an access token of a shorter life; `None` if the target has no such thing.
    pub login_short: Option<Exchange>,
    /// Says who the bearer is; `None` if the target has no such thing.
    pub me: Option<Exchange>,
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
    /// Path, from the service's root; values in it are percent-encoded.
    pub path: Template,
    /// The body, as JSON.
    pub body: Option<Template>,
    /// Headers, beside that of the body's type.
    pub headers: Vec<(String, Template)>,
    /// Whether the access token goes with it, as `Authorization: Bearer`.
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
