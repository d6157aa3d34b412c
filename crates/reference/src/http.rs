//! An HTTP/1 server with the limits that a public port needs: connections, header time, orderly end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Shutdown;

/// Connections open at once; one more waits in the listen queue until another ends.
pub const CONNECTIONS_MAX: usize = 4096;
/// From the first byte of a request (or from the end of the previous one) to the end of its headers.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept (no file descriptors left, say), so that the loop does not spin.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` until `shutdown`, then lets requests in progress finish.
///
/// The caller bounds how long that end may take: see [`Shutdown::bound`].
/// A failed accept is tried again; a connection's failure ends that connection alone.
pub async fn serve(listener: TcpListener, router: Router, mut shutdown: Shutdown) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = shutdown.requested() => break,
        };
        match accepted {
            Ok((stream, place)) => {
                tokio::spawn(connection(stream, router.clone(), graceful.watcher(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Accepts a connection once there is a place for it.
pub(crate) async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn connection(stream: TcpStream, router: Router, watcher: Watcher, _place: OwnedSemaphorePermit) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Sends `bytes` and reads until the server closes the connection.
    async fn exchange(addr: std::net::SocketAddr, bytes: &str) -> String {
        let mut stream = TcpStream::connect(addr)
            .await
            .expect("the server takes connections");
        stream.write_all(bytes.as_bytes()).await.expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it is read");
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn headers_that_never_end_end_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let addr = listener.local_addr().expect("it is bound");
        let (stop, shutdown) = Shutdown::manual();
        let served = tokio::spawn(serve(
            listener,
            Router::new().route("/", get(async || "hello")),
            shutdown,
        ));
        let (slow, quick) = tokio::join!(
            exchange(addr, "GET / HTTP/1.1\r\nhost: x\r\nname"),
            exchange(addr, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
        );
        assert!(!slow.contains("hello"), "{slow}");
        assert!(quick.ends_with("hello"), "{quick}");
        stop.request();
        served.await.expect("it ends when asked");
    }
}
