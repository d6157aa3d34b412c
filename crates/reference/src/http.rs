//! An HTTP/1 server with the limits that a public port needs: connections, header time, orderly end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Shutdown;
use crate::places::{Place, Places};

/// Connections open at once, unless the caller says otherwise. One more takes the place of the one that has waited longest
/// for its client; if none waits, it waits itself.
pub const CONNECTIONS_MAX: usize = 4096;
/// From the first byte of a request (or from the end of the previous one) to the end of its headers.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept (no file descriptors left, say), so that the loop does not spin.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connection that a request came over, among the request's extensions. Whoever has the request whole says so: from
/// then on, until it is answered, the connection is not ended for want of places.
#[derive(Clone, Debug)]
pub(crate) struct Seat(Arc<Place>);

impl Seat {
    /// The request is whole, and its answer is being made; false if the connection is about to end.
    pub(crate) fn work(&self) -> bool {
        self.0.work()
    }
}

/// Serves `router` until `shutdown`, then lets requests in progress finish.
///
/// The caller bounds how long that end may take: see [`Shutdown::bound`].
/// A failed accept is tried again; a connection's failure ends that connection alone.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) {
    serve_within(CONNECTIONS_MAX, listener, router, shutdown).await;
}

/// As [`serve`], with at most `connections_max` connections at once.
pub async fn serve_within(
    connections_max: usize,
    listener: TcpListener,
    router: Router,
    mut shutdown: Shutdown,
) {
    let places = Places::new(connections_max);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = enter(&listener, &places) => accepted,
            () = shutdown.requested() => break,
        };
        match accepted {
            Ok((stream, place)) => {
                tokio::spawn(connection(stream, router.clone(), graceful.watcher(), place));
            }
            Err(error) => {
                // whoever waits longest gives its descriptor back
                drop(places.evict());
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Accepts a connection and finds a place for it.
async fn enter(listener: &TcpListener, places: &Places) -> io::Result<(TcpStream, Place)> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, places.enter().await))
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

async fn connection(stream: TcpStream, router: Router, watcher: Watcher, place: Place) {
    let seat = Seat(Arc::new(place));
    let service = service_fn(|mut request: Request<Incoming>| {
        let seat = seat.clone();
        request.extensions_mut().insert(seat.clone());
        let answer = TowerToHyperService::new(router.clone()).call(request);
        async move {
            let answer = answer.await;
            seat.0.wait();
            answer
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        ended = watcher.watch(served) => {
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
        }
        () = seat.0.evicted() => tracing::debug!("a connection that waited for its client gave its place to another"),
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
