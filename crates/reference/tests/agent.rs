//! Client and server of the agent over loopback.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use reference::agent::batch::Batching;
use reference::agent::wire::{Ask, Body, Frame};
use reference::agent::{AgentClient, AgentError, ReplyRequest, ReplyStream, reply, server};
use reference::config::{Shutdown, ShutdownTrigger};
use reference::metrics::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Far beyond what any of these tests takes: a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(20);

struct Agent {
    addr: SocketAddr,
    metrics: Arc<Metrics>,
    stop: ShutdownTrigger,
    served: JoinHandle<()>,
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback has a free port");
    let addr = listener.local_addr().expect("it is bound");
    (listener, addr)
}

async fn agent(step_us: u64) -> Agent {
    let (listener, addr) = listen().await;
    agent_on(listener, addr, step_us)
}

fn agent_on(listener: TcpListener, addr: SocketAddr, step_us: u64) -> Agent {
    let (stop, shutdown) = Shutdown::manual();
    let metrics = Metrics::new();
    let batching = Batching {
        batch_max: 16,
        batch_wait_us: 500,
        step_us,
    };
    let served = tokio::spawn(server::serve(listener, batching, Arc::clone(&metrics), shutdown));
    Agent {
        addr,
        metrics,
        stop,
        served,
    }
}

fn request(who: u64) -> ReplyRequest {
    ReplyRequest {
        user_id: uuid::Uuid::from_u128(who.into()),
        wait: None,
        conn: who,
        request: "same for all".into(),
        title: format!("thread of {who}"),
        bodies: (0..who % 5 + 1)
            .map(|n| format!("message {n} of {who}: ä€🦀\n"))
            .collect(),
        nonce: format!("nonce-{who}"),
    }
}

fn expected(request: &ReplyRequest) -> String {
    let ReplyRequest {
        title, bodies, nonce, ..
    } = request.clone();
    reply::text(&Ask {
        user_id: uuid::Uuid::nil(),
        title,
        bodies,
        nonce,
    })
}

async fn text(stream: &mut ReplyStream) -> Result<String, AgentError> {
    let mut text = String::new();
    for n in 0.. {
        match tokio::time::timeout(PATIENCE, stream.next())
            .await
            .expect("the reply hangs")
        {
            Some(piece) => {
                let piece = piece?;
                assert_eq!(piece.n, n);
                text.push_str(&piece.text);
            }
            None => break,
        }
    }
    assert!(stream.next().await.is_none(), "the end stays the end");
    Ok(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_pipelined_streams_each_get_their_own_reply() {
    let agent = agent(0).await;
    let metrics = Metrics::new();
    let client = AgentClient::new(agent.addr.to_string(), 2, &metrics);
    let mut replies = JoinSet::new();
    for who in 0..400 {
        let client = client.clone();
        replies.spawn(async move {
            let request = request(who);
            let expect = expected(&request);
            let mut stream = client.reply(request).await.expect("the agent is up");
            if who % 4 == 3 {
                // a quarter goes away in the middle
                stream
                    .next()
                    .await
                    .expect("a first piece")
                    .expect("a first piece");
                return;
            }
            assert_eq!(text(&mut stream).await, Ok(expect));
        });
    }
    while let Some(done) = replies.join_next().await {
        done.unwrap();
    }
    let text = metrics.text();
    assert!(text.contains("pool_in_use{pool=\"agent\"} 0\n"), "{text}");
    assert!(
        text.contains("pool_wait_seconds_count{pool=\"agent\"} 400\n"),
        "{text}"
    );
    assert!(
        !text.contains("situation_total{name=\"equal_request_id_in_flight\"} 0\n"),
        "{text}"
    );
    assert!(
        text.contains("situation_total{name=\"cancelled_reply\"} 100\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_dropped_stream_is_cancelled_at_the_agent_and_the_connection_goes_on() {
    // a paced reply takes seconds unless it is cancelled
    let agent = agent(200_000).await;
    let metrics = Metrics::new();
    let client = AgentClient::new(agent.addr.to_string(), 1, &metrics);
    let mut stream = client.reply(request(1)).await.expect("the agent is up");
    stream
        .next()
        .await
        .expect("a first piece")
        .expect("a first piece");
    drop(stream);
    let cancelled = "requests_total{op=\"reply\",outcome=\"cancelled\"} 1\n";
    tokio::time::timeout(PATIENCE, async {
        while !agent.metrics.text().contains(cancelled) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the agent never learns of the cancel");
    let next = request(2);
    let mut stream = client.reply(next.clone()).await.expect("the connection goes on");
    assert_eq!(text(&mut stream).await, Ok(expected(&next)));
}

#[tokio::test]
async fn with_no_time_left_a_free_place_is_not_taken() {
    let agent = agent(0).await;
    let metrics = Metrics::new();
    let client = AgentClient::new(agent.addr.to_string(), 1, &metrics);
    for (who, wait) in [(1, None), (2, Some(Duration::ZERO)), (3, None)] {
        let mut request = request(who);
        request.wait = wait;
        match (client.reply(request.clone()).await, wait) {
            (Ok(mut stream), None) => assert_eq!(text(&mut stream).await, Ok(expected(&request))),
            (Err(error), Some(wait)) => assert_eq!(error, AgentError::CheckoutTimeout { wait }),
            (result, _) => panic!("{who}: {:?}", result.map(|_| ())),
        }
    }
    let counted = "situation_total{name=\"buffer_after_timeout\"} 1\n";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[tokio::test]
async fn a_lost_agent_fails_what_is_pending_and_is_found_again() {
    let first = agent(200_000).await;
    let client = AgentClient::new(first.addr.to_string(), 2, &Metrics::new());
    let mut stream = client.reply(request(1)).await.expect("the agent is up");
    stream
        .next()
        .await
        .expect("a first piece")
        .expect("a first piece");
    first.served.abort();
    let _ = first.served.await;
    assert_eq!(text_after_loss(&mut stream).await, AgentError::ConnectionLost);

    let listener = TcpListener::bind(first.addr)
        .await
        .expect("the address is free again");
    let second = agent_on(listener, first.addr, 0);
    let request = request(2);
    let mut stream = client
        .reply(request.clone())
        .await
        .expect("the client connects again");
    assert_eq!(text(&mut stream).await, Ok(expected(&request)));
    drop(second.stop);
}

async fn text_after_loss(stream: &mut ReplyStream) -> AgentError {
    loop {
        match tokio::time::timeout(PATIENCE, stream.next())
            .await
            .expect("the reply hangs")
        {
            Some(Ok(_)) => {}
            Some(Err(error)) => return error,
            None => panic!("a cut reply looks whole"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_agent_is_a_checkout_timeout() {
    let (listener, addr) = listen().await;
    drop(listener);
    let metrics = Metrics::new();
    let client = AgentClient::new(addr.to_string(), 1, &metrics);
    assert!(!client.is_connected());
    let refused = client
        .reply(request(1))
        .await
        .map(|_| ())
        .expect_err("there is no agent");
    assert_eq!(
        refused.to_string(),
        "no connection to the agent was free within 2000 ms"
    );
    assert!(metrics.text().contains("pool_timeouts_total{pool=\"agent\"} 1\n"));
}

#[tokio::test]
async fn an_end_in_order_finishes_replies_in_progress() {
    let agent = agent(1_000).await;
    let client = AgentClient::new(agent.addr.to_string(), 1, &Metrics::new());
    let request = request(3);
    let mut stream = client.reply(request.clone()).await.expect("the agent is up");
    let first = stream
        .next()
        .await
        .expect("a first piece")
        .expect("a first piece")
        .text;
    agent.stop.request();
    let mut all = first;
    while let Some(piece) = stream.next().await {
        all.push_str(&piece.expect("the reply is finished").text);
    }
    assert_eq!(all, expected(&request));
    tokio::time::timeout(PATIENCE, agent.served)
        .await
        .expect("the server ends")
        .unwrap();
}

/// An agent that misbehaves on the wire: `answer` makes its frames from the stream id of the request.
async fn rogue(answer: impl Fn(u64) -> Vec<Frame> + Send + Sync + 'static) -> SocketAddr {
    let (listener, addr) = listen().await;
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(misbehave(stream, Arc::clone(&answer)));
        }
    });
    addr
}

async fn misbehave(mut stream: TcpStream, answer: Arc<impl Fn(u64) -> Vec<Frame>>) {
    let mut buffer = BytesMut::new();
    while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
        while let Ok(Some(frame)) = Frame::decode(&mut buffer) {
            let mut out = BytesMut::new();
            for frame in answer(frame.stream) {
                frame.encode(&mut out).expect("it is small");
            }
            let _ = stream.write_all(&out).await;
        }
    }
}

#[track_caller]
fn check(found: Result<String, AgentError>, expect: Result<&str, AgentError>) {
    assert_eq!(found, expect.map(str::to_owned));
}

async fn ask_rogue(answer: impl Fn(u64) -> Vec<Frame> + Send + Sync + 'static) -> Result<String, AgentError> {
    let addr = rogue(answer).await;
    let client = AgentClient::new(addr.to_string(), 1, &Metrics::new());
    let mut stream = client.reply(request(1)).await?;
    let mut all = String::new();
    while let Some(piece) = tokio::time::timeout(PATIENCE, stream.next())
        .await
        .expect("the reply hangs")
    {
        all.push_str(&piece?.text);
    }
    Ok(all)
}

fn piece(stream: u64, n: u32) -> Frame {
    Frame {
        stream,
        body: Body::Piece {
            n,
            text: format!("{n}"),
        },
    }
}

fn end(stream: u64, pieces: u32) -> Frame {
    Frame {
        stream,
        body: Body::End { pieces },
    }
}

#[tokio::test]
async fn a_reply_with_holes_is_never_whole() {
    check(
        ask_rogue(|s| vec![piece(s, 0), piece(s, 1), end(s, 2)]).await,
        Ok("01"),
    );
    check(
        ask_rogue(|s| vec![piece(s, 0), end(s, 2)]).await,
        Err(AgentError::OutOfOrder),
    );
    check(
        ask_rogue(|s| vec![piece(s, 1)]).await,
        Err(AgentError::OutOfOrder),
    );
    check(
        ask_rogue(|s| vec![piece(s, 0), piece(s, 0)]).await,
        Err(AgentError::OutOfOrder),
    );
}

#[tokio::test]
async fn pieces_of_unknown_streams_are_discarded() {
    let strangers = |s: u64| vec![piece(s + 1000, 0), piece(s, 0), end(s + 1000, 1), end(s, 1)];
    check(ask_rogue(strangers).await, Ok("0"));
}

#[tokio::test]
async fn a_frame_in_the_wrong_direction_ends_the_connection() {
    let turned = |s| {
        vec![Frame {
            stream: s,
            body: Body::Cancel,
        }]
    };
    check(ask_rogue(turned).await, Err(AgentError::ConnectionLost));
}

#[tokio::test]
async fn stream_ids_are_never_used_twice() {
    let (seen, mut streams) = tokio::sync::mpsc::unbounded_channel();
    let addr = rogue(move |s| {
        seen.send(s).unwrap();
        vec![piece(s, 0), end(s, 1)]
    })
    .await;
    let client = AgentClient::new(addr.to_string(), 3, &Metrics::new());
    for who in 0..50 {
        let mut stream = client.reply(request(who)).await.expect("the agent is up");
        assert_eq!(text(&mut stream).await.as_deref(), Ok("0"));
    }
    let mut ids = HashSet::new();
    while let Ok(id) = streams.try_recv() {
        assert!(ids.insert(id), "stream {id} was used twice");
    }
    assert_eq!(ids.len(), 50);
}

#[tokio::test]
async fn garbage_ends_that_connection_alone() {
    let agent = agent(0).await;
    let mut vandal = TcpStream::connect(agent.addr).await.unwrap();
    vandal.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, vandal.read_to_end(&mut rest))
        .await
        .expect("it is closed");
    assert!(rest.is_empty());
    let client = AgentClient::new(agent.addr.to_string(), 1, &Metrics::new());
    let request = request(1);
    let mut stream = client.reply(request.clone()).await.expect("others are served");
    assert_eq!(text(&mut stream).await, Ok(expected(&request)));
}
