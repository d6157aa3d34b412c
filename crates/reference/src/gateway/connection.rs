//! One connection, from its acceptance to its end.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::json as object;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::http::header;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::admission::{Admitted, admit};
use super::handshake::{Head, Refusal, acceptance, examine, read_head};
use super::inbox::Inbox;
use super::limits::{
    CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT, LINGER_BYTES_MAX, LINGER_TIMEOUT, OUTBOX_MESSAGES_MAX,
    READ_BUFFER_BYTES, RECEIVE_BYTES_MAX, WRITE_BATCH_MAX, WRITE_BUFFER_BYTES, WRITE_TIMEOUT,
};
use super::outbox::Outgoing;
use super::protocol::{CloseReason, Failure, Json, json};
use super::state::Gateway;
use crate::metrics::Situation;
use crate::places::Place;

/// What an upgrade led to.
enum Opened {
    Chat(Box<Admitted>),
    #[cfg(feature = "echo")]
    Echo,
}

/// Serves one connection to its end.
pub(crate) async fn serve(gateway: Arc<Gateway>, mut stream: TcpStream, place: Place) {
    let opened = timeout(HANDSHAKE_TIMEOUT, open(&gateway, &mut stream, &place)).await;
    let (opened, rest) = match opened {
        Ok(Ok(Some(opened))) => opened,
        Ok(Ok(None)) => return,
        Ok(Err(error)) => return tracing::debug!(%error, "a connection ended before its upgrade"),
        Err(_) => return tracing::debug!("a connection took too long to upgrade"),
    };
    let mut socket = WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config())).await;
    let reason = match opened {
        Opened::Chat(admitted) => match greeting(&gateway, &admitted) {
            Ok(hello) => converse(&gateway, &mut socket, *admitted, hello).await,
            Err(_) => Some(CloseReason::GoingAway),
        },
        #[cfg(feature = "echo")]
        Opened::Echo => super::echo::converse(&mut socket).await,
    };
    if reason == Some(CloseReason::SlowReader) {
        gateway.metrics.slow_readers().inc();
    }
    if let Err(error) = close(socket, reason).await {
        tracing::debug!(%error, "a connection was not closed in order");
    }
}

/// Answers the upgrade request; `None` if it was refused. With it comes what the client sent ahead.
async fn open(
    gateway: &Gateway,
    stream: &mut TcpStream,
    place: &Place,
) -> io::Result<Option<(Opened, Vec<u8>)>> {
    stream.set_nodelay(true)?;
    let head = tokio::select! {
        head = read_head(stream) => head?,
        () = place.evicted() => return Err(io::ErrorKind::ResourceBusy.into()),
    };
    if !place.work() {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    let Head { request, rest } = match head {
        Ok(head) => head,
        Err(refusal) => return refusal.answer(stream).await.map(|()| None),
    };
    #[cfg(feature = "mutants")]
    if crate::mutant::subprotocol_bypass::opens(&request) {
        let entered = crate::mutant::subprotocol_bypass::enter(gateway, &request, stream, rest).await?;
        return Ok(entered.map(|(admitted, rest)| (Opened::Chat(Box::new(admitted)), rest)));
    }
    let opened = async {
        #[cfg(feature = "echo")]
        if request.uri().path() == super::echo::PATH {
            return Ok((Opened::Echo, acceptance(&request, super::protocol::Dialect::V2)?));
        }
        let asked = examine(&request, &gateway.origins)?;
        let acceptance = acceptance(&request, asked.dialect)?;
        let admitted = admit(gateway, &asked).await?;
        Ok::<_, Refusal>((Opened::Chat(Box::new(admitted)), acceptance))
    };
    match opened.await {
        Ok((opened, acceptance)) => {
            stream.write_all(&acceptance).await?;
            Ok(Some((opened, rest)))
        }
        Err(refusal) => {
            if refusal == Refusal::UNAUTHORIZED && !request.headers().contains_key(header::AUTHORIZATION) {
                gateway.metrics.situation(Situation::AnonymousUpgrade).inc();
            }
            refusal.answer(stream).await.map(|()| None)
        }
    }
}

pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(RECEIVE_BYTES_MAX))
        .max_frame_size(Some(RECEIVE_BYTES_MAX))
}

fn greeting(gateway: &Gateway, admitted: &Admitted) -> Result<Json, Failure> {
    let identity = &admitted.link.identity;
    json(&object!({
        "user_id": identity.user_id,
        "tenant_id": identity.tenant_id,
        "session_id": identity.session_id,
        "replica": gateway.replica,
        "resume": admitted.resume,
    }))
}

/// What the socket is ready for.
enum Step {
    /// Messages are in the batch.
    Write,
    /// The client sent something; `None` if it is gone.
    Read(Option<Result<Message, Error>>),
}

/// Exchanges messages until one side ends it; says why, if it is this side.
async fn converse(
    gateway: &Arc<Gateway>,
    socket: &mut WebSocketStream<TcpStream>,
    admitted: Admitted,
    hello: Json,
) -> Option<CloseReason> {
    // the membership goes with the conversation, before the connection is closed
    let Admitted {
        link,
        membership: _membership,
        mut outgoing,
        expires,
        ..
    } = admitted;
    let ended = outgoing.ended();
    let mut ending = pin!(async move {
        tokio::select! {
            reason = ended => reason,
            () = sleep_until(expires) => CloseReason::TokenExpired,
        }
    });
    let mut inbox = Inbox::new(Arc::clone(gateway), link, hello);
    let mut batch = Vec::new();
    loop {
        // the end comes first: nothing is written or taken after it
        let step = tokio::select! {
            biased;
            reason = &mut ending => return Some(reason),
            step = next_step(socket, &mut outgoing, &mut batch) => step,
        };
        // what a ping is answered with is written before more is read: whoever does not take it is not read on
        let pinged = matches!(step, Step::Read(Some(Ok(Message::Ping(_)))));
        let after = match step {
            Step::Write => None,
            Step::Read(None) => return None,
            Step::Read(Some(Ok(Message::Text(text)))) => inbox.receive(text),
            Step::Read(Some(Ok(Message::Binary(_)))) => {
                inbox.receive_binary();
                None
            }
            Step::Read(Some(Ok(_))) => None,
            Step::Read(Some(Err(error))) => return fault(&error),
        };
        if after.is_some() {
            outgoing.take_now(&mut batch, OUTBOX_MESSAGES_MAX);
        }
        if pinged || !batch.is_empty() {
            let written = tokio::select! {
                biased;
                reason = &mut ending => return Some(reason),
                written = timeout(WRITE_TIMEOUT, write(socket, &mut batch)) => written,
            };
            match written {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some(CloseReason::SlowReader),
            }
        }
        if after.is_some() {
            return after;
        }
    }
}

async fn next_step(
    socket: &mut WebSocketStream<TcpStream>,
    outgoing: &mut Outgoing,
    batch: &mut Vec<Utf8Bytes>,
) -> Step {
    tokio::select! {
        _ = outgoing.take(batch, WRITE_BATCH_MAX) => Step::Write,
        message = socket.next() => Step::Read(message),
    }
}

async fn write(socket: &mut WebSocketStream<TcpStream>, batch: &mut Vec<Utf8Bytes>) -> Result<(), Error> {
    for text in batch.drain(..) {
        socket.feed(Message::Text(text)).await?;
    }
    socket.flush().await
}

/// Why a connection ends on which something was received that is no message.
pub(super) fn fault(error: &Error) -> Option<CloseReason> {
    match error {
        Error::Capacity(_) => Some(CloseReason::MessageTooBig),
        Error::Utf8(_) => Some(CloseReason::NotUtf8),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseReason::ProtocolError),
        _ => None,
    }
}

/// Says why, if it is this side that ends it, and gives the client time to read that.
async fn close(mut socket: WebSocketStream<TcpStream>, reason: Option<CloseReason>) -> Result<(), Error> {
    if let Some(reason) = reason {
        let closed = timeout(CLOSE_TIMEOUT, socket.close(Some(reason.frame()))).await;
        closed.unwrap_or(Err(Error::AlreadyClosed))?;
    }
    let mut stream = socket.into_inner();
    stream.shutdown().await?;
    // what is left unread would reset the connection and take the close frame with it
    let mut rest = stream.take(LINGER_BYTES_MAX);
    let _ = timeout(LINGER_TIMEOUT, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
    Ok(())
}
