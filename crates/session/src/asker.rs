//! One request over HTTP and its answer: told step by step, recorded and judged.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::RETRY_AFTER;
use hyper::{Request, StatusCode};

use history::{At, Conn, Fact, Inbound, Op, Part, Parts, Source, Step, User};

use crate::asking::{self, Jar};
use crate::client::Answer;
use crate::codec::{Slot, Values};
use crate::profile::Exchange;
use crate::socket::header_lines;
use crate::trace::TracedStep;
use crate::worker::Worker;

/// What stands in a recorded answer in place of the caller's own tokens.
pub(crate) const REDACTED: &str = "<token>";
/// Kind of what is answered to a request that is no attempt: nothing yet of what a session may see.
const STEP: &str = "step";

/// In whose name one asks, where, and over which connection the answer is recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) user: User,
    pub(crate) conn: Conn,
    /// Base URL of the service.
    pub(crate) base: &'a str,
    /// What one presents; `None` for nothing.
    pub(crate) token: Option<&'a str>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) values: &'a Values,
    /// The attempt that it is; `None` if it only goes before one, or before an upgrade.
    pub(crate) op: Option<Op>,
}

/// An answer of which all has come.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) at: At,
    pub(crate) status: u16,
    /// Whether that is success; if not, what it is.
    pub(crate) success: Result<(), String>,
    /// What stood in it.
    pub(crate) values: Values,
    pub(crate) body: Vec<u8>,
    /// When to ask again, if the service is too busy now.
    pub(crate) retry_after: Option<Duration>,
}

impl Asker<'_> {
    /// The request, with the cookies of the steps before it; an error if it cannot be made.
    pub(crate) fn request(self, asked: Asked<'_>, jar: &Jar) -> Result<Request<Full<Bytes>>, String> {
        let Asked { exchange, values, .. } = asked;
        self.tell(|| TracedStep::Asked(asking::in_words(exchange, values, self.token)));
        let request = asking::request(self.base, exchange, values, (self.token, jar));
        request.map_err(|why| self.unanswered(why))
    }

    /// Sends it and records what comes, own tokens taken out; an error if that is not all of an answer.
    pub(crate) async fn answer(
        self,
        request: Request<Full<Bytes>>,
        asked: Asked<'_>,
        jar: &mut Jar,
    ) -> Result<Said, String> {
        let answer = self.worker.http.send(request).await;
        let mut answer = answer.map_err(|unanswered| self.unanswered(unanswered.why))?;
        jar.take(answer.headers());
        let (body, cut) = match answer.body().await {
            Ok(body) => (body, None),
            Err(cut) => (cut.body, Some((cut.why, cut.at_limit))),
        };
        let said = self.read(&answer, body, asked);
        let Some((why, at_limit)) = cut else {
            return Ok(said);
        };
        if at_limit {
            let what = why.as_str().into();
            self.worker.record_at(said.at, Fact::LimitHit { what });
        }
        Err(self.unanswered(why))
    }

    /// Tells and records what came, and takes out of it what the profile says.
    fn read(self, answer: &Answer, body: Vec<u8>, asked: Asked<'_>) -> Said {
        let Asked { exchange, values, op } = asked;
        let (at, status) = (self.worker.clock.now(), answer.status().as_u16());
        let text = String::from_utf8_lossy(&body);
        let values = asking::found(exchange, values, answer.headers(), &text);
        let success = exchange.success.of(status, &text);
        let found = [Slot::AccessToken, Slot::RefreshToken, Slot::Ticket];
        let [access, refresh, ticket] = found.map(|slot| values.get(slot).unwrap_or_default());
        let own = [access, refresh, ticket, self.token.unwrap_or_default()];
        own.iter()
            .for_each(|token| self.worker.tracer.hide(token, REDACTED));
        self.tell(|| TracedStep::Answered {
            status: Some(status),
            body: text.clone().into_owned(),
            sought: asking::sought(exchange, &values),
        });
        let headers = format!("{}\r\n{}", answer.status(), header_lines(answer.headers()));
        let part = match op {
            Some(op) => Part::Reply {
                op: Some(op),
                step: if success.is_ok() { Step::Done } else { Step::Error },
                text: None,
            },
            None => Part::Event {
                kind: STEP.into(),
                content: false,
            },
        };
        self.record(at, Source::Headers, &redact(&headers, &own), Parts::default());
        self.record(at, Source::Body, &redact(&text, &own), part.into());
        Said {
            at,
            status,
            success,
            retry_after: retry_after(answer),
            values,
            body,
        }
    }

    fn record(self, at: At, source: Source, text: &str, parts: Parts<'_>) {
        let inbound = Inbound {
            conn: self.conn,
            source,
            bytes: text.as_bytes().into(),
            parts,
        };
        self.worker.record_at(at, Fact::Inbound(inbound));
    }

    /// Tells why there is no answer, or no whole one.
    fn unanswered(self, why: String) -> String {
        self.tell(|| TracedStep::Answered {
            status: None,
            body: why.clone(),
            sought: Vec::new(),
        });
        why
    }

    fn tell(self, step: impl FnOnce() -> TracedStep) {
        self.worker.tracer.tell(self.user, self.conn, step);
    }
}

/// How long to wait before asking again, if the answer is that the service is too busy (RFC 9110, section 10.2.3, in seconds).
fn retry_after(answer: &Answer) -> Option<Duration> {
    let busy = matches!(
        answer.status(),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    );
    let header = answer.headers().get(RETRY_AFTER).filter(|_| busy)?;
    header.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// `text` with each of `tokens` replaced.
pub(crate) fn redact<'a>(text: &'a str, tokens: &[&str]) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for token in tokens.iter().filter(|token| !token.is_empty()) {
        if text.contains(token) {
            text = Cow::Owned(text.replace(token, REDACTED));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, tokens: &[&str], expect: &str) {
        assert_eq!(redact(text, tokens), expect);
    }

    #[test]
    fn own_tokens_are_taken_out_wherever_they_stand() {
        check(
            r#"{"a":"t.0.k","b":"r"}"#,
            &["t.0.k", ""],
            r#"{"a":"<token>","b":"r"}"#,
        );
        check("t.0.k again t.0.k", &["t.0.k"], "<token> again <token>");
        check("another's t.9.k", &["t.0.k"], "another's t.9.k");
        check("", &[], "");
    }
}
