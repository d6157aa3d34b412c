//! Small real servers that behave badly, each in a way of its own.
#![allow(dead_code, reason = "each test binary uses a part")]

mod attack;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

pub(crate) use attack::Attack;

/// How the gateway treats its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Upgrades and never says a word.
    Silent,
    /// Upgrades and closes.
    Closes,
    /// Answers everything with an error.
    Errors,
    /// Answers everything as if it had been cancelled.
    Cancels,
    /// Answers everybody alike, and gives out one thread id.
    SameForAll,
    /// As [`Self::SameForAll`], and serves a connection only when the one before it has ended.
    OneByOne,
    /// Breaks off in the middle of its first message.
    CutsOff,
    /// Means harm.
    Hostile(Attack),
}

/// The one id that it gives to everything.
const ONE_ID: &str = "00000000-0000-4000-8000-000000000001";

/// Where the servers listen; they live as long as this.
pub(crate) struct Servers {
    pub(crate) auth: String,
    pub(crate) gateway: String,
    posts: Arc<AtomicU32>,
    _runtime: Runtime,
}

impl Servers {
    pub(crate) fn start(manner: Manner) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("loopback works");
        let posts = Arc::new(AtomicU32::new(0));
        let (auth, gateway) = runtime.block_on(async {
            let (auth, gateway) = (bind().await, bind().await);
            let addresses = (
                auth.local_addr().expect("loopback works"),
                gateway.local_addr().expect("loopback works"),
            );
            tokio::spawn(serve_auth(auth, manner));
            tokio::spawn(serve_gateway(gateway, manner, Arc::clone(&posts)));
            addresses
        });
        Self {
            auth: format!("http://{auth}"),
            gateway: gateway.to_string(),
            posts,
            _runtime: runtime,
        }
    }

    /// Blocks until the gateway has been sent so many posts, at most for ten seconds.
    pub(crate) fn wait_for_posts(&self, count: u32) {
        for _ in 0..1_000 {
            if self.posts.load(Ordering::Relaxed) >= count {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("fewer than {count} posts came");
    }

    /// An address where nothing listens.
    pub(crate) fn nowhere() -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback works");
        listener.local_addr().expect("loopback works")
    }
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("loopback works")
}

/// Registers anybody and gives everybody a token of its own.
async fn serve_auth(listener: TcpListener, manner: Manner) {
    let count = Arc::new(AtomicU32::new(0));
    while let Ok((stream, _)) = listener.accept().await {
        match manner {
            Manner::Hostile(attack) if attack.is_on_auth() => tokio::spawn(attack::over_http(stream, attack)),
            _ => tokio::spawn(serve_http(stream, Arc::clone(&count))),
        };
    }
}

async fn serve_http(stream: TcpStream, count: Arc<AtomicU32>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut path, mut length, mut line) = (String::new(), 0, String::new());
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if path.is_empty() {
                path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("loopback works");
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("loopback works");
        let number = count.fetch_add(1, Ordering::Relaxed);
        let id = format!("00000000-0000-4000-9000-{number:012}");
        let answer = match path.as_str() {
            "/logout" => json!({}),
            "/register" | "/me" => json!({"user_id": id, "tenant_id": ONE_ID, "email": "e", "name": "n"}),
            _ => json!({
                "access_token": format!("access-token-number-{number:032}"),
                "refresh_token": format!("refresh-token-number-{number:032}"),
                "expires_in_s": 900, "session_id": id, "user_id": id, "tenant_id": ONE_ID,
            }),
        };
        let answer = answer.to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all((head + &answer).as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn serve_gateway(listener: TcpListener, manner: Manner, posts: Arc<AtomicU32>) {
    let turn = Arc::new(Mutex::new(()));
    while let Ok((stream, _)) = listener.accept().await {
        let (turn, posts) = (Arc::clone(&turn), Arc::clone(&posts));
        tokio::spawn(async move {
            let guard = turn.lock().await;
            if manner == Manner::OneByOne {
                serve_socket(stream, manner, &posts).await;
                drop(guard);
            } else {
                drop(guard);
                serve_socket(stream, manner, &posts).await;
            }
        });
    }
}

#[expect(clippy::result_large_err, reason = "the shape is the library's")]
fn subprotocol(
    request: &Request,
    mut response: Response,
) -> Result<Response, tokio_tungstenite::tungstenite::handshake::server::ErrorResponse> {
    if let Some(asked) = request.headers().get("sec-websocket-protocol") {
        response
            .headers_mut()
            .insert("sec-websocket-protocol", asked.clone());
    }
    Ok(response)
}

async fn serve_socket(stream: TcpStream, manner: Manner, posts: &AtomicU32) {
    if let Manner::Hostile(attack) = manner {
        return attack::over_websocket(stream, attack).await;
    }
    let Ok(mut socket) = accept_hdr_async(stream, subprotocol).await else {
        return;
    };
    if manner == Manner::Closes {
        let _ = socket.close(None).await;
        return;
    }
    if manner == Manner::CutsOff {
        // a text frame of 32 bytes, of which 12 come
        let _ = socket.get_mut().write_all(b"\x81\x20{\"ev\":\"cut o").await;
        return;
    }
    if manner != Manner::Silent {
        let hello = json!({"ev": "hello", "cursor": null, "data": {"user_id": ONE_ID, "resume": "r"}});
        let _ = socket.send(Message::text(hello.to_string())).await;
    }
    while let Some(Ok(message)) = socket.next().await {
        let Ok(text) = message.to_text() else { continue };
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            continue;
        };
        posts.fetch_add(u32::from(request["op"] == "message.post"), Ordering::Relaxed);
        for answer in answers(&request, manner) {
            if socket.send(Message::text(answer.to_string())).await.is_err() {
                return;
            }
        }
    }
}

fn answers(request: &Value, manner: Manner) -> Vec<Value> {
    let id = &request["id"];
    match manner {
        Manner::Silent | Manner::Closes | Manner::CutsOff | Manner::Hostile(_) => Vec::new(),
        Manner::Errors => vec![json!({"re": id, "err": {"code": "internal", "message": "no"}})],
        Manner::Cancels => vec![json!({"re": id, "err": {"code": "cancelled", "message": "no"}})],
        Manner::SameForAll | Manner::OneByOne if request["op"] == "message.post" => vec![
            json!({"re": id, "ack": {"thread_id": ONE_ID, "seq": 1}}),
            json!({"re": id, "delta": {"n": 0, "text": "the same for all"}}),
            json!({"re": id, "done": {"thread_id": ONE_ID, "seq": 2, "chars": 16}}),
        ],
        Manner::SameForAll | Manner::OneByOne => {
            vec![
                json!({"re": id, "ok": {"thread_id": ONE_ID, "room_id": ONE_ID, "user_id": ONE_ID, "cancelled": true}}),
            ]
        }
    }
}
