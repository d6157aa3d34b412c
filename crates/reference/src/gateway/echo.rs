//! An endpoint that says what it is told, through the same listener, limits and framing as the chat: what tests of the
//! WebSocket layer talk to. Only builds with the feature `echo` have it; it asks for no token and touches no data.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::connection::fault;
use super::limits::WRITE_TIMEOUT;
use super::protocol::CloseReason;

/// Where it is.
pub(super) const PATH: &str = "/echo";

/// Sends every message back until one side ends it; says why, if it is this side.
pub(super) async fn converse(socket: &mut WebSocketStream<TcpStream>) -> Option<CloseReason> {
    while let Some(received) = socket.next().await {
        let written = match received {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                timeout(WRITE_TIMEOUT, socket.send(message)).await
            }
            Ok(_) => timeout(WRITE_TIMEOUT, socket.flush()).await,
            Err(error) => return fault(&error),
        };
        match written {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return None,
            Err(_) => return Some(CloseReason::SlowReader),
        }
    }
    None
}
