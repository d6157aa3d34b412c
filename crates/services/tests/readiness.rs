//! Waiting for services to be of use.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod support;

use std::time::Duration;

use services::Error;
use support::{Bench, PATIENCE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn ports_are_read_once_they_are_all_written() {
    let bench = Bench::new().await;
    let file = bench.path("ports");
    let script = r#"
        sleep 0.1
        echo '{"bind":"127.0.0.1:4711",' > ports
        sleep 0.1
        echo '{"bind":"127.0.0.1:4711","operator":"127.0.0.1:4712"}' > ports.new && mv ports.new ports
        sleep 1000"#;
    let process = bench.run("auth", script).await;
    let ports = process.ports(&file, PATIENCE).await.unwrap();
    assert_eq!(ports["operator"], "127.0.0.1:4712".parse().unwrap());
    assert_eq!(ports.len(), 2);
    bench.stop().await;
}

#[tokio::test]
async fn a_failed_start_carries_the_end_of_the_log() {
    let bench = Bench::new().await;
    let script = "for n in $(seq 1 30); do echo line $n; done; echo 'cannot bind' >&2; exit 3";
    let process = bench.run("auth", script).await;
    let error = process.ports(&bench.path("ports"), PATIENCE).await.unwrap_err();
    let Error::Died { name, exit, log, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((name.as_str(), *exit), ("auth", services::Exit::Code(3)));
    assert_eq!(log.lines.len(), services::LOG_TAIL_LINES);
    assert_eq!(log.lines.last().unwrap(), "cannot bind");
    let text = error.to_string();
    assert!(
        text.starts_with("auth exited with code 3 before it had written its ports to "),
        "{text}"
    );
    assert!(text.ends_with("\n    line 30\n    cannot bind"), "{text}");
    bench.stop().await;
}

#[tokio::test]
async fn a_service_that_never_reports_is_not_ready_in_time() {
    let bench = Bench::new().await;
    let process = bench.run("mute", "sleep 1000").await;
    let error = process
        .ports(&bench.path("ports"), Duration::from_millis(100))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::NotReady { last, .. } if last.contains("No such file")),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("waited 100ms until it had written its ports"),
        "{error}"
    );
    bench.stop().await;
}

/// Answers each request with the next of these statuses, the last one for ever.
async fn serve(listener: TcpListener, statuses: &'static [&'static str]) {
    let mut answered = 0;
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).await.unwrap();
        assert!(request[..read].starts_with(b"GET /health HTTP/1.1\r\n"));
        let status = statuses[answered.min(statuses.len() - 1)];
        let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        answered += 1;
    }
}

#[tokio::test]
async fn health_is_asked_for_until_it_is_well() {
    let bench = Bench::new().await;
    let process = bench.run("gateway", "sleep 1000").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(
        listener,
        &["503 Service Unavailable", "503 Service Unavailable", "200 OK"],
    ));
    process.healthy(address, PATIENCE).await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn ill_health_is_an_error_that_says_what_was_answered() {
    let bench = Bench::new().await;
    let process = bench.run("gateway", "sleep 1000").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, &["503 Service Unavailable"]));
    let error = process
        .healthy(address, Duration::from_secs(1))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::NotReady { last, .. } if last == "answered 503 Service Unavailable"),
        "{error}"
    );

    // Silence: accepted by the kernel, never answered.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = process
        .healthy(silent.local_addr().unwrap(), Duration::from_secs(1))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::NotReady { last, .. } if last == "no answer"),
        "{error}"
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_task_that_takes_too_long_is_killed() {
    let bench = Bench::new().await;
    let process = bench.run("slow", "sleep 1000").await;
    let error = process
        .finished("it had migrated", Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotReady { .. }), "{error}");
    assert_eq!(process.exited().await, services::Exit::Signal(9));
    bench.stop().await;
}
