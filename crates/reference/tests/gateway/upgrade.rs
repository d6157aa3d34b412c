//! What is refused before the upgrade, and the two dialects after it.

use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

use crate::client::{Client, upgrade};
use crate::stack::{ORIGIN, Stack, string};

async fn check(addr: &str, headers: &[(&str, &str)], expect: Result<Option<&str>, u16>) {
    let answer = match connect_async(upgrade(addr, headers)).await {
        Ok((_, response)) => Ok(response.headers().get("sec-websocket-protocol").cloned()),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{headers:?}: {error}"),
    };
    let spoken = answer
        .as_ref()
        .map(|name| name.as_ref().map(|name| name.to_str().expect("text")));
    assert_eq!(spoken.map_err(|status| *status), expect, "{headers:?}");
}

#[tokio::test]
async fn the_upgrade_wants_a_token_a_known_origin_and_a_known_subprotocol() {
    let stack = Stack::start().await;
    let account = stack.register("one", "red").await;
    let login = stack.login(&account, None).await;
    let addr = stack.gateways[0].addr();
    let bearer = format!("Bearer {}", login.token);
    let token = ("Authorization", bearer.as_str());
    let subprotocol = |name| ("Sec-WebSocket-Protocol", name);
    check(addr, &[token], Ok(None)).await;
    check(addr, &[token, ("Origin", ORIGIN)], Ok(None)).await;
    check(addr, &[token, subprotocol("chat.v2")], Ok(Some("chat.v2"))).await;
    check(addr, &[token, subprotocol("chat.v1")], Ok(Some("chat.v1"))).await;
    check(addr, &[token, subprotocol("chat.v3")], Err(400)).await;
    check(addr, &[token, ("Origin", "https://evil.example")], Err(403)).await;
    check(addr, &[], Err(401)).await;
    for subprotocol in ["chat.v1", "chat.v2"] {
        check(addr, &[("Sec-WebSocket-Protocol", subprotocol)], Err(401)).await;
    }
    // in the middle of the signature: the last character alone may decode to the same bytes, or be the same
    let middle = login.token.len() - 43;
    let other = if login.token.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    let mut forged = bearer.clone();
    forged.replace_range(7 + middle..=7 + middle, other);
    check(addr, &[("Authorization", &forged)], Err(401)).await;
    let (head, rest) = login.token.split_once('.').expect("a token has parts");
    let (_, signature) = rest.split_once('.').expect("a token has three parts");
    check(
        addr,
        &[("Authorization", &format!("Bearer {head}..{signature}"))],
        Err(401),
    )
    .await;
    if !cfg!(feature = "echo") {
        let mut echo = upgrade(addr, &[token]);
        *echo.uri_mut() = format!("ws://{addr}/echo").parse().expect("a URL");
        match connect_async(echo).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status().as_u16(), 404),
            other => panic!("a clean build has an echo: {other:?}"),
        }
    }
    assert!(stack.gateways[0].operator("/health").await.0 == 200);
    let missing = reqwest::get(format!("http://{addr}/nothing"))
        .await
        .expect("it answers");
    assert_eq!(missing.status().as_u16(), 404);
    let plain = reqwest::Client::new()
        .get(format!("http://{addr}/ws"))
        .bearer_auth(&login.token);
    assert_eq!(plain.send().await.expect("it answers").status().as_u16(), 400);
}

impl Client {
    async fn ask_v1(&mut self, request: Value) -> Value {
        let id = request["id"].clone();
        self.send(request.to_string()).await;
        self.find(|frame| frame["id"] == id && !["ack", "delta"].contains(&string(&frame["type"]).as_str()))
            .await
    }
}

#[tokio::test]
async fn the_older_dialect_does_the_same() {
    let stack = Stack::start().await;
    let account = stack.register("one", "red").await;
    let login = stack.login(&account, None).await;
    let mut client = Client::connect_silent(stack.gateways[0].addr(), &login.token, "chat.v1").await;
    let early = client.ask_v1(json!({ "type": "whoami", "id": "1" })).await;
    assert_eq!(
        (&early["type"], &early["code"]),
        (&json!("error"), &json!("bad_request"))
    );
    client
        .send(json!({ "type": "hello", "user": account.user_id }).to_string())
        .await;
    let hello = client.find(|frame| frame["name"] == "hello").await;
    assert_eq!(
        (&hello["type"], &hello["data"]["user_id"]),
        (&json!("event"), &json!(account.user_id))
    );
    let created = client
        .ask_v1(json!({ "type": "thread.create", "id": "2", "title": "t" }))
        .await;
    let thread_id = string(&created["data"]["thread_id"]);
    let subscribe = json!({ "type": "thread.subscribe", "id": "3", "thread_id": thread_id });
    assert_eq!(
        client.ask_v1(subscribe).await,
        json!({ "type": "result", "id": "3", "data": {} })
    );
    let post =
        json!({ "type": "message.post", "id": "4", "thread_id": thread_id, "body": "b", "nonce": "n" });
    let done = client.ask_v1(post).await;
    assert_eq!((&done["type"], &done["data"]["seq"]), (&json!("done"), &json!(2)));
    let acked = client.find(|frame| frame["type"] == "ack").await;
    assert_eq!(acked["data"], json!({ "thread_id": thread_id, "seq": 1 }));
    let delta = client.find(|frame| frame["type"] == "delta").await;
    assert_eq!((&delta["id"], &delta["n"]), (&json!("4"), &json!(0)));
    let event = client.find(|frame| frame["name"] == "thread.message").await;
    assert!(event["cursor"].is_i64(), "{event}");
    let foreign = json!({ "type": "thread.read", "id": "5", "thread_id": account.user_id });
    assert_eq!(client.ask_v1(foreign).await["code"], "not_found");
    client.close().await;
}

#[tokio::test]
async fn an_older_client_cannot_claim_to_be_somebody_else() {
    let stack = Stack::start().await;
    let (victim, _, _) = stack.enter("victim", "red", 0).await;
    let account = stack.register("one", "red").await;
    let login = stack.login(&account, None).await;
    let mut client = Client::connect_silent(stack.gateways[0].addr(), &login.token, "chat.v1").await;
    client
        .send(json!({ "type": "hello", "user": victim.user_id }).to_string())
        .await;
    let (code, frames) = client.closed().await;
    assert_eq!(code, Some(4403));
    assert_eq!(frames.len(), 1);
    assert_eq!(
        (&frames[0]["code"], &frames[0]["id"]),
        (&json!("forbidden"), &Value::Null)
    );
}
