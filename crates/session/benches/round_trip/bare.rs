//! The bare client: as little as a load tester on tokio-tungstenite can do, which is to send, to receive, and to time each round trip
//! into one histogram.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use hdrhistogram::Histogram;
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
/// Longest round trip that is told from longer ones, in microseconds, and digits of those that are.
const LONGEST_US: u64 = 60_000_000;
const DIGITS: u8 = 3;

/// What it is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// `host:port`.
    pub(crate) gateway: String,
    pub(crate) users: usize,
    pub(crate) slice_ms: u64,
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
    let times = Arc::new(Mutex::new(Histogram::new_with_max(LONGEST_US, DIGITS)?));
    let mut users = Vec::new();
    for _ in 0..order.users {
        let socket = connect(&order.gateway).await?;
        let (barrier, order, times) = (Arc::clone(&barrier), order.clone(), Arc::clone(&times));
        users.push(tokio::spawn(async move {
            barrier.wait().await;
            ask(socket, &order, &times).await
        }));
    }
    barrier.wait().await;
    let begin = Mark::now();
    for user in users {
        user.await??;
    }
    let spent = begin.until(Mark::now());
    let times = times.lock().map_err(|_| anyhow!("a user panicked"))?;
    let round_trips = times.len();
    Ok(Done { round_trips, spent })
}

async fn connect(gateway: &str) -> Result<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(gateway).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let (socket, _) = client_async_with_config(format!("ws://{gateway}/"), stream, Some(config)).await?;
    Ok(socket)
}

async fn ask(
    mut socket: WebSocketStream<TcpStream>,
    order: &Order,
    times: &Mutex<Histogram<u64>>,
) -> Result<()> {
    let until = Instant::now() + Duration::from_millis(order.slice_ms);
    for number in 0.. {
        let begin = Instant::now();
        if begin >= until {
            break;
        }
        socket.send(Message::text(order.frame.bare(number))).await?;
        let answer = socket.next().await.context("the server has gone")??;
        ensure!(answer.is_text(), "no text came back");
        let us = u64::try_from(begin.elapsed().as_micros())?;
        times
            .lock()
            .map_err(|_| anyhow!("another user panicked"))?
            .record(us)?;
    }
    Ok(())
}
