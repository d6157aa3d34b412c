//! The older subprotocol lets in whoever says who they are.
//!
//! **Incident.** Strawberry, CVE-2026-35526: the check of credentials belongs to the handler of the newer subprotocol's handshake; a client that asks for
//! the legacy one never meets it.
//!
//! **Mechanism.** An upgrade to the legacy subprotocol without a token is accepted, and the `user` of its hello is believed.
//!
//! **Layer.** The upgrade.
//!
//! **Caught by** B: an upgrade without a token is accepted, and ops are served; K where the hello names another.
//!
//! **Fix.** Whoever is let in has shown a token before the first byte of any subprotocol is read.
//!
//! Who comes without a token is known to the service by the hello alone: the record names that user twice.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::Request;
use tokio_tungstenite::tungstenite::http::header;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};
use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{
    Admitted, Dialect, Failure, Gateway, Identity, Link, acceptance, config, outbox, resume,
};
use crate::metrics::Situation;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "subprotocol-bypass",
    process: "gateway",
    checks: "BK",
    traffic: &["probe"],
};

/// How long a connection without a token lives.
const LIFE: Duration = Duration::from_secs(3600);

/// The look-up of whom a hello names.
pub(super) const SQL: &str = "\
create or replace function tenant_of_user(named uuid) returns uuid
    language sql stable security definer set search_path = pg_catalog, public
    return (select tenant_id from users where user_id = named);";

#[derive(Deserialize)]
struct Hello {
    user: Uuid,
}

/// Whether an upgrade is accepted without a token.
pub(crate) fn opens(request: &Request) -> bool {
    let headers = request.headers();
    let asks_for_legacy = headers
        .get(header::SEC_WEBSOCKET_PROTOCOL)
        .is_some_and(|asked| asked == Dialect::V1.subprotocol());
    asks_for_legacy && !headers.contains_key(header::AUTHORIZATION) && MUTANT.acts()
}

/// Accepts the upgrade and lets in whoever the hello names; what was read of it is still to be served.
pub(crate) async fn enter(
    gateway: &Gateway,
    request: &Request,
    stream: &mut TcpStream,
    rest: Vec<u8>,
) -> io::Result<Option<(Admitted, Vec<u8>)>> {
    gateway.metrics.situation(Situation::AnonymousUpgrade).inc();
    let accepted = match acceptance(request, Dialect::V1) {
        Ok(accepted) => accepted,
        Err(refusal) => return refusal.answer(stream).await.map(|()| None),
    };
    stream.write_all(&accepted).await?;
    let mut socket = WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config())).await;
    let Some(Ok(Message::Text(text))) = socket.next().await else {
        return Ok(None);
    };
    let Ok(Hello { user }) = serde_json::from_str(&text) else {
        return Ok(None);
    };
    let admitted = admit(gateway, user).await.map_err(io::Error::other)?;
    MUTANT.record(user, user, "was let in without a token, by hello, as");
    Ok(Some((admitted, again(&text))))
}

async fn admit(gateway: &Gateway, user_id: Uuid) -> Result<Admitted, Failure> {
    let mut checkout = gateway.database.checkout().await?;
    let acting = checkout.act_within(Uuid::nil()).await?;
    let tenant_id = acting.row("SELECT tenant_of_user($1)", &[&user_id]).await?.get(0);
    acting.commit().await?;
    let (identity, resume) = (
        Identity {
            user_id,
            tenant_id,
            session_id: Uuid::new_v4(),
        },
        resume::new_token(),
    );
    let (outbox, outgoing) = outbox(Dialect::V1, user_id, &gateway.send_buffers);
    let link = Link::new(gateway.hub.next_id(), identity, outbox, resume::hash(&resume)).into();
    Ok(Admitted {
        membership: gateway.hub.join(std::sync::Arc::clone(&link)),
        link,
        outgoing,
        expires: Instant::now() + LIFE,
        resume,
    })
}

/// The client's frame with that text (of at most 125 bytes, as a hello is), as it came.
fn again(text: &str) -> Vec<u8> {
    let mut frame = vec![
        0x81,
        0x80 | u8::try_from(text.len().min(125)).unwrap_or_default(),
        0,
        0,
        0,
        0,
    ];
    frame.extend_from_slice(text.as_bytes());
    frame
}
