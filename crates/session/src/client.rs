//! HTTP as a client: a pool of connections, plain ones and those over TLS.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderValue};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use crate::carrier::Dialler;
use crate::limits::{BODY_LIMIT_BYTES, HTTP_AT_ONCE, HTTP_IDLE};
use crate::tls::{Tls, TlsError};

/// What is said where an answer has not come in time.
const LATE: &str = "timeout";

/// A client; its clones share connections. It follows no redirect, keeps no cookie and goes by no proxy.
#[derive(Clone, Debug)]
pub struct Client {
    pool: legacy::Client<Dialler, Full<Bytes>>,
    /// From the begin of a request to the end of its answer.
    within: Duration,
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub(crate) struct Answer {
    head: hyper::http::response::Parts,
    body: Incoming,
    deadline: Instant,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("{why}")]
pub struct Unanswered {
    /// In words.
    pub why: String,
    /// Whether there is no use in asking again: the service's certificate is not taken.
    pub for_good: bool,
}

/// A body that was not read to its end.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) body: Vec<u8>,
    pub(crate) why: String,
    pub(crate) at_limit: bool,
}

impl Client {
    /// One that gives every answer so much time.
    #[must_use]
    pub fn new(tls: Tls, within: Duration) -> Self {
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(HTTP_IDLE)
            .pool_max_idle_per_host(HTTP_AT_ONCE)
            .build(Dialler(tls));
        Self { pool, within }
    }

    /// Asks.
    pub(crate) async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, Unanswered> {
        let any = HeaderValue::from_static("*/*");
        request.headers_mut().entry(ACCEPT).or_insert(any);
        let deadline = Instant::now() + self.within;
        let answered = timeout_at(deadline, self.pool.request(request)).await;
        let answer = answered.map_err(|_| Unanswered::yet(LATE))?;
        let answer = answer.map_err(|error| Unanswered {
            why: reason_of(&error),
            for_good: tls_within(&error).is_some_and(TlsError::is_for_good),
        })?;
        let (head, body) = answer.into_parts();
        Ok(Answer { head, body, deadline })
    }

    /// The status by which `url` is answered.
    ///
    /// # Errors
    ///
    /// [`Unanswered`], why it is not.
    pub async fn status(&self, url: &str) -> Result<StatusCode, Unanswered> {
        let request = Request::get(url).body(Full::default());
        let request = request.map_err(|error| Unanswered::yet(error.to_string()))?;
        self.send(request).await.map(|answer| answer.status())
    }
}

impl Unanswered {
    fn yet(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            for_good: false,
        }
    }
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The body, or what came of it and why no more did.
    pub(crate) async fn body(&mut self) -> Result<Vec<u8>, Cut> {
        let mut body = Vec::new();
        loop {
            let why = match timeout_at(self.deadline, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    body.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
                    None
                }
                Ok(Some(Err(error))) => Some(reason_of(&error)),
                Ok(None) => return Ok(body),
                Err(_) => Some(LATE.to_owned()),
            };
            if let Some(why) = why {
                return Err(Cut {
                    body,
                    why,
                    at_limit: false,
                });
            }
            if body.len() > BODY_LIMIT_BYTES {
                let why =
                    format!("an HTTP body of more than {BODY_LIMIT_BYTES} bytes was not read to its end");
                return Err(Cut {
                    body,
                    why,
                    at_limit: true,
                });
            }
        }
    }
}

/// The cause at the bottom, without what is wrapped around it; where that is TLS, all that is said of it.
fn reason_of(error: &(dyn Error + 'static)) -> String {
    let bottom = || causes(error).last().unwrap_or(error).to_string();
    tls_within(error).map_or_else(bottom, ToString::to_string)
}

/// What was wrong with TLS, if that was it.
fn tls_within<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e TlsError> {
    causes(error).find_map(|cause| cause.downcast_ref().and_then(TlsError::within))
}

/// The error, and what is below it, one after the other.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause: &&'e (dyn Error + 'static)| {
        (**cause).source()
    })
}
