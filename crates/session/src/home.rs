//! The thread that a user's connection is to, where each thread is a connection of its own: made before anybody is connected.

use history::{At, Conn, Fact, Interval, Op, Role, ThreadIssued, User};

use crate::codec::{Slot, Values};
use crate::http::Call;
use crate::login::{Desk, Login};
use crate::profile::{Exchange, OpShape};
use crate::socket::made;

/// A thread that the service issued.
pub(crate) struct Issued {
    op: Op,
    owner: User,
    pub(crate) thread: String,
    from: At,
}

impl Issued {
    /// What is to be told of it, over which connection it came, and when.
    pub(crate) fn issued(&self, conn: Conn, to: At) -> Fact<'_> {
        let Self {
            op,
            owner,
            thread,
            from,
        } = self;
        Fact::ThreadIssued(ThreadIssued {
            op: *op,
            conn,
            owner: *owner,
            thread_id: thread.into(),
            during: Interval { from: *from, to },
        })
    }
}

impl Desk {
    /// Makes a thread before its user is connected to anything; `None` if the service issued none.
    pub(crate) async fn found(&self, login: &Login, create: &OpShape, values: Values) -> Option<Issued> {
        let (line, from) = (&login.line, self.worker.clock.now());
        let op = line.next_op();
        let mut values = values.with(Slot::Id, op.number().to_string());
        let me = made::me(&values);
        made::fill(create.taken(), &me, (self.worker.run, op), &mut values);
        let made = made::make(create, &mut values).ok()?;
        let mut said = made;
        if let Some(http) = &create.http {
            let exchange = Exchange {
                before: create.before.clone(),
                ..http.clone()
            };
            let token = login.tokens().access;
            let call = Call {
                role: Role::CreateThread,
                exchange: &exchange,
                values,
                bearer: Some(token.as_str()).filter(|token| !token.is_empty()),
                probe: false,
            };
            let answer = self.http.call(line, call).await;
            if !answer.is_ok() {
                return None;
            }
            said.extend(answer.values);
        }
        let thread = said.take(Slot::Thread)?;
        let owner = line.user;
        Some(Issued {
            op,
            owner,
            thread,
            from,
        })
    }
}
