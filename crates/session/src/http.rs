//! Requests to the authentication service: everything that comes back is recorded and judged.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use history::{
    At, ChannelKind, CloseCause, Conn, Fact, Inbound, Interval, Invoked, Op, Outcome, Part, Replica, Role,
    Session, Source, Step, User,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::sync::Semaphore;

use crate::codec::{Missing, Slot, Values};
use crate::limits::{BODY_LIMIT_BYTES, BUSY_SPREAD_MS, BUSY_TRIES, BUSY_WAIT_MAX, HTTP_AT_ONCE, HTTP_IDLE};
use crate::pointer::pick;
use crate::profile::{Exchange, Verb};
use crate::socket::header_lines;
use crate::trace::TracedStep;
use crate::worker::Worker;

/// What stands in a recorded answer in place of the caller's own tokens.
pub(crate) const REDACTED: &str = "<token>";

/// A client of the authentication service; the users of a worker share its TCP connections.
pub(crate) struct Http {
    worker: Rc<Worker>,
    client: Client,
    /// Whoever asks has a turn.
    turns: Semaphore,
}

/// The HTTP exchanges of one login.
pub(crate) struct Line {
    pub(crate) conn: Conn,
    pub(crate) user: User,
    pub(crate) session: Session,
    /// Which of the target's strangers it leads to; `None` for its own service.
    stranger: Option<usize>,
    requests: Cell<u32>,
}

/// One request.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    pub(crate) role: Role,
    pub(crate) exchange: &'a Exchange,
    pub(crate) values: Values,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) probe: bool,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) outcome: Outcome,
    /// `None` if there was no answer.
    pub(crate) status: Option<u16>,
    pub(crate) values: Values,
    pub(crate) during: Interval,
    /// When to ask again, if the service said that it is too busy now.
    retry_after: Option<Duration>,
}

/// What came over the wire.
struct Received {
    status: u16,
    values: Values,
    retry_after: Option<Duration>,
}

impl HttpAnswer {
    pub(crate) fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// Whether the service said no.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.outcome, Outcome::Fail(_))
    }

    /// What the service or the network said; empty if all went well.
    pub(crate) fn reason(&self) -> &str {
        match &self.outcome {
            Outcome::Ok => "",
            Outcome::Fail(reason) | Outcome::Info(reason) => reason,
        }
    }
}

impl Http {
    pub(crate) fn new(worker: &Rc<Worker>) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(worker.limits.op)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(HTTP_AT_ONCE)
            .pool_idle_timeout(HTTP_IDLE)
            .build()?;
        Ok(Self {
            worker: Rc::clone(worker),
            client,
            turns: Semaphore::new(HTTP_AT_ONCE),
        })
    }

    /// A line for a new login of `user`.
    pub(crate) fn line(&self, user: User) -> Line {
        self.line_to(None, user)
    }

    /// A line for a login of `user` at one of the target's strangers.
    pub(crate) fn line_to(&self, stranger: Option<usize>, user: User) -> Line {
        let (conn, session) = (self.worker.next_conn(), self.worker.next_session());
        self.worker.record(Fact::Opened {
            conn,
            user,
            session: Some(session),
            replica: Replica::AUTH,
            channel: ChannelKind::Http,
            tcp_ns: 0,
            upgrade_ns: 0,
        });
        Line {
            conn,
            user,
            session,
            stranger,
            requests: Cell::default(),
        }
    }

    pub(crate) fn close(&self, line: &Line) {
        self.worker.record(Fact::Closed {
            conn: line.conn,
            cause: CloseCause::ByPlan,
            code: None,
        });
    }

    /// Asks and reads the answer.
    pub(crate) async fn call(&self, line: &Line, call: Call<'_>) -> HttpAnswer {
        let request = match self.request(line, &call) {
            Ok(request) => request,
            Err(reason) => return self.not_made(reason),
        };
        // the turns are never closed; an error would be no reason not to ask
        let _turn = self.turns.acquire().await;
        let (op, from) = self.invoke(line, &call);
        let tracer = &self.worker.tracer;
        tracer.tell(from, line.user, line.conn, || TracedStep::Asked(in_words(&call)));
        let answer = match request.send().await {
            Ok(response) => self.read(line, op, &call, response).await,
            Err(error) => Err(reason_of(&error)),
        };
        let to = self.worker.clock.now();
        let during = Interval { from, to };
        let (outcome, received) = match answer {
            Ok(received) if (200..300).contains(&received.status) => (Outcome::Ok, Some(received)),
            Ok(received) => (
                Outcome::Fail(format!("status {}", received.status)),
                Some(received),
            ),
            Err(reason) => (Outcome::Info(reason), None),
        };
        if let Outcome::Info(reason) = &outcome {
            tracer.tell(to, line.user, line.conn, || TracedStep::Answered {
                status: None,
                body: reason.clone(),
                sought: Vec::new(),
            });
        }
        self.worker.record_at(
            to,
            Fact::Completed {
                op,
                outcome: outcome.clone(),
            },
        );
        let (status, retry_after) = received.as_ref().map_or((None, None), |received| {
            (Some(received.status), received.retry_after)
        });
        HttpAnswer {
            outcome,
            status,
            values: received.map(|received| received.values).unwrap_or_default(),
            during,
            retry_after,
        }
    }

    /// As [`Self::call`]; if the service says that it is too busy now, asks again when it wants that, up to [`BUSY_TRIES`] times in all.
    pub(crate) async fn call_again(&self, line: &Line, call: Call<'_>) -> HttpAnswer {
        let mut tries = 1;
        loop {
            let answer = self.call(line, call.clone()).await;
            match answer.retry_after {
                Some(wait) if tries < BUSY_TRIES => {
                    // whoever was refused together does not come back together
                    let spread = Duration::from_millis(u64::from(line.user.0) % BUSY_SPREAD_MS);
                    tokio::time::sleep(wait.min(BUSY_WAIT_MAX) + spread).await;
                }
                _ => return answer,
            }
            tries += 1;
        }
    }

    fn request(&self, line: &Line, call: &Call<'_>) -> Result<reqwest::RequestBuilder, String> {
        let Exchange {
            verb,
            path,
            body,
            headers,
            bearer,
            ..
        } = call.exchange;
        let told = |missing: Missing| missing.to_string();
        let target = &self.worker.target;
        let base = line
            .stranger
            .map_or(&target.auth, |stranger| &target.strangers[stranger].auth);
        let url = format!(
            "{base}{}",
            path.text(&call.values, percent_encoded).map_err(told)?
        );
        let mut request = match verb {
            Verb::Get => self.client.get(url),
            Verb::Post => self.client.post(url),
        };
        if let Some(body) = body {
            let body = body.json(&call.values).map_err(told)?;
            request = request.header("content-type", "application/json").body(body);
        }
        for (name, value) in headers {
            request = request.header(name, value.text(&call.values, str::to_owned).map_err(told)?);
        }
        if let (true, Some(token)) = (bearer, call.bearer) {
            request = request.bearer_auth(token);
        }
        Ok(request)
    }

    fn invoke(&self, line: &Line, call: &Call<'_>) -> (Op, At) {
        let number = line.requests.get() + 1;
        line.requests.set(number);
        let (op, at, (phase, round)) = (
            Op::of(line.conn, number),
            self.worker.clock.now(),
            self.worker.phase(),
        );
        let invoked = Invoked {
            op,
            conn: line.conn,
            user: line.user,
            role: call.role,
            request: number.to_string().into(),
            intended: at,
            phase,
            round,
            nonce: None,
            stores: None,
            names: Vec::new(),
            probe: call.probe,
        };
        self.worker.record_at(at, Fact::Invoked(invoked));
        (op, at)
    }

    /// Records the answer, own tokens taken out, and takes out of it what the profile says.
    async fn read(
        &self,
        line: &Line,
        op: Op,
        call: &Call<'_>,
        mut response: Response,
    ) -> Result<Received, String> {
        let (at, status) = (self.worker.clock.now(), response.status());
        let retry_after = retry_after(&response);
        let headers = format!("{status}\r\n{}", header_lines(response.headers()));
        self.record(line, at, Source::Headers, headers.as_bytes(), Vec::new());
        let body = self.body(&mut response).await;
        let text = String::from_utf8_lossy(body.as_deref().unwrap_or_else(|(read, _)| read));
        let mut values = Values::new();
        for (slot, pointer) in &call.exchange.holds {
            if let Some(value) = pick(&text, pointer) {
                values.set(*slot, value);
            }
        }
        let own = [Slot::AccessToken, Slot::RefreshToken].map(|slot| values.get(slot).unwrap_or_default());
        let tracer = &self.worker.tracer;
        own.iter().for_each(|token| tracer.hide(token, REDACTED));
        tracer.tell(at, line.user, line.conn, || {
            let holds = call.exchange.holds.iter();
            let sought = holds.map(|(slot, at)| (slot.name(), at.clone(), values.get(*slot).is_some()));
            TracedStep::Answered {
                status: Some(status.as_u16()),
                body: text.clone().into_owned(),
                sought: sought.collect(),
            }
        });
        let step = if status.is_success() {
            Step::Done
        } else {
            Step::Error
        };
        let parts = vec![Part::Reply {
            op: Some(op),
            step,
            text: None,
        }];
        self.record(
            line,
            self.worker.clock.now(),
            Source::Body,
            redact(&text, &own).as_bytes(),
            parts,
        );
        match body {
            Ok(_) => Ok(Received {
                status: status.as_u16(),
                values,
                retry_after,
            }),
            Err((_, reason)) => Err(reason),
        }
    }

    /// The body, or what came of it and why no more did.
    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, (Vec<u8>, String)> {
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body),
                Err(error) => return Err((body, reason_of(&error))),
            }
            if body.len() > BODY_LIMIT_BYTES {
                let what =
                    format!("an HTTP body of more than {BODY_LIMIT_BYTES} bytes was not read to its end");
                self.worker.record(Fact::LimitHit {
                    what: what.as_str().into(),
                });
                return Err((body, what));
            }
        }
    }

    fn record(&self, line: &Line, at: At, source: Source, bytes: &[u8], parts: Vec<Part<'_>>) {
        let inbound = Inbound {
            conn: line.conn,
            source,
            bytes: bytes.into(),
            parts,
        };
        self.worker.record_at(at, Fact::Inbound(inbound));
    }

    /// The answer to what could not be asked.
    pub(crate) fn not_made(&self, reason: String) -> HttpAnswer {
        let now = self.worker.clock.now();
        let during = Interval { from: now, to: now };
        HttpAnswer {
            outcome: Outcome::Info(reason),
            status: None,
            values: Values::new(),
            during,
            retry_after: None,
        }
    }
}

/// A request, for people.
fn in_words(call: &Call<'_>) -> String {
    let Exchange {
        verb,
        path,
        body,
        bearer,
        ..
    } = call.exchange;
    let verb = format!("{verb:?}").to_uppercase();
    let path = path.text(&call.values, percent_encoded).unwrap_or_default();
    let body = body.as_ref().and_then(|body| body.json(&call.values).ok());
    let token = call.bearer.filter(|_| *bearer).map_or("", |_| "with a token");
    let words = [verb, path, body.unwrap_or_default(), token.to_owned()];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// A value as it goes into a path or a query (RFC 3986, section 2.3).
pub(crate) fn percent_encoded(value: &str) -> String {
    const TAKEN: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(value, TAKEN).to_string()
}

/// How long to wait before asking again, if the answer is that the service is too busy (RFC 9110, section 10.2.3, in seconds).
fn retry_after(response: &Response) -> Option<Duration> {
    let busy = matches!(
        response.status(),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    );
    let header = response.headers().get(RETRY_AFTER).filter(|_| busy)?;
    header.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// The cause at the bottom, without the URL that is wrapped around it.
fn reason_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timeout".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// `text` with each of `tokens` replaced.
fn redact<'a>(text: &'a str, tokens: &[&str]) -> Cow<'a, str> {
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
