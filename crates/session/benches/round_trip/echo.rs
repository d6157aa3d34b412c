//! Sends back whatever comes in: WebSocket messages, and bodies of HTTP requests.

use std::io::Read as _;
use std::process::exit;

use anyhow::Result;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;

use crate::{child, cpu};

pub(crate) const ROLE: &str = "echo";
/// The clients have the other one.
const CPU: usize = 0;

/// Where it listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Echo {
    /// `host:port` of WebSockets.
    pub(crate) gateway: String,
    /// Base URL of HTTP.
    pub(crate) auth: String,
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn serve() -> Result<()> {
    cpu::stay_on(CPU)?;
    cpu::raise_open_files()?;
    std::thread::spawn(|| {
        // nothing comes but the end, when whoever started this has ended
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        exit(0);
    });
    let [gateway, auth] = [
        TcpListener::bind("127.0.0.1:0").await?,
        TcpListener::bind("127.0.0.1:0").await?,
    ];
    child::answer(&Echo {
        gateway: gateway.local_addr()?.to_string(),
        auth: format!("http://{}", auth.local_addr()?),
    })?;
    tokio::spawn(accept(auth, |stream| async {
        // a client that goes is none of the server's business
        let _ = http(stream).await;
    }));
    accept(gateway, web_socket).await
}

async fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F) -> Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

async fn web_socket(stream: TcpStream) {
    let Ok(mut socket) = accept_async(stream).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        let data = message.is_text() || message.is_binary();
        if data && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Answers each request with its own body.
async fn http(stream: TcpStream) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        line.clear();
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
        let head = answer.len();
        answer.resize(head + length, 0);
        stream.read_exact(&mut answer[head..]).await?;
        stream.write_all(&answer).await?;
    }
}
