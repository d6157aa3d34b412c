//! Ops that go over HTTP: their answers are judged as if they had come over the connection whose user asks.

use std::rc::Rc;

use history::{Fact, Op, Outcome, Part, Source, Step};

use super::Socket;
use crate::asking::{self, Jar};
use crate::codec::Values;
use crate::http::redact;
use crate::profile::Exchange;
use crate::trace::TracedStep;

impl Socket {
    /// Asks, and takes the answer when it comes.
    pub(super) fn ask_over_http(self: &Rc<Self>, op: Op, exchange: Exchange, values: Values) {
        let socket = Rc::clone(self);
        let asking = async move { socket.asked_over_http(op, &exchange, &values).await };
        tokio::task::spawn_local(self.worker.watched(asking));
    }

    async fn asked_over_http(&self, op: Op, exchange: &Exchange, values: &Values) {
        let token = self.token.as_deref();
        self.trace(|| TracedStep::Asked(asking::in_words(exchange, values, token)));
        let (outcome, given) = match self.answer_over_http(op, exchange, values).await {
            Ok(answer) => answer,
            Err(reason) => {
                let body = reason.clone();
                self.trace(|| TracedStep::Answered {
                    status: None,
                    body,
                    sought: Vec::new(),
                });
                (Outcome::Info(reason), Values::new())
            }
        };
        self.complete(op, self.worker.clock.now(), outcome, given);
    }

    /// What came, recorded, own tokens taken out; an error if nothing did.
    async fn answer_over_http(
        &self,
        op: Op,
        exchange: &Exchange,
        values: &Values,
    ) -> Result<(Outcome, Values), String> {
        let client = self.worker.http.get().ok_or("nobody has logged in")?;
        let (base, token) = (&self.worker.target.auth, self.token.as_deref());
        let request = asking::request(base, exchange, values, (token, &Jar::default()))?;
        let mut answer = client.send(request).await.map_err(|unanswered| unanswered.why)?;
        let body = answer.body().await.map_err(|cut| {
            if cut.at_limit {
                let what = cut.why.as_str().into();
                self.worker.record(Fact::LimitHit { what });
            }
            cut.why
        })?;
        let (at, status) = (self.worker.clock.now(), answer.status().as_u16());
        self.patience.borrow_mut().heard();
        let text = String::from_utf8_lossy(&body);
        let given = asking::found(exchange, values, answer.headers(), &text);
        let success = exchange.success.of(status, &text);
        self.trace(|| TracedStep::Answered {
            status: Some(status),
            body: text.clone().into_owned(),
            sought: asking::sought(exchange, &given),
        });
        let own = [token.unwrap_or_default()];
        let headers = super::header_lines(answer.headers());
        let step = if success.is_ok() { Step::Done } else { Step::Error };
        let reply = Part::Reply {
            op: Some(op),
            step,
            text: None,
        };
        self.record_inbound(at, Source::Headers, redact(&headers, &own).as_bytes(), Vec::new());
        self.record_inbound(at, Source::Body, redact(&text, &own).as_bytes(), vec![reply]);
        self.tell_watches(at, &body, &[]);
        self.answered(op, at);
        Ok(match success {
            Ok(()) => (Outcome::Ok, given),
            Err(reason) => (Outcome::Fail(reason), Values::new()),
        })
    }
}
