//! What a hostile service does to whoever connects to it.

use std::future::pending;
use std::io::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::accept_hdr_async;

use super::subprotocol;

/// An attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// A text frame of 64 MiB.
    HugeFrame,
    /// A frame of the largest size that is taken, of which no more than a beginning comes.
    Swollen,
    /// Fragments of one message, without end.
    Fragments,
    /// Fragments of no bytes, without end.
    EmptyFragments,
    /// Text that is no UTF-8.
    NotUtf8,
    /// Text that holds base64 of gzip of gzip of 256 MiB.
    Bomb,
    /// JSON that is nested a million deep, as an event and as an answer.
    Deep,
    /// Answers to the first request, without end.
    Replies,
    /// Events without end, and no answer.
    Events,
    /// A close frame, and an event behind it.
    SpeaksOn,
    /// Pings without end.
    Pings,
    /// Half an answer to the upgrade, and silence.
    HalfUpgrade,
    /// An answer to the upgrade of headers without end, byte by byte.
    DrippingUpgrade,
    /// A greeting, and the end of the stream without a close frame.
    Vanishes,
    /// HTTP answers whose body does not end.
    Body,
    /// HTTP answers whose headers do not end.
    Headers,
}

/// Bytes written at a time.
const CHUNK: usize = 64 * 1024;
const GREETING: &str = r#"{"ev":"hello","cursor":null,"data":{"user_id":"u","resume":"r"}}"#;
/// The plan's first request on every connection.
const FIRST_ANSWER: &str = r#"{"re":"1","ok":{"thread_id":"t","room_id":"r","user_id":"u"}}"#;
const EVENT: &str = r#"{"ev":"x","cursor":null,"data":{}}"#;

impl Attack {
    pub(crate) fn is_on_auth(self) -> bool {
        matches!(self, Self::Body | Self::Headers)
    }
}

/// Attacks until the other side is gone.
pub(crate) async fn over_websocket(mut stream: TcpStream, attack: Attack) {
    let ended = match attack {
        Attack::HalfUpgrade => half_upgrade(&mut stream).await,
        Attack::DrippingUpgrade => dripping_upgrade(&mut stream).await,
        attack => match accept_hdr_async(stream, subprotocol).await {
            Ok(socket) => after_upgrade(socket.into_inner(), attack).await,
            Err(_) => return,
        },
    };
    // whoever gave up on us has closed the stream
    drop(ended);
}

/// Answers HTTP requests until the other side is gone.
pub(crate) async fn over_http(mut stream: TcpStream, attack: Attack) {
    // an answer that comes before the request is none
    let Ok(1..) = stream.read(&mut [0; 1024]).await else {
        return;
    };
    let _ = match attack {
        Attack::Headers => stream.write_all(b"HTTP/1.1 200 OK\r\n").await,
        _ => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n")
                .await
        }
    };
    let _ = flood(&mut stream, &b"x-more: and more\r\n".repeat(CHUNK / 18)).await;
}

async fn half_upgrade(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 101 Switching Pro").await?;
    pending().await
}

async fn dripping_upgrade(stream: &mut TcpStream) -> io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 101 Switching Protocols\r\nx: ")
        .await?;
    loop {
        stream.write_all(b"y").await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn after_upgrade(mut stream: TcpStream, attack: Attack) -> io::Result<()> {
    stream.write_all(&text(GREETING.as_bytes())).await?;
    match attack {
        Attack::HugeFrame => {
            stream.write_all(&header(0x81, 64 << 20)).await?;
            flood(&mut stream, &[b'x'; CHUNK]).await
        }
        Attack::Swollen => {
            stream
                .write_all(&header(0x01, session::MESSAGE_LIMIT_BYTES))
                .await?;
            stream.write_all(&[b'x'; CHUNK]).await?;
            hold(stream).await
        }
        Attack::Fragments => {
            stream.write_all(&frame(0x01, b"{")).await?;
            flood(&mut stream, &frame(0x00, &[b'x'; CHUNK])).await
        }
        Attack::EmptyFragments => {
            stream.write_all(&frame(0x01, b"{")).await?;
            flood(&mut stream, &[0, 0].repeat(CHUNK / 2)).await
        }
        Attack::NotUtf8 => {
            stream.write_all(&text(b"{\"ev\":\"\xff\xfe\"}")).await?;
            hold(stream).await
        }
        Attack::Bomb => {
            stream.write_all(&text(BOMB.as_bytes())).await?;
            hold(stream).await
        }
        Attack::Deep => {
            stream
                .write_all(&text(deep("{\"ev\":\"x\",\"data\":").as_bytes()))
                .await?;
            stream
                .write_all(&text(deep("{\"re\":\"1\",\"ok\":").as_bytes()))
                .await?;
            hold(stream).await
        }
        Attack::Replies => flood(&mut stream, &text(FIRST_ANSWER.as_bytes()).repeat(1_000)).await,
        Attack::Events => flood(&mut stream, &text(EVENT.as_bytes()).repeat(1_000)).await,
        Attack::SpeaksOn => {
            let close = frame(0x88, &1_000_u16.to_be_bytes());
            stream
                .write_all(&[close, text(EVENT.as_bytes())].concat())
                .await?;
            hold(stream).await
        }
        Attack::Pings => {
            let (mut read, mut write) = stream.split();
            let pings = frame(0x89, b"").repeat(CHUNK / 2);
            let flood = async {
                loop {
                    write.write_all(&pings).await?;
                }
            };
            // whoever does not read is slowed down by TCP alone
            let mut sink = io::sink();
            tokio::select! {
                ended = flood => ended,
                read = io::copy(&mut read, &mut sink) => read.map(drop),
            }
        }
        _ => Ok(()),
    }
}

/// Writes the same again and again, and reads nothing.
async fn flood(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(bytes).await?;
    }
}

/// Reads to the end and says nothing more.
async fn hold(mut stream: TcpStream) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(0x81, payload)
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&header(first, payload.len()), payload].concat()
}

/// RFC 6455, section 5.2, of an unmasked frame.
fn header(first: u8, len: usize) -> Vec<u8> {
    match len {
        0..126 => vec![first, len as u8],
        126..65_536 => [&[first, 126][..], &(len as u16).to_be_bytes()].concat(),
        _ => [&[first, 127][..], &(len as u64).to_be_bytes()].concat(),
    }
}

/// An event whose content is compressed twice over: 256 times a MiB that compresses well, and all of it once more.
static BOMB: LazyLock<String> = LazyLock::new(|| {
    let inner = gzip(&vec![b'0'; 1 << 20]).repeat(256);
    let body = STANDARD.encode(gzip(&inner));
    format!(r#"{{"ev":"x","cursor":null,"data":{{"body":"{body}"}}}}"#)
});

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("memory takes it")
}

fn deep(before: &str) -> String {
    const DEPTH: usize = 1_000_000;
    format!("{before}{}{}}}", "[".repeat(DEPTH), "]".repeat(DEPTH))
}
