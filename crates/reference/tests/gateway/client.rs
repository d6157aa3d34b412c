//! A client of the gateway, for `chat.v2` and `chat.v1`.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Request};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::stack::{PATIENCE, string};

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Frames that were received while others were waited for.
    waiting: VecDeque<Value>,
    requests: u64,
    pub(crate) hello: Value,
}

/// An upgrade request with further headers.
pub(crate) fn upgrade(addr: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = format!("ws://{addr}/ws").into_client_request().expect("a URL");
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a header's name");
        request
            .headers_mut()
            .insert(name, HeaderValue::from_str(value).expect("a header's value"));
    }
    request
}

impl Client {
    pub(crate) async fn connect(addr: &str, token: &str) -> Self {
        let mut client = Self::connect_silent(addr, token, "chat.v2").await;
        client.hello = client.event("hello").await["data"].clone();
        client
    }

    /// Connects and waits for nothing.
    pub(crate) async fn connect_silent(addr: &str, token: &str, subprotocol: &str) -> Self {
        Self::try_connect(addr, Some(token), subprotocol)
            .await
            .expect("the upgrade is accepted")
    }

    /// Connects, if one is let in, and waits for nothing.
    pub(crate) async fn try_connect(addr: &str, token: Option<&str>, subprotocol: &str) -> Option<Self> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let bearer = bearer.as_deref().map(|bearer| ("Authorization", bearer));
        let headers: Vec<_> = bearer
            .into_iter()
            .chain([("Sec-WebSocket-Protocol", subprotocol)])
            .collect();
        let (socket, _) = connect_async(upgrade(addr, &headers)).await.ok()?;
        Some(Self {
            socket,
            waiting: VecDeque::new(),
            requests: 0,
            hello: Value::Null,
        })
    }

    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.socket
            .send(Message::text(text.into()))
            .await
            .expect("the connection takes it");
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.expect("the connection takes it");
    }

    /// Sends a request and returns its id.
    pub(crate) async fn request(&mut self, op: &str, arguments: Value) -> String {
        self.requests += 1;
        let id = format!("r{}", self.requests);
        self.request_as(&id, op, arguments).await;
        id
    }

    pub(crate) async fn request_as(&mut self, id: &str, op: &str, mut arguments: Value) {
        arguments["id"] = id.into();
        arguments["op"] = op.into();
        self.send(arguments.to_string()).await;
    }

    /// The next frame off the socket; the close code if that is what comes.
    pub(crate) async fn receive(&mut self) -> Result<Value, Option<u16>> {
        let text = self.receive_text().await?;
        Ok(serde_json::from_str(&text).expect("JSON"))
    }

    /// The next frame, whatever it is.
    pub(crate) async fn receive_text(&mut self) -> Result<String, Option<u16>> {
        loop {
            match timeout(PATIENCE, self.socket.next())
                .await
                .expect("something comes in time")
            {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                None | Some(Err(Error::ConnectionClosed)) => return Err(None),
                Some(Err(error)) => panic!("the connection failed: {error}"),
            }
        }
    }

    /// The first frame, waiting or to come, that is wanted; others are kept.
    pub(crate) async fn find(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&is_wanted) {
            return self.waiting.remove(at).expect("it is there");
        }
        loop {
            match self.receive().await {
                Ok(frame) if is_wanted(&frame) => return frame,
                Ok(frame) => self.waiting.push_back(frame),
                Err(code) => panic!(
                    "closed with {code:?} before the frame came; there were {:?}",
                    self.waiting
                ),
            }
        }
    }

    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        self.find(|frame| frame["ev"] == kind).await
    }

    /// The frames of the answer to a request, to its last.
    pub(crate) async fn answer(&mut self, id: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.find(|frame| frame["re"] == id).await;
            let is_last = ["ok", "err", "done"].iter().any(|key| frame.get(key).is_some());
            frames.push(frame);
            if is_last {
                return frames;
            }
        }
    }

    /// Asks and waits: what is `ok`, or the code of the error.
    pub(crate) async fn ask(&mut self, op: &str, arguments: Value) -> Result<Value, String> {
        let id = self.request(op, arguments).await;
        let last = self.answer(&id).await.pop().expect("a last frame");
        match last.get("err") {
            Some(error) => Err(string(&error["code"])),
            None => Ok(last.get("ok").or(last.get("done")).cloned().expect("ok or done")),
        }
    }

    #[track_caller]
    pub(crate) fn ok(&mut self, op: &str, arguments: Value) -> impl Future<Output = Value> {
        let op = op.to_owned();
        async move {
            self.ask(&op, arguments)
                .await
                .unwrap_or_else(|code| panic!("{op} failed: {code}"))
        }
    }

    /// Waits for the end; its code, and the frames that came before it.
    pub(crate) async fn closed(&mut self) -> (Option<u16>, Vec<Value>) {
        let mut frames: Vec<Value> = self.waiting.drain(..).collect();
        loop {
            match self.receive().await {
                Ok(frame) => frames.push(frame),
                Err(code) => return (code, frames),
            }
        }
    }

    /// Takes in the answer to a request of that id to its last frame: the pieces of the reply, joined, and the last frame.
    pub(crate) async fn reply(&mut self, id: &str) -> (String, Value) {
        let mut frames = self.answer(id).await;
        let last = frames.pop().expect("a last frame");
        let pieces = frames.iter().filter_map(|frame| frame["delta"]["text"].as_str());
        (pieces.collect(), last)
    }

    /// Everything that was received up to now: a fence is asked for, and what came before it is returned.
    pub(crate) async fn all_until_now(&mut self) -> Vec<Value> {
        self.ok("room.list", json!({})).await;
        self.waiting.drain(..).collect()
    }

    pub(crate) async fn thread(&mut self, title: &str) -> String {
        string(&self.ok("thread.create", json!({ "title": title })).await["thread_id"])
    }

    pub(crate) async fn room(&mut self, name: &str) -> String {
        string(&self.ok("room.create", json!({ "name": name })).await["room_id"])
    }

    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.expect("it closes");
        self.closed().await;
    }
}
