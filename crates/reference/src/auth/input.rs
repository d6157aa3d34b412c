//! What clients send: bodies as JSON under limits of size and time, and bearer tokens.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::answer::AuthError;

/// The largest body.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a body may take to arrive.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(5);

const EMAIL_BYTES_MAX: usize = 254;
const NAME_CHARS_MAX: usize = 200;
const SLUG_BYTES_MAX: usize = 64;
const SECRET_BYTES_MAX: usize = 1024;
const PASSWORD_CHARS_MIN: usize = 8;

/// A JSON body that was checked.
pub(super) struct Body<T>(pub(super) T);

/// Input that can be checked beyond its shape.
pub(super) trait Input: DeserializeOwned {
    /// What is wrong with it, if anything is.
    fn fault(&self) -> Option<&'static str>;
}

impl<T: Input, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = AuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, AuthError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| AuthError::BadRequest("the body broke off"))?;
        let input: T = serde_json::from_slice(&bytes)
            .map_err(|_| AuthError::BadRequest("the body is not the JSON object that this request needs"))?;
        match input.fault() {
            Some(fault) => Err(AuthError::BadRequest(fault)),
            None => Ok(Self(input)),
        }
    }
}

/// A request with all of its body.
///
/// # Errors
/// [`AuthError`] for a body that is too large, too slow, or breaks off.
pub(super) async fn whole(request: Request) -> Result<Request, AuthError> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect();
    let bytes = match timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(fault)) if fault.is::<LengthLimitError>() => {
            return Err(AuthError::TooLarge {
                limit: BODY_BYTES_MAX,
            });
        }
        Ok(Err(_)) => return Err(AuthError::BadRequest("the body broke off")),
        Err(_) => return Err(AuthError::BadRequest("the body took too long")),
    };
    Ok(Request::from_parts(head, axum::body::Body::from(bytes)))
}

/// `Authorization: Bearer <token>`.
pub(super) struct Bearer(pub(super) String);

impl<S: Sync> FromRequestParts<S> for Bearer {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AuthError> {
        let mut values = parts.headers.get_all(AUTHORIZATION).into_iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(AuthError::Unauthorized);
        };
        let (scheme, token) = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .unwrap_or_default();
        if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
            Ok(Self(token.to_owned()))
        } else {
            Err(AuthError::Unauthorized)
        }
    }
}

/// The body of `POST /register`.
#[derive(Deserialize)]
pub(super) struct Register {
    pub(super) email: String,
    pub(super) password: String,
    pub(super) name: String,
    pub(super) tenant: String,
    pub(super) tenant_key: String,
}

impl Input for Register {
    fn fault(&self) -> Option<&'static str> {
        let slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !is_email(&self.email) {
            Some("`email` must be an e-mail address of at most 254 bytes")
        } else if self.password.chars().count() < PASSWORD_CHARS_MIN || self.password.len() > SECRET_BYTES_MAX
        {
            Some("`password` must have at least 8 characters and at most 1024 bytes")
        } else if !is_text(&self.name, NAME_CHARS_MAX) {
            Some("`name` must have 1 to 200 characters, none of them control characters")
        } else if self.tenant.is_empty()
            || self.tenant.len() > SLUG_BYTES_MAX
            || !self.tenant.bytes().all(slug)
        {
            Some("`tenant` must have 1 to 64 characters, each of a-z, 0-9 or -")
        } else if self.tenant_key.is_empty() || self.tenant_key.len() > SECRET_BYTES_MAX {
            Some("`tenant_key` must have 1 to 1024 bytes")
        } else {
            None
        }
    }
}

/// The body of `POST /login`.
#[derive(Deserialize)]
pub(super) struct Login {
    pub(super) email: String,
    pub(super) password: String,
    pub(super) ttl_s: Option<u64>,
}

impl Input for Login {
    fn fault(&self) -> Option<&'static str> {
        let too_long = self.email.len() > EMAIL_BYTES_MAX || self.password.len() > SECRET_BYTES_MAX;
        too_long
            .then_some("`email` or `password` is too long")
            .or_else(|| nul(&self.email))
    }
}

/// The body of `POST /refresh`.
#[derive(Deserialize)]
pub(super) struct Refresh {
    pub(super) refresh_token: String,
    pub(super) ttl_s: Option<u64>,
}

impl Input for Refresh {
    fn fault(&self) -> Option<&'static str> {
        None
    }
}

fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.rsplit_once('@') else {
        return false;
    };
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let whole = !local.is_empty() && !domain.is_empty() && !local.contains('@');
    whole && email.len() <= EMAIL_BYTES_MAX && email.chars().all(plain)
}

fn is_text(text: &str, chars_max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= chars_max && !text.chars().any(char::is_control)
}

/// PostgreSQL's text cannot hold U+0000.
fn nul(text: &str) -> Option<&'static str> {
    text.contains('\0').then_some("U+0000 is not allowed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Register), field: Option<&str>) {
        let mut register = Register {
            email: "a@b.example".into(),
            password: "long enough".into(),
            name: "Ada".into(),
            tenant: "acme-1".into(),
            tenant_key: "k".into(),
        };
        change(&mut register);
        let found = register.fault().map(|fault| fault.split('`').nth(1).unwrap());
        assert_eq!(found, field);
    }

    #[test]
    fn each_field_has_its_bounds() {
        check(|_| {}, None);
        for email in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@b@c",
            "a\0@b",
            &format!("{}@b", "a".repeat(253)),
        ] {
            check(|register| register.email = email.into(), Some("email"));
        }
        check(|register| register.email = format!("{}@b", "a".repeat(252)), None);
        check(|register| register.password = "1234567".into(), Some("password"));
        check(|register| register.password = "x".repeat(1025), Some("password"));
        check(|register| register.name = " ".into(), Some("name"));
        check(|register| register.name = "a\0b".into(), Some("name"));
        check(|register| register.name = "ä".repeat(200), None);
        check(|register| register.name = "ä".repeat(201), Some("name"));
        for tenant in ["", "Acme", "a b", "ä", &"a".repeat(65)] {
            check(|register| register.tenant = tenant.into(), Some("tenant"));
        }
        check(|register| register.tenant_key = String::new(), Some("tenant_key"));
    }
}
