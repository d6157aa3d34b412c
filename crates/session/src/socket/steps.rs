//! Requests over HTTP that go before an upgrade or an op: for a ticket that is good for it alone, say.

use std::rc::Rc;

use history::{At, Op, Outcome};

use super::attempt::Listening;
use super::{Request, Socket};
use crate::asker::{Asked, Asker};
use crate::asking::Jar;
use crate::codec::Values;
use crate::profile::Exchange;

/// A step that gave nothing.
#[derive(Debug)]
pub(super) struct Stopped {
    /// HTTP status, if the service answered.
    pub(super) status: Option<u16>,
    pub(super) reason: String,
}

/// Goes through them; what they gave, together.
pub(super) async fn go(steps: &[Exchange], values: &Values, asker: Asker<'_>) -> Result<Values, Stopped> {
    let (mut known, mut given, mut jar) = (values.clone(), Values::new(), Jar::default());
    let unanswered = |reason| Stopped { status: None, reason };
    for step in steps {
        let asked = Asked {
            exchange: step,
            values: &known,
            op: None,
        };
        let request = asker.request(asked, &jar).map_err(unanswered)?;
        let said = asker.answer(request, asked, &mut jar).await.map_err(unanswered)?;
        said.success.map_err(|reason| Stopped {
            status: Some(said.status),
            reason,
        })?;
        known.extend(said.values.clone());
        given.extend(said.values);
    }
    Ok(given)
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
            if let Some(listening) = listening {
                // whoever may not listen may still ask
                listening.await;
            }
            let gone = go(&steps, &request.values, socket.asker()).await;
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
