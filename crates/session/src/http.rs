//! Requests to the authentication service: everything that comes back is recorded and judged.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use history::{
    At, ChannelKind, CloseCause, Conn, Fact, Inbound, Interval, Invoked, Op, Outcome, Part, Replica, Role,
    Session, Source, Step, User,
};
use http_body_util::Full;
use hyper::header::RETRY_AFTER;
use hyper::{Request, StatusCode};
use tokio::sync::Semaphore;

use crate::asking::{self, Jar, in_words};
use crate::client::{Answer, Client};
use crate::codec::{Slot, Values};
use crate::limits::{BUSY_SPREAD_MS, BUSY_TRIES, BUSY_WAIT_MAX, HTTP_AT_ONCE};
use crate::profile::Exchange;
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
    /// Whether that is success; if not, what it is.
    success: Result<(), String>,
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
    pub(crate) fn new(worker: &Rc<Worker>) -> Self {
        // ops that go over HTTP use the same connections
        let made = || Client::new(worker.target.tls.clone(), worker.limits.op);
        Self {
            worker: Rc::clone(worker),
            client: worker.http.get_or_init(made).clone(),
            turns: Semaphore::new(HTTP_AT_ONCE),
        }
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

    /// Goes through the steps of an exchange, each with what those before it gave, and reads the answer.
    pub(crate) async fn call(&self, line: &Line, mut call: Call<'_>) -> HttpAnswer {
        let (mut jar, mut given) = (Jar::default(), Values::new());
        for step in &call.exchange.before {
            let asked = Call {
                role: Role::Other,
                exchange: step,
                ..call.clone()
            };
            let answer = self.ask(line, &asked, &mut jar).await;
            if !answer.is_ok() {
                return answer;
            }
            call.values.extend(answer.values.clone());
            given.extend(answer.values);
        }
        let answer = self.ask(line, &call, &mut jar).await;
        given.extend(answer.values);
        HttpAnswer {
            values: given,
            ..answer
        }
    }

    /// One request and its answer.
    async fn ask(&self, line: &Line, call: &Call<'_>, jar: &mut Jar) -> HttpAnswer {
        let request = match self.request(line, call, jar) {
            Ok(request) => request,
            Err(reason) => return self.not_made(reason),
        };
        // the turns are never closed; an error would be no reason not to ask
        let _turn = self.turns.acquire().await;
        let (op, from) = self.invoke(line, call);
        let tracer = &self.worker.tracer;
        tracer.tell(from, line.user, line.conn, || {
            TracedStep::Asked(in_words(call.exchange, &call.values, call.bearer))
        });
        let answer = match self.client.send(request).await {
            Ok(answer) => self.read(line, op, call, (answer, jar)).await,
            Err(unanswered) => Err(unanswered.why),
        };
        let to = self.worker.clock.now();
        let during = Interval { from, to };
        let (outcome, received) = match answer {
            Ok(mut received) => match std::mem::replace(&mut received.success, Ok(())) {
                Ok(()) => (Outcome::Ok, Some(received)),
                Err(reason) => (Outcome::Fail(reason), Some(received)),
            },
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

    fn request(&self, line: &Line, call: &Call<'_>, jar: &Jar) -> Result<Request<Full<Bytes>>, String> {
        let target = &self.worker.target;
        let base = line
            .stranger
            .map_or(&target.auth, |stranger| &target.strangers[stranger].auth);
        asking::request(base, call.exchange, &call.values, (call.bearer, jar))
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
        (mut answer, jar): (Answer, &mut Jar),
    ) -> Result<Received, String> {
        let (status, retry_after) = (answer.status(), retry_after(&answer));
        jar.take(answer.headers());
        let body = answer.body().await;
        let at = self.worker.clock.now();
        let text = String::from_utf8_lossy(body.as_ref().unwrap_or_else(|cut| &cut.body));
        let values = asking::found(call.exchange, &call.values, answer.headers(), &text);
        let success = call.exchange.success.of(status.as_u16(), &text);
        let own = [Slot::AccessToken, Slot::RefreshToken, Slot::Ticket];
        let own = own.map(|slot| values.get(slot).unwrap_or_default());
        let tracer = &self.worker.tracer;
        own.iter().for_each(|token| tracer.hide(token, REDACTED));
        tracer.tell(at, line.user, line.conn, || {
            let holds = call.exchange.holds.iter();
            let sought = holds.map(|(slot, at)| (slot.name(), at.to_string(), values.get(*slot).is_some()));
            TracedStep::Answered {
                status: Some(status.as_u16()),
                body: text.clone().into_owned(),
                sought: sought.collect(),
            }
        });
        let headers = format!("{status}\r\n{}", header_lines(answer.headers()));
        self.record(
            line,
            at,
            Source::Headers,
            redact(&headers, &own).as_bytes(),
            Vec::new(),
        );
        let parts = vec![Part::Reply {
            op: Some(op),
            step: if success.is_ok() { Step::Done } else { Step::Error },
            text: None,
        }];
        self.record(line, at, Source::Body, redact(&text, &own).as_bytes(), parts);
        match body {
            Ok(_) => Ok(Received {
                status: status.as_u16(),
                success,
                values,
                retry_after,
            }),
            Err(cut) => {
                if cut.at_limit {
                    let what = cut.why.as_str().into();
                    self.worker.record(Fact::LimitHit { what });
                }
                Err(cut.why)
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
