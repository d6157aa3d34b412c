//! The bare client: as little as tokio-tungstenite can do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::cpu::{self, Mark, Spent};
use crate::target::Frame;

pub(crate) const ROLE: &str = "bare";
const READ_BUFFER_BYTES: usize = 4096;

/// What it is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// `host:port`.
    pub(crate) gateway: String,
    pub(crate) users: usize,
    pub(crate) seconds: u64,
    pub(crate) frame: Frame,
}

/// What it did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) round_trips: u64,
    pub(crate) spent: Spent,
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(order: &Order) -> Result<Done> {
    cpu::stay_on(super::harness::CPU)?;
    let barrier = Arc::new(Barrier::new(order.users + 1));
    let mut users = Vec::new();
    for _ in 0..order.users {
        let socket = connect(&order.gateway).await?;
        let (barrier, order) = (Arc::clone(&barrier), order.clone());
        users.push(tokio::spawn(async move {
            barrier.wait().await;
            ask(socket, &order).await
        }));
    }
    barrier.wait().await;
    let begin = Mark::now();
    let mut round_trips = 0;
    for user in users {
        round_trips += user.await??;
    }
    let spent = begin.until(Mark::now());
    Ok(Done { round_trips, spent })
}

async fn connect(gateway: &str) -> Result<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(gateway).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let (socket, _) = client_async_with_config(format!("ws://{gateway}/"), stream, Some(config)).await?;
    Ok(socket)
}

async fn ask(mut socket: WebSocketStream<TcpStream>, order: &Order) -> Result<u64> {
    let until = Instant::now() + Duration::from_secs(order.seconds);
    let mut round_trips = 0;
    while Instant::now() < until {
        socket.send(Message::text(order.frame.bare(round_trips))).await?;
        let answer = socket.next().await.context("the server has gone")??;
        ensure!(answer.is_text(), "no text came back");
        round_trips += 1;
    }
    Ok(round_trips)
}
