//! What carries bytes to a service and back: TCP, or TLS over it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::tls::Tls;

/// A connection to a service.
#[derive(Debug)]
pub(crate) enum Carrier {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Carrier {
    /// Connects to where `url` leads; over TLS if it says so (`https`, `wss`).
    ///
    /// # Errors
    ///
    /// What the network said, or a [`crate::TlsError`] within the error.
    pub(crate) async fn dial(url: &Uri, tls: &Tls) -> io::Result<Self> {
        let host = url.host().unwrap_or_default();
        let secure = url.scheme_str().is_some_and(is_secure);
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let tcp = TcpStream::connect((bare, port)).await?;
        tcp.set_nodelay(true)?;
        Ok(match secure {
            true => Self::Tls(Box::new(tls.over(tcp, host).await?)),
            false => Self::Plain(tcp),
        })
    }

    /// Waits until a read may yield something; with TLS only a read can say.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            // what broke, a read says
            Self::Plain(tcp) => tcp.poll_read_ready(cx).map(drop),
            Self::Tls(_) => Poll::Ready(()),
        }
    }
}

/// Whether what URLs of this scheme name is reached over TLS.
pub(crate) fn is_secure(scheme: &str) -> bool {
    matches!(scheme, "https" | "wss")
}

impl AsyncRead for Carrier {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => {
                // what counts as written may still wait here for room in the socket, and whoever wrote it may not come back
                if tls.get_ref().1.wants_write() {
                    // a stream that broke says so to whoever reads
                    let _ = Pin::new(&mut **tls).poll_flush(cx);
                }
                Pin::new(&mut **tls).poll_read(cx, buf)
            }
        }
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
        }
    }
}

impl Connection for Carrier {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Dials for a pool of HTTP connections.
#[derive(Clone, Debug)]
pub(crate) struct Dialler(pub(crate) Tls);

impl Service<Uri> for Dialler {
    type Response = TokioIo<Carrier>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let tls = self.0.clone();
        Box::pin(async move { Carrier::dial(&url, &tls).await.map(TokioIo::new) })
    }
}
