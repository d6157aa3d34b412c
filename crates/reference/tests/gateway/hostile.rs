//! Clients that hold on to what they can get: the others are served all the same.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, upgrade};
use crate::stack::{PATIENCE, Stack, poll, string};

/// Connections that each process takes, and many more that are made.
const PLACES: &str = "16";
const ATTACKERS: usize = 80;

async fn small_stack() -> Stack {
    let places = ["--connections-max", PLACES];
    Stack::start_all_with(&places, &places).await
}

/// Connections to `addr` that have sent `head` and no more.
async fn hold(addr: &str, head: &str) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..ATTACKERS {
        let mut stream = TcpStream::connect(addr).await.expect("it takes connections");
        stream.write_all(head.as_bytes()).await.expect("it is sent");
        held.push(stream);
    }
    held
}

/// A new user registers, logs in, connects and is answered.
async fn is_served(stack: &Stack, name: &str) {
    let (_, _, mut client) = stack.enter(name, "red", 0).await;
    client.ok("whoami", json!({})).await;
    client.close().await;
}

#[tokio::test]
async fn handshakes_that_never_end_keep_nobody_out() {
    let stack = small_stack().await;
    let (gateway, auth) = (stack.gateways[0].addr(), stack.auth.addr());
    let silent = (hold(gateway, "").await, hold(auth, "").await);
    is_served(&stack, "one").await;
    let half = "GET /ws HTTP/1.1\r\nhost: x\r\nx-a: b\r\nx-c";
    let slow = (hold(gateway, half).await, hold(auth, half).await);
    is_served(&stack, "two").await;
    drop((silent, slow));
}

#[tokio::test]
async fn whoever_is_served_is_not_thrown_out_for_the_next() {
    let stack = small_stack().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    let held = hold(stack.gateways[0].addr(), "GET /ws").await;
    client.ok("whoami", json!({})).await;
    drop(held);
    client.ok("whoami", json!({})).await;
}

#[tokio::test]
async fn bodies_without_end_keep_nobody_out() {
    let stack = small_stack().await;
    let chunked = "POST /login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"em\r\n";
    let held = hold(stack.auth.addr(), chunked).await;
    let announced = "POST /register HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\n{\"em";
    let more = hold(stack.auth.addr(), announced).await;
    is_served(&stack, "one").await;
    drop((held, more));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read_to_its_end() {
    let stack = Stack::start().await;
    let mut stream = TcpStream::connect(stack.auth.addr())
        .await
        .expect("it takes connections");
    let head = "POST /login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    // until the service has heard enough
    let endless = async { while stream.write_all(chunk.as_bytes()).await.is_ok() {} };
    timeout(PATIENCE, endless).await.expect("it is cut off");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
}

/// Registrations that cost what they cost in production, far more than are taken at once.
#[tokio::test]
async fn a_flood_of_registrations_leaves_log_ins_their_share() {
    let stack = Stack::start_all_with(&["--argon2-memory-kib", "8192", "--argon2-passes", "2"], &[]).await;
    let account = stack.register("one", "red").await;
    let mut flood = JoinSet::new();
    let (url, client) = (
        format!("http://{}/register", stack.auth.addr()),
        reqwest::Client::new(),
    );
    for number in 0..600 {
        let body = json!({
            "email": format!("flood{number}@red.example"), "password": "a long enough password", "name": "n",
            "tenant": "red", "tenant_key": "k",
        });
        let request = client.post(&url).json(&body);
        flood.spawn(async move {
            let answer = request.send().await.expect("auth answers");
            (
                answer.status().as_u16(),
                answer.headers().contains_key("retry-after"),
            )
        });
    }
    let mut refused = 0;
    while refused == 0 {
        let answer = flood
            .join_next()
            .await
            .expect("a refusal, for want of places")
            .expect("no panic");
        match answer {
            (201, false) => {}
            (503, true) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    // the queue of registrations is full now: who has an account gets in all the same
    let login = stack.login(&account, None).await;
    let mut client = stack.connect(0, &login).await;
    let waiting = flood.len();
    client.ok("whoami", json!({})).await;
    assert!(waiting > 0, "the flood was over before anybody logged in");
    flood.abort_all();
}

#[tokio::test]
async fn a_client_that_pings_and_does_not_read_is_not_read_on() {
    let stack = Stack::start().await;
    let account = stack.register("one", "red").await;
    let login = stack.login(&account, None).await;
    let gateway = &stack.gateways[0];
    let bearer = format!("Bearer {}", login.token);
    let request = upgrade(gateway.addr(), &[("Authorization", &bearer)]);
    let stream = TcpStream::connect(gateway.addr())
        .await
        .expect("it takes connections");
    let (socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .expect("the upgrade is accepted");
    let mut stream = socket.into_inner();
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'p'; 125]]
        .concat()
        .repeat(500);
    let mut sent = 0_usize;
    // more than the buffers of the kernel on both sides ever take
    const SENT_MAX: usize = 64 << 20;
    while sent < SENT_MAX {
        // no time is measured: a write that would wait says that it is not read on
        match stream.try_write(&ping[sent % ping.len()..]) {
            Ok(bytes) => sent += bytes,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if gateway.metric("connections_open").await < 1.0 {
                    break;
                }
                tokio::task::yield_now().await;
            }
            Err(_) => break,
        }
    }
    assert!(sent < SENT_MAX, "everything was read, and its answers are kept");
    let said = poll("slow reader", async || {
        (gateway.metric("slow_readers_total").await == 1.0).then_some(())
    });
    said.await;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|bytes| bytes > 0) {}
}

#[tokio::test]
async fn pings_are_answered_to_whoever_reads() {
    let stack = Stack::start().await;
    let (account, _, mut client) = stack.enter("one", "red", 0).await;
    for _ in 0..100 {
        client.send_message(Message::Ping(vec![b'p'; 125].into())).await;
    }
    let me = client.ok("whoami", json!({})).await;
    assert_eq!(string(&me["user_id"]), account.user_id);
    let _: Client = client;
}
