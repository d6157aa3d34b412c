//! Why a request was not done, in words that never quote what was sent.

/// The code of an error answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    BadJson,
    BadRequest,
    UnknownOp,
    TooLarge,
    Busy,
    DuplicateId,
    NotFound,
    NameTaken,
    Forbidden,
    Cancelled,
    Timeout,
    Unavailable,
    Internal,
}

impl ErrorCode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadRequest => "bad_request",
            Self::UnknownOp => "unknown_op",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::DuplicateId => "duplicate_id",
            Self::NotFound => "not_found",
            Self::NameTaken => "name_taken",
            Self::Forbidden => "forbidden",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// An error answer. The message is a constant, so that nothing a client sent can come back in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) code: ErrorCode,
    pub(crate) message: &'static str,
}

impl Failure {
    pub(crate) const fn new(code: ErrorCode, message: &'static str) -> Self {
        Self { code, message }
    }

    pub(crate) const fn bad_request(message: &'static str) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    /// What does not exist and what is not the asker's look the same.
    pub(crate) const fn not_found(message: &'static str) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    pub(crate) const fn unavailable(message: &'static str) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    pub(crate) const fn timeout(message: &'static str) -> Self {
        Self::new(ErrorCode::Timeout, message)
    }

    pub(crate) const CANCELLED: Self = Self::new(ErrorCode::Cancelled, "the request was cancelled");
    /// Its statement was, which is not the same.
    pub(crate) const STOPPED: Self = Self::new(ErrorCode::Cancelled, "the database was asked to stop");
    pub(crate) const INTERNAL: Self = Self::new(ErrorCode::Internal, "the request could not be done");
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        tracing::error!(%error, "an answer could not be encoded");
        Self::INTERNAL
    }
}

/// Whether somebody asked the database to stop: a statement that takes too long has the same code.
fn is_asked_for(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|error| error.message().ends_with("user request"))
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        use tokio_postgres::error::SqlState;
        match error.code() {
            Some(&SqlState::QUERY_CANCELED) if is_asked_for(&error) => Self::STOPPED,
            Some(&SqlState::QUERY_CANCELED) => Self::timeout("the database took too long"),
            // the detail of a database error can hold a row, so it is not logged
            Some(code) => {
                let message = error.as_db_error().map_or("", |db| db.message());
                tracing::error!(code = code.code(), message, "the database refused a statement");
                Self::INTERNAL
            }
            None => {
                tracing::warn!(%error, "the database connection failed");
                Self::unavailable("the database cannot be reached")
            }
        }
    }
}
