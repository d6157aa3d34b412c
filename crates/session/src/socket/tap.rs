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
}

impl Tap {
    pub(crate) fn new(stream: Carrier, backlog: Rc<Backlog>) -> Self {
        Self {
            stream,
            tail: Tail::new(),
            backlog,
            share: 0,
            streak: 0,
        }
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
        self.tail.feed(&buf.filled()[before..]);
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
