//! The ops, each authorised on its own.

mod message;
mod presence;
pub(crate) mod resume;
mod room;
mod room_message;
mod snapshot;
mod thread;
mod user;

use std::sync::Arc;

use super::database::Checkout;
use super::identity::Identity;
use super::inbox::Place;
use super::limits::{REPLY_TIMEOUT, REQUEST_TIMEOUT};
use super::link::Link;
use super::protocol::{ErrorCode, Failure, Frame, Json, Op, Request};
use super::state::Gateway;
use crate::metrics::Situation;

/// A request of a connection, with all that answering takes.
pub(crate) struct Ask<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) link: &'a Arc<Link>,
    /// Who asks.
    pub(crate) identity: &'a Identity,
    pub(crate) request: &'a Request,
}

impl Ask<'_> {
    /// A database connection, once one is free, and on whose behalf it is to be used, by an op that names nobody's.
    async fn checkout(&self) -> Result<(Checkout, Identity), Failure> {
        #[allow(unused_mut, reason = "planted leaks look into the database")]
        let mut checkout = self.gateway.database.checkout().await?;
        let identity = self.identity.clone();
        if self.gateway.requests.is_anothers(identity.user_id) {
            self.gateway.metrics.situation(Situation::OvertakenInWait).inc();
        }
        #[cfg(feature = "mutants")]
        let identity = crate::mutant::taken_for(&mut checkout, self.request.op, identity).await?;
        Ok((checkout, identity))
    }
}

/// Does what was asked and answers it.
pub(crate) async fn answer(ask: Ask<'_>, place: Place) {
    let Ask {
        gateway,
        link,
        request,
        ..
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
            note_success(&ask);
            send(gateway, link, Frame::Ok { re, data: &data });
            "ok"
        }
        Ok(Answer::Streamed { to, data }) => {
            note_success(&ask);
            if let Some(to) = to {
                send(gateway, &to, Frame::Done { re, data: &data });
            }
            "ok"
        }
        Err(failure) => {
            let failure = note_failure(&ask, failure);
            let re = Some(re);
            send(gateway, link, Frame::Err { re, failure });
            failure.code.name()
        }
    };
    gateway.metrics.requests(request.op.name(), outcome).inc();
}

/// Sends the last of an answer, if its connection is still there.
fn send(gateway: &Gateway, link: &Link, frame: Frame<'_>) {
    if let Some(link) = gateway.hub.reach(link) {
        link.outbox.send(frame);
    }
}

fn note_success(ask: &Ask<'_>) {
    ask.gateway.served.note(ask.identity.user_id);
    #[cfg(feature = "mutants")]
    crate::mutant::error_echo::note(ask.identity, ask.request);
}

/// Counts failures that say that something was tried.
fn note_failure(ask: &Ask<'_>, failure: Failure) -> Failure {
    if failure.code == ErrorCode::BadRequest {
        ask.gateway.note_malformed(ask.identity.user_id);
        #[cfg(feature = "mutants")]
        let failure = crate::mutant::error_echo::quoting(failure, ask.identity);
        return failure;
    }
    if failure == thread::NO_THREAD && ask.request.op != Op::ThreadFind {
        let situation = Situation::ForeignThreadAsked;
        ask.gateway.metrics.situation(situation).inc();
    }
    #[cfg(feature = "mutants")]
    if failure == Failure::STOPPED {
        crate::mutant::stale_cancel::ended(ask.identity.user_id);
    }
    failure
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
        Op::Snapshot => snapshot::snapshot(ask).await,
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
