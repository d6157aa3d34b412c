//! The ops, each authorised on its own.

mod message;
mod presence;
pub(crate) mod resume;
mod room;
mod room_message;
mod thread;
mod user;

use std::sync::Arc;

use super::inbox::Place;
use super::limits::{REPLY_TIMEOUT, REQUEST_TIMEOUT};
use super::link::Link;
use super::protocol::{Failure, Frame, Json, Op, Request};
use super::state::Gateway;

/// A request of a connection, with all that answering takes.
pub(crate) struct Ask<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) link: &'a Arc<Link>,
    pub(crate) request: &'a Request,
}

/// Does what was asked and answers it.
pub(crate) async fn answer(ask: Ask<'_>, place: Place) {
    let Ask {
        gateway,
        link,
        request,
    } = ask;
    let re = request.id.as_str();
    let limit = match request.op {
        Op::MessagePost => REQUEST_TIMEOUT + REPLY_TIMEOUT,
        _ => REQUEST_TIMEOUT,
    };
    let done = tokio::time::timeout(limit, dispatch(&ask)).await;
    // the client may use the id again as soon as it reads the answer
    drop(place);
    let outcome = match done.unwrap_or(Err(Failure::timeout("the request took too long"))) {
        Ok(Answer::Whole(data)) => {
            link.outbox.send(Frame::Ok { re, data: &data });
            "ok"
        }
        Ok(Answer::Streamed { to, data }) => {
            if let Some(to) = to {
                to.outbox.send(Frame::Done { re, data: &data });
            }
            "ok"
        }
        Err(failure) => {
            link.outbox.send(Frame::Err {
                re: Some(re),
                failure,
            });
            failure.code.name()
        }
    };
    gateway.metrics.requests(request.op.name(), outcome).inc();
}

/// An answer that is no failure.
enum Answer {
    /// Sent in one.
    Whole(Json),
    /// The end of what was streamed to whoever waited for it.
    Streamed { to: Option<Arc<Link>>, data: Json },
}

async fn dispatch(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let answer = match ask.request.op {
        Op::MessagePost => return message::post(ask).await,
        Op::WhoAmI => user::who_am_i(ask).await,
        Op::ThreadCreate => thread::create(ask).await,
        Op::ThreadList => thread::list(ask).await,
        Op::ThreadFind => thread::find(ask).await,
        Op::ThreadRead => thread::read(ask).await,
        Op::ThreadSubscribe => thread::subscribe(ask).await,
        Op::Cancel => message::cancel(ask),
        Op::RoomCreate => room::create(ask).await,
        Op::RoomList => room::list(ask).await,
        Op::RoomAdd => room::add(ask).await,
        Op::RoomRemove => room::remove(ask).await,
        Op::RoomSubscribe => room::subscribe(ask).await,
        Op::RoomPost => room_message::post(ask).await,
        Op::RoomRead => room_message::read(ask).await,
        Op::PresenceSet => presence::set(ask).await,
        Op::Typing => presence::typing(ask).await,
        Op::UserGet => user::get(ask).await,
        Op::Resume => resume::resume(ask).await,
    };
    answer.map(Answer::Whole)
}
