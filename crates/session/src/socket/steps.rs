//! Requests over HTTP that go before an upgrade or an op: for a ticket that is good for it alone, say.

use std::rc::Rc;

use history::{At, Conn, Fact, Inbound, Op, Outcome, Part, Source, User};

use super::attempt::Listening;
use super::{Request, Socket};
use crate::asking::{self, Jar};
use crate::codec::{Slot, Values};
use crate::http::{REDACTED, redact};
use crate::profile::Exchange;
use crate::trace::TracedStep;
use crate::worker::Worker;

/// Kind of what such a request is answered: nothing yet of what a session may see.
const STEP: &str = "step";

/// A step that gave nothing.
#[derive(Debug)]
pub(super) struct Stopped {
    /// HTTP status, if the service answered.
    pub(super) status: Option<u16>,
    pub(super) reason: String,
}

/// In whose name, and over which connection what comes is recorded.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) user: User,
    pub(super) conn: Conn,
    pub(super) token: Option<&'a str>,
}

/// Goes through them; what they gave, together.
pub(super) async fn go(
    worker: &Rc<Worker>,
    steps: &[Exchange],
    values: &Values,
    asker: Asker<'_>,
) -> Result<Values, Stopped> {
    let (mut known, mut given, mut jar) = (values.clone(), Values::new(), Jar::default());
    for step in steps {
        let found = asked(worker, step, &known, asker, &mut jar).await?;
        known.extend(found.clone());
        given.extend(found);
    }
    Ok(given)
}

async fn asked(
    worker: &Rc<Worker>,
    step: &Exchange,
    known: &Values,
    asker: Asker<'_>,
    jar: &mut Jar,
) -> Result<Values, Stopped> {
    let Asker { user, conn, token } = asker;
    let tell = |traced: TracedStep| worker.tracer.tell(worker.clock.now(), user, conn, || traced);
    let unasked = |reason: String| {
        tell(TracedStep::Answered {
            status: None,
            body: reason.clone(),
            sought: Vec::new(),
        });
        Stopped { status: None, reason }
    };
    tell(TracedStep::Asked(asking::in_words(step, known, token)));
    let client = worker
        .http
        .get()
        .ok_or_else(|| unasked("nobody has logged in".to_owned()))?;
    let base = &worker.target.auth;
    let request = asking::request(base, step, known, (token, jar)).map_err(unasked)?;
    let answer = client.send(request).await;
    let mut answer = answer.map_err(|unanswered| unasked(unanswered.why))?;
    let body = answer.body().await.map_err(|cut| unasked(cut.why))?;
    let (status, text) = (answer.status().as_u16(), String::from_utf8_lossy(&body));
    jar.take(answer.headers());
    let found = asking::found(step, known, answer.headers(), &text);
    for slot in [Slot::Ticket, Slot::AccessToken] {
        let secret = found.get(slot).unwrap_or_default();
        worker.tracer.hide(secret, REDACTED);
    }
    tell(TracedStep::Answered {
        status: Some(status),
        body: text.clone().into_owned(),
        sought: asking::sought(step, &found),
    });
    let own = [token.unwrap_or_default()];
    let headers = super::header_lines(answer.headers());
    record(worker, conn, Source::Headers, &redact(&headers, &own));
    record(worker, conn, Source::Body, &redact(&text, &own));
    match step.success.of(status, &text) {
        Ok(()) => Ok(found),
        Err(reason) => Err(Stopped {
            status: Some(status),
            reason,
        }),
    }
}

fn record(worker: &Worker, conn: Conn, source: Source, text: &str) {
    let parts = match source {
        Source::Body => vec![Part::Event {
            kind: STEP.into(),
            content: false,
        }],
        _ => Vec::new(),
    };
    let bytes = text.as_bytes().into();
    let inbound = Inbound {
        conn,
        source,
        bytes,
        parts,
    };
    worker.record(Fact::Inbound(inbound));
}

impl Socket {
    /// Goes through what goes before an op, and then asks.
    pub(super) fn ask_after(
        self: &Rc<Self>,
        op: Op,
        (listening, steps): (Option<Listening>, Vec<Exchange>),
        request: Request,
    ) {
        let socket = Rc::clone(self);
        let asking = async move {
            let asker = Asker {
                user: socket.holder.user,
                conn: socket.holder.conn,
                token: socket.token.as_deref(),
            };
            if let Some(listening) = listening {
                // whoever may not listen may still ask
                listening.await;
            }
            let gone = go(&socket.worker, &steps, &request.values, asker).await;
            let now: At = socket.worker.clock.now();
            match gone {
                Ok(given) => {
                    let mut request = request;
                    request.values.extend(given);
                    if let Err(reason) = socket.ask_now(op, &request) {
                        socket.complete(op, now, Outcome::Info(reason), Values::new());
                    }
                }
                Err(Stopped {
                    status: Some(_),
                    reason,
                }) => {
                    socket.answered(op, now);
                    socket.complete(op, now, Outcome::Fail(reason), Values::new());
                }
                Err(Stopped { reason, .. }) => {
                    socket.complete(op, now, Outcome::Info(reason), Values::new());
                }
            }
        };
        tokio::task::spawn_local(self.worker.watched(asking));
    }
}
