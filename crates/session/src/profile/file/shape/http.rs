//! What is asked over HTTP.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Holds, Placed, Text};

/// What is asked over HTTP to get in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Http {
    /// Makes an account. Placeholders: `email`, `handle`, `password`, `name`, and with tenants `tenant-slug`, `tenant-key`. The
    /// answer may hold `user` (the service's id) and `tenant`.
    pub(in crate::profile::file) register: Option<Placed<Exchange>>,
    /// Gives tokens for credentials. Placeholders as in `register`, and what its answer held. The answer must hold
    /// `access-token`, and `user` if `register` did not; it may hold `refresh-token`, `life-s`, `session`, `tenant`.
    pub(in crate::profile::file) login: Option<Placed<Exchange>>,
    /// As `login`, for an access token of a shorter life, `${life-s}` seconds.
    pub(in crate::profile::file) login_short: Option<Placed<Exchange>>,
    /// Says who the bearer is: the answer must hold `user`.
    pub(in crate::profile::file) me: Option<Placed<Exchange>>,
    /// Gives new tokens for `${refresh-token}`, which is spent by that.
    pub(in crate::profile::file) refresh: Option<Placed<Exchange>>,
    /// Ends the bearer's session.
    pub(in crate::profile::file) logout: Option<Placed<Exchange>>,
    /// Gives the public keys of access tokens (RFC 7517): the answer holds `key-set`.
    pub(in crate::profile::file) key_set: Option<Placed<Exchange>>,
}

/// A request and what stands in its answer: exactly one of `get`, `post`, `put`, `patch` and `delete`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::profile::file) struct Exchange {
    /// Requests that go before it, in order: to get a CSRF token, or an administrator's. What one answers, `ticket` among it, is a
    /// placeholder of the next; cookies that one sets go with the next.
    #[serde(default)]
    pub(in crate::profile::file) before: Vec<Placed<Exchange>>,
    /// Path of a GET. Values in it are percent-encoded.
    pub(in crate::profile::file) get: Option<Text>,
    /// Path of a POST.
    pub(in crate::profile::file) post: Option<Text>,
    /// Path of a PUT.
    pub(in crate::profile::file) put: Option<Text>,
    /// Path of a PATCH.
    pub(in crate::profile::file) patch: Option<Text>,
    /// Path of a DELETE.
    pub(in crate::profile::file) delete: Option<Text>,
    /// The body, JSON with placeholders: `{"email":${email}}`.
    pub(in crate::profile::file) body: Option<Text>,
    /// The fields of a form, in place of `body`: `{ user = "${email}" }`. They are urlencoded.
    #[serde(default)]
    pub(in crate::profile::file) form: BTreeMap<Text, Text>,
    /// More headers: `{ Cookie = "session=${access-token}" }`.
    #[serde(default)]
    pub(in crate::profile::file) headers: BTreeMap<String, Text>,
    /// Whether the access token goes with it, as `Authorization: Bearer`.
    #[serde(default)]
    pub(in crate::profile::file) bearer: bool,
    /// Statuses that are success [default: 200 to 299].
    #[serde(default)]
    pub(in crate::profile::file) status: Vec<Placed<u16>>,
    /// What must stand where in the answer, or it is no success, whatever the status: `{ "/ok" = "true" }`, as in `when`.
    #[serde(default)]
    pub(in crate::profile::file) success: BTreeMap<Text, Condition>,
    /// What stands where in the answer: `{ user = "/user_id" }` in its JSON, `{ access-token = "cookie:session" }` in a cookie that it sets,
    /// `header:NAME` in a header, `text:REGEX` in its text (the first group). What stands nowhere may be said: `{ user = "${handle}" }`.
    #[serde(default)]
    pub(in crate::profile::file) answer: Holds,
}
