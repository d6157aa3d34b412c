//! A connection whose inbound bytes are followed.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::tail::Tail;
use crate::carrier::Carrier;
use crate::limits::{FRAMES_LIMIT, MESSAGE_LIMIT_BYTES, UNFINISHED_LIMIT_BYTES};

/// How an error says that a limit was hit, and not that the stream broke.
pub(crate) const LIMIT_HIT: io::ErrorKind = io::ErrorKind::QuotaExceeded;

/// Reads in a row after which the other connections of the worker have their turn, however much more there is.
const STREAK_MAX: u32 = 16;

/// Bytes of all messages that have begun and not ended, on connections that share a limit.
#[derive(Debug, Default)]
pub(crate) struct Backlog(Cell<usize>);

/// The stream, and the tail that is looked at when it dies.
#[derive(Debug)]
pub(crate) struct Tap {
    stream: Carrier,
    tail: Tail,
    backlog: Rc<Backlog>,
    /// What this connection has in it.
    share: usize,
    /// Reads in a row that did not have to wait.
    streak: u32,
    /// Frames that ended in what was read last, less the messages that were taken since.
    untaken: usize,
}

impl Tap {
    pub(crate) fn new(stream: Carrier, backlog: Rc<Backlog>) -> Self {
        Self {
            stream,
            tail: Tail::new(),
            backlog,
            share: 0,
            streak: 0,
            untaken: 0,
        }
    }

    /// A message was taken out of what has come. Waits until there may be another: it has a frame at least, and whoever reads on has
    /// taken all that there was before.
    pub(crate) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.untaken = self.untaken.saturating_sub(1);
        if self.untaken > 0 {
            return Poll::Ready(());
        }
        let polled = self.stream.poll_readable(cx);
        if polled.is_pending() {
            self.streak = 0;
        }
        polled
    }

    /// What has come of a message that is not whole.
    pub(crate) fn unfinished(&self) -> &[u8] {
        self.tail.unfinished()
    }

    /// Holds what has come against the limits.
    fn check(&mut self) -> io::Result<()> {
        if self.tail.frames() > FRAMES_LIMIT {
            let what = format!("more than {FRAMES_LIMIT} frames without a whole message");
            return Err(io::Error::new(LIMIT_HIT, what));
        }
        // a message that is too long by itself is refused as that
        let share = self.tail.announced().min(MESSAGE_LIMIT_BYTES);
        if share == self.share {
            return Ok(());
        }
        let all = self.backlog.0.get() - self.share + share;
        self.backlog.0.set(all);
        self.share = share;
        if all <= UNFINISHED_LIMIT_BYTES {
            return Ok(());
        }
        let what =
            format!("messages that have begun hold {all} bytes, the limit is {UNFINISHED_LIMIT_BYTES}");
        Err(io::Error::new(LIMIT_HIT, what))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.backlog.0.set(self.backlog.0.get() - self.share);
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.streak == STREAK_MAX {
            self.streak = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.streak = if polled.is_ready() { self.streak + 1 } else { 0 };
        self.untaken = self.tail.feed(&buf.filled()[before..]);
        self.check()?;
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn there_may_be_more_until_all_that_ended_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut service, _) = listener.accept().await.unwrap();
        let mut tap = Tap::new(Carrier::Plain(client), Rc::default());
        let mut room = [0; 1_000];
        // a text, a ping, and the begin of another text
        let sent = b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x03one\x89\x00\x81\x03t";
        service.write_all(sent).await.unwrap();
        let mut came = 0;
        while came < sent.len() {
            came += tap.read(&mut room).await.unwrap();
        }
        let more = async |tap: &mut Tap| poll_fn(|cx| Poll::Ready(tap.poll_more(cx).is_ready())).await;
        assert_eq!([more(&mut tap).await, more(&mut tap).await], [true, false]);
        // what has begun is no message until its end comes, and that is seen
        service.write_all(b"wo").await.unwrap();
        poll_fn(|cx| tap.poll_more(cx)).await;
        assert_eq!(tap.read(&mut room).await.unwrap(), 2);
        assert!(!more(&mut tap).await);
    }
}
