//! What a client sends: each message becomes a request of its own task, or is refused.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;

use super::event::EventKind;
use super::limits::{MESSAGE_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX};
use super::link::Link;
use super::ops::{Ask, answer};
use super::protocol::{
    CloseReason, Dialect, ErrorCode, Failure, Frame, Json, Rejected, Request, id_of, parse,
};
use super::state::Gateway;
use crate::metrics::Situation;

const TOO_LARGE: Failure = Failure::new(ErrorCode::TooLarge, "a message has at most 64 KiB");
const NOT_TEXT: Failure = Failure::new(ErrorCode::BadJson, "a message is text: one JSON object");
const BUSY: Failure = Failure::new(ErrorCode::Busy, "32 requests of this connection are in flight");
const DUPLICATE_ID: Failure = Failure::new(
    ErrorCode::DuplicateId,
    "a request of this id is in flight on this connection",
);
const TOKEN_IN_REQUEST: Failure =
    Failure::bad_request("who asks is settled at the upgrade; a request holds no token");
const HELLO_FIRST: Failure =
    Failure::bad_request("a chat.v1 connection begins with a hello that names its user");
const FOREIGN_HELLO: Failure = Failure::new(
    ErrorCode::Forbidden,
    "the hello names another user than the token",
);

/// The inbound side of one connection.
pub(crate) struct Inbox {
    gateway: Arc<Gateway>,
    link: Arc<Link>,
    /// The greeting, while a legacy client has not said hello.
    hello: Option<Json>,
    in_flight: Arc<InFlight>,
}

/// The ids of a connection's requests in flight.
#[derive(Default)]
struct InFlight(Mutex<HashSet<String>>);

/// A request's place among those in flight; to be given up before the last of its answer is sent.
pub(crate) struct Place {
    in_flight: Arc<InFlight>,
    id: String,
}

impl InFlight {
    fn enter(in_flight: &Arc<Self>, id: &str) -> Result<Place, Failure> {
        let mut ids = in_flight.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.contains(id) {
            return Err(DUPLICATE_ID);
        }
        if ids.len() >= REQUESTS_IN_FLIGHT_MAX {
            return Err(BUSY);
        }
        ids.insert(id.to_owned());
        Ok(Place {
            in_flight: Arc::clone(in_flight),
            id: id.to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_flight
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

impl Inbox {
    /// The inbound side of `link`; greets it, unless its dialect wants it to speak first.
    pub(crate) fn new(gateway: Arc<Gateway>, link: Arc<Link>, hello: Json) -> Self {
        let mut inbox = Self {
            gateway,
            link,
            hello: Some(hello),
            in_flight: Arc::default(),
        };
        if inbox.link.outbox.dialect() == Dialect::V2 {
            inbox.greet();
        }
        inbox
    }

    fn greet(&mut self) {
        if let Some(hello) = self.hello.take() {
            self.link.greet(Frame::Event {
                kind: EventKind::Hello.name(),
                cursor: None,
                data: &hello,
            });
        }
    }

    /// Takes a binary message, of which there are none.
    pub(crate) fn receive_binary(&self) {
        self.refuse(None, NOT_TEXT);
    }

    /// Takes a text message; says if the connection must end for it, once what is queued is written.
    pub(crate) fn receive(&mut self, text: Utf8Bytes) -> Option<CloseReason> {
        if text.len() > MESSAGE_BYTES_MAX {
            self.refuse(id_of(&text), TOO_LARGE);
            return None;
        }
        if self.hello.is_some() {
            return self.receive_hello(&text);
        }
        match parse(text, self.link.outbox.dialect()) {
            Ok(request) => self.begin(request),
            Err(Rejected { id, failure }) => self.refuse(id, failure),
        }
        None
    }

    fn receive_hello(&mut self, text: &str) -> Option<CloseReason> {
        #[derive(Deserialize)]
        struct Hello {
            r#type: String,
            user: String,
        }
        match serde_json::from_str::<Hello>(text) {
            Ok(Hello { r#type, user }) if r#type == "hello" => {
                if user.parse::<Uuid>().ok() != Some(self.link.identity.user_id) {
                    self.refuse(None, FOREIGN_HELLO);
                    return Some(CloseReason::Forbidden);
                }
                self.greet();
            }
            _ => self.refuse(id_of(text), HELLO_FIRST),
        }
        None
    }

    fn begin(&self, request: Request) {
        self.gateway.requests.note(self.link.identity.user_id);
        #[cfg(feature = "mutants")]
        crate::mutant::requested(&self.link.identity);
        if request.token.is_some() {
            self.gateway.metrics.situation(Situation::PayloadToken).inc();
            #[cfg(feature = "mutants")]
            let is_believed = crate::mutant::payload_token::believes();
            #[cfg(not(feature = "mutants"))]
            let is_believed = false;
            if !is_believed {
                return self.refuse(Some(request.id), TOKEN_IN_REQUEST);
            }
        }
        let place = match InFlight::enter(&self.in_flight, &request.id) {
            Ok(place) => place,
            Err(failure) => return self.refuse(Some(request.id), failure),
        };
        let (gateway, link) = (Arc::clone(&self.gateway), Arc::clone(&self.link));
        // a request outlives its connection: what it stores is stored to the end
        let working = gateway.work.begin();
        tokio::spawn(async move {
            let _working = working;
            let identity = &link.identity;
            #[cfg(feature = "mutants")]
            let identity = &crate::mutant::identity(&gateway, &request, identity).await;
            let (gateway, link, request) = (&*gateway, &link, &request);
            let ask = Ask {
                gateway,
                link,
                identity,
                request,
            };
            answer(ask, place).await;
        });
    }

    fn refuse(&self, id: Option<String>, failure: Failure) {
        self.gateway.metrics.requests("none", failure.code.name()).inc();
        self.gateway.note_malformed(self.link.identity.user_id);
        #[cfg(feature = "mutants")]
        let failure = crate::mutant::error_echo::quoting(failure, &self.link.identity);
        self.link.outbox.send(Frame::Err {
            re: id.as_deref(),
            failure,
        });
    }
}
