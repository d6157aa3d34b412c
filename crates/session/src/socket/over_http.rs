//! Ops that go over HTTP: their answers are judged as if they had come over the connection whose user asks.

use std::rc::Rc;

use history::{Op, Outcome};

use super::Socket;
use crate::asker::{Asked, Asker};
use crate::asking::Jar;
use crate::codec::Values;
use crate::profile::Exchange;

impl Socket {
    /// Asks, and takes the answer when it comes.
    pub(super) fn ask_over_http(self: &Rc<Self>, op: Op, exchange: Exchange, values: Values) {
        let socket = Rc::clone(self);
        let asking = async move {
            let answered = socket.answer_over_http(op, &exchange, &values).await;
            let (outcome, given) = answered.unwrap_or_else(|why| (Outcome::Info(why), Values::new()));
            socket.complete(op, socket.worker.clock.now(), outcome, given);
        };
        tokio::task::spawn_local(self.worker.watched(asking));
    }

    /// An error if there is none.
    async fn answer_over_http(
        &self,
        op: Op,
        exchange: &Exchange,
        values: &Values,
    ) -> Result<(Outcome, Values), String> {
        let (asker, mut jar) = (self.asker(), Jar::default());
        let asked = Asked {
            exchange,
            values,
            op: Some(op),
        };
        let request = asker.request(asked, &jar)?;
        let said = asker.answer(request, asked, &mut jar).await?;
        self.patience.borrow_mut().heard();
        self.tell_watches(said.at, &said.body, &[]);
        self.answered(op, said.at);
        Ok(match said.success {
            Ok(()) => (Outcome::Ok, said.values),
            Err(reason) => (Outcome::Fail(reason), Values::new()),
        })
    }

    /// Whoever asks over HTTP in the name of this connection's user.
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker {
            worker: &self.worker,
            user: self.holder.user,
            conn: self.holder.conn,
            base: &self.worker.target.auth,
            token: self.token.as_deref(),
        }
    }
}
