//! Errors as clients see them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::database::DatabaseError;
use super::password::PasswordError;
use crate::token::KeyError;

/// When whoever was refused as busy may ask again: what waits now is done by then.
const RETRY_AFTER_S: &str = "1";

/// Why a request was not fulfilled. The answer never quotes what was sent, nor what went wrong inside.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The body is not what the request needs.
    #[error("{0}")]
    BadRequest(&'static str),
    /// The body is larger than allowed.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// No such e-mail, or not its password.
    #[error("e-mail or password is wrong")]
    BadCredentials,
    /// No token, or one that is not accepted (any more).
    #[error("a valid token is required")]
    Unauthorized,
    /// A spent refresh token was presented: the session is revoked.
    #[error("this refresh token was used before; the session is revoked")]
    RefreshReused,
    /// The tenant exists and its key is another one.
    #[error("the tenant key is wrong")]
    WrongTenantKey,
    /// The e-mail has an account.
    #[error("the e-mail is taken")]
    EmailTaken,
    /// No such path.
    #[error("no such path")]
    NotFound,
    /// Not with this method.
    #[error("the method is not allowed here")]
    MethodNotAllowed,
    /// Too many requests in progress.
    #[error("too many requests in progress")]
    Busy,
    /// The answer took too long; what was asked may have been done.
    #[error("the request took too long")]
    Timeout,
    /// The database is out of reach.
    #[error("a part of the service is out of reach")]
    Unavailable(#[source] DatabaseError),
    /// A fault of this service.
    #[error("an internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl AuthError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BadCredentials | Self::Unauthorized | Self::RefreshReused => StatusCode::UNAUTHORIZED,
            Self::WrongTenantKey => StatusCode::FORBIDDEN,
            Self::EmailTaken => StatusCode::CONFLICT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Busy | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `code` of the answer.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::TooLarge { .. } => "too_large",
            Self::BadCredentials => "bad_credentials",
            Self::Unauthorized => "unauthorized",
            Self::RefreshReused => "refresh_reused",
            Self::WrongTenantKey => "wrong_tenant_key",
            Self::EmailTaken => "email_taken",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }
}

/// The code of an error answer, kept beside it for the metrics.
#[derive(Clone, Copy)]
pub(super) struct ErrorCode(pub(super) &'static str);

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        if let Some(source) = std::error::Error::source(&self) {
            tracing::error!(error = %self, source = %Chain(source), "request failed");
        }
        let body = json!({ "error": { "code": self.code(), "message": self.to_string() } });
        let mut response = (self.status(), Json(body)).into_response();
        response.extensions_mut().insert(ErrorCode(self.code()));
        if matches!(self, Self::Busy) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        if matches!(self, Self::Unauthorized) {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An error with all its sources, in one line.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0;
        while let Some(source) = error.source() {
            write!(f, ": {source}")?;
            error = source;
        }
        Ok(())
    }
}

impl From<DatabaseError> for AuthError {
    fn from(error: DatabaseError) -> Self {
        if error.is_outage() {
            Self::Unavailable(error)
        } else {
            Self::Internal(error.into())
        }
    }
}

impl From<sqlx::Error> for AuthError {
    fn from(error: sqlx::Error) -> Self {
        DatabaseError::from(error).into()
    }
}

impl From<PasswordError> for AuthError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            error => Self::Internal(error.into()),
        }
    }
}

impl From<KeyError> for AuthError {
    fn from(error: KeyError) -> Self {
        Self::Internal(error.into())
    }
}
