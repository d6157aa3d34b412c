//! How users register and log in over HTTP.

use std::fmt;

use regex::Regex;

use super::Signing;
use crate::codec::{Condition, Slot, Template};

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
    /// Requests that go before it, each with what those before it gave, and with the cookies that they set.
    pub before: Vec<Exchange>,
    /// Its method.
    pub verb: Verb,
    /// Path, from the service's root; values in it are percent-encoded.
    pub path: Template,
    /// The body; `None` if there is none.
    pub body: Option<Body>,
    /// Headers, beside that of the body's type. One whose value is not there, the token of somebody who has none, is left out.
    pub headers: Vec<(String, Template)>,
    /// Whether the access token goes with it, as `Authorization: Bearer`.
    pub bearer: bool,
    /// When it has succeeded.
    pub success: Success,
    /// What stands where in the answer.
    pub holds: Vec<(Slot, Found)>,
}

impl Exchange {
    /// All that is written for it, and for those before it.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        let headers = self.headers.iter().map(|(_, value)| value);
        let body = self.body.iter().flat_map(Body::templates);
        let before = self.before.iter().flat_map(Self::templates);
        headers.chain([&self.path]).chain(body).chain(before).collect()
    }

    /// Whether it, or one before it, says this.
    #[must_use]
    pub fn takes(&self, slot: Slot) -> bool {
        self.templates().iter().any(|template| template.takes(slot))
    }

    /// Whether it presents the access token.
    #[must_use]
    pub fn presents_token(&self) -> bool {
        self.bearer || self.takes(Slot::AccessToken)
    }
}

/// What a request holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// JSON.
    Json(Template),
    /// Fields of a form, urlencoded.
    Form(Vec<(String, Template)>),
}

impl Body {
    fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Json(json) => vec![json],
            Self::Form(fields) => fields.iter().map(|(_, value)| value).collect(),
        }
    }
}

/// When a request has succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Success {
    /// Statuses; 200 to 299 if there are none.
    pub statuses: Vec<u16>,
    /// What must stand where in the answer, which is JSON.
    pub when: Vec<(String, Condition)>,
}

/// Where something stands in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// In its JSON, at this pointer.
    At(String),
    /// In the header of this name.
    Header(String),
    /// In the cookie of this name, which the answer sets.
    Cookie(String),
    /// Nowhere: it is this.
    Is(Template),
    /// In its text, as the first group of this regular expression, or all that it matches.
    Text(Pattern),
}

impl fmt::Display for Found {
    /// As profiles spell it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(pointer) => f.write_str(pointer),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Is(template) => write!(f, "{template:?}"),
            Self::Text(Pattern(pattern)) => write!(f, "text:{pattern}"),
        }
    }
}

/// A regular expression.
#[derive(Clone, Debug)]
pub struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

/// A request's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}
