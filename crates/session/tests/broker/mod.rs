//! A broker of lines: it speaks first, answers in order and without ids, sends its lines in pieces, wants to hear that its
//! clients live, and lets nobody near the subjects of another, unless it leaks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// How it says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// By an error.
    Error,
    /// By an error, after which the fence is answered.
    BeforeFence,
    /// By closing the connection.
    Close,
    /// Not at all.
    Leaks,
}

/// Who listens to a subject.
type Listeners = Arc<Mutex<HashMap<String, Vec<mpsc::UnboundedSender<String>>>>>;

/// Where it listens; it lives as long as this.
pub(crate) struct Broker {
    pub(crate) address: String,
    /// Heartbeats that have come.
    pub(crate) beats: Arc<AtomicU32>,
    _runtime: Runtime,
}

impl Broker {
    pub(crate) fn start(denial: Denial) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("loopback works");
        let beats = Arc::new(AtomicU32::new(0));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("loopback works");
        let address = listener.local_addr().expect("loopback works").to_string();
        let counted = Arc::clone(&beats);
        runtime.spawn(async move {
            let listeners = Listeners::default();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(
                    stream,
                    denial,
                    Arc::clone(&listeners),
                    Arc::clone(&counted),
                ));
            }
        });
        Self {
            address,
            beats,
            _runtime: runtime,
        }
    }
}

/// What comes of a line.
enum Said {
    Lines(String),
    Closed,
}

async fn serve(stream: TcpStream, denial: Denial, listeners: Listeners, beats: Arc<AtomicU32>) {
    let Ok(stream) = accept_async(stream).await else {
        return;
    };
    let (mut sink, mut messages) = stream.split();
    let (push, mut pushed) = mpsc::unbounded_channel::<String>();
    let _ = push.send("HELLO\n".to_owned());
    let writing = async move {
        while let Some(lines) = pushed.recv().await {
            // in the middle of a line, or of a letter
            let (head, tail) = lines.as_bytes().split_at(lines.len() / 2);
            for piece in [head, tail] {
                if sink.send(Message::binary(piece.to_vec())).await.is_err() {
                    return;
                }
            }
        }
        // whoever is not told stays connected
        let _ = sink.close().await;
    };
    let reading = async move {
        let mut name = None;
        while let Some(Ok(message)) = messages.next().await {
            let Ok(text) = message.to_text() else { return };
            let told = match text.split(' ').collect::<Vec<_>>()[..] {
                ["BEAT\n"] => {
                    beats.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                ["AUTH", user, key] if key == format!("key-of-{user}\n") => {
                    name = Some(user.to_owned());
                    Said::Lines("+\n".to_owned())
                }
                _ => said(text, name.as_deref(), denial, &listeners, &push).await,
            };
            match told {
                Said::Lines(lines) => drop(push.send(lines)),
                Said::Closed => return,
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
}

/// `SUB subject`, `PUB subject text`, or `SAY subject text`, whose answer holds the text, with a fence behind it where denials want one.
async fn said(
    line: &str,
    name: Option<&str>,
    denial: Denial,
    listeners: &Listeners,
    push: &mpsc::UnboundedSender<String>,
) -> Said {
    let mut words = line.trim_end().splitn(3, ' ');
    let (verb, subject, text) = (words.next(), words.next().unwrap_or_default(), words.next());
    let own = name.is_some_and(|name| subject.starts_with(&format!("{name}.")));
    if name.is_none() || (!own && denial != Denial::Leaks) {
        return match denial {
            Denial::Close => Said::Closed,
            Denial::BeforeFence => Said::Lines("-denied\n+\n".to_owned()),
            Denial::Error | Denial::Leaks => Said::Lines("-denied\n".to_owned()),
        };
    }
    let mut listeners = listeners.lock().await;
    let listening = listeners.entry(subject.to_owned()).or_default();
    match (verb, text) {
        (Some("SUB"), None) => listening.push(push.clone()),
        (Some("PUB" | "SAY"), text) => {
            let text = text.unwrap_or_default();
            let message = format!("MSG {}\n{text}\n", text.len());
            listening.retain(|one| one.send(message.clone()).is_ok());
            if verb == Some("SAY") {
                return Said::Lines(format!("+ {text}\n"));
            }
        }
        _ => return Said::Lines("-what\n".to_owned()),
    }
    Said::Lines("+\n".to_owned())
}
