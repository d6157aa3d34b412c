//! The frames between gateway and agent, without IO.
//!
//! A connection is a sequence of frames in both directions, each
//!
//! ```text
//! length  u32, big endian: how many bytes follow (9 to FRAME_BYTES_MAX)
//! kind    u8
//! stream  u64, big endian: which reply this is about; chosen by the client, never used twice on a connection
//! rest    by kind
//! ```
//!
//! | kind | direction | rest |
//! |---|---|---|
//! | 1 request | client to agent | JSON [`Ask`] |
//! | 2 cancel | client to agent | none; frames of the stream that are on their way may still arrive |
//! | 3 piece | agent to client | `n` u32 big endian, counting from 0, then the text in UTF-8 |
//! | 4 end | agent to client | the count of pieces, u32 big endian: the reply is whole |
//! | 5 refusal | agent to client | one byte, a [`Refusal`]: no reply, or no more of it |
//!
//! A stream ends with one `end` or one `refusal`, or with the client's `cancel`. Streams of one connection interleave freely.

use bytes::{Buf, BufMut, BytesMut};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The largest frame, in bytes after the length: some sixty messages of 64 KiB.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

const HEAD_BYTES: usize = 4;
const KIND_AND_STREAM_BYTES: usize = 9;

/// What the agent is handed: the thread as stored, and the nonce of the message to reply to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Whose message it is: requests of one batch are told apart by it in the figures.
    pub user_id: Uuid,
    /// The thread's title.
    pub title: String,
    /// The thread's last messages, oldest first, the posted one last.
    pub bodies: Vec<String>,
    /// The message's nonce.
    pub nonce: String,
}

/// Why the agent does not reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// This connection has as many streams open as it may.
    #[error("too many streams on this connection")]
    Busy,
    /// The queue of requests is full.
    #[error("the agent's queue is full")]
    Overloaded,
    /// The stream id is in use on this connection.
    #[error("the stream id is in use")]
    DuplicateStream,
}

impl Refusal {
    fn code(self) -> u8 {
        match self {
            Self::Busy => 1,
            Self::Overloaded => 2,
            Self::DuplicateStream => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Busy, Self::Overloaded, Self::DuplicateStream]
            .into_iter()
            .find(|refusal| refusal.code() == code)
    }
}

/// What a frame says about its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A reply is asked for.
    Request(Ask),
    /// The reply is not wanted any more.
    Cancel,
    /// A piece of the reply.
    Piece {
        /// Its place, counting from 0.
        n: u32,
        /// Its text.
        text: String,
    },
    /// The reply is whole.
    End {
        /// How many pieces it had.
        pieces: u32,
    },
    /// There is no reply, or no more of it.
    Refusal(Refusal),
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The stream it belongs to.
    pub stream: u64,
    /// What it says.
    pub body: Body,
}

/// Bytes that are no frame, or a frame that would be too large. The connection cannot go on after it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A length outside the bounds.
    #[error("frame of {bytes} bytes; allowed are {KIND_AND_STREAM_BYTES} to {FRAME_BYTES_MAX}")]
    Length {
        /// The length.
        bytes: usize,
    },
    /// A kind that this version does not know.
    #[error("unknown frame kind {kind}")]
    Kind {
        /// The kind.
        kind: u8,
    },
    /// The rest does not fit the kind.
    #[error("frame of kind {kind} with a rest that does not fit")]
    Rest {
        /// The kind.
        kind: u8,
    },
    /// A request that is no [`Ask`].
    #[error("request that cannot be read or written")]
    Ask(#[from] serde_json::Error),
}

impl Frame {
    /// Appends the frame to `out`; on an error `out` is as it was.
    ///
    /// # Errors
    /// [`WireError::Length`] when it is larger than [`FRAME_BYTES_MAX`].
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), WireError> {
        let start = out.len();
        out.put_u32(0);
        out.put_u8(self.body.kind());
        out.put_u64(self.stream);
        match &self.body {
            Body::Request(ask) => serde_json::to_writer((&mut *out).writer(), ask)?,
            Body::Cancel => {}
            Body::Piece { n, text } => {
                out.put_u32(*n);
                out.put_slice(text.as_bytes());
            }
            Body::End { pieces } => out.put_u32(*pieces),
            Body::Refusal(refusal) => out.put_u8(refusal.code()),
        }
        let bytes = out.len() - start - HEAD_BYTES;
        match u32::try_from(bytes) {
            Ok(length) if bytes <= FRAME_BYTES_MAX => {
                out[start..start + HEAD_BYTES].copy_from_slice(&length.to_be_bytes());
                Ok(())
            }
            _ => {
                out.truncate(start);
                Err(WireError::Length { bytes })
            }
        }
    }

    /// Takes the next whole frame off the front of `buffer`; `None` means that more bytes are needed.
    ///
    /// # Errors
    /// [`WireError`]; the bytes after it mean nothing any more.
    pub fn decode(buffer: &mut BytesMut) -> Result<Option<Self>, WireError> {
        let Some((head, _)) = buffer.split_first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let bytes = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if !(KIND_AND_STREAM_BYTES..=FRAME_BYTES_MAX).contains(&bytes) {
            return Err(WireError::Length { bytes });
        }
        if buffer.len() < HEAD_BYTES + bytes {
            buffer.reserve(HEAD_BYTES + bytes - buffer.len());
            return Ok(None);
        }
        buffer.advance(HEAD_BYTES);
        let mut rest = buffer.split_to(bytes);
        let kind = rest.get_u8();
        let stream = rest.get_u64();
        Ok(Some(Self {
            stream,
            body: Body::decode(kind, rest)?,
        }))
    }
}

/// Puts a number into the head of the first frame in `bytes`, which was encoded without one.
pub(super) fn number(bytes: &mut [u8], stream: u64) {
    if let Some(head) = bytes.get_mut(HEAD_BYTES + 1..HEAD_BYTES + KIND_AND_STREAM_BYTES) {
        head.copy_from_slice(&stream.to_be_bytes());
    }
}

impl Body {
    fn kind(&self) -> u8 {
        match self {
            Self::Request(_) => 1,
            Self::Cancel => 2,
            Self::Piece { .. } => 3,
            Self::End { .. } => 4,
            Self::Refusal(_) => 5,
        }
    }

    fn decode(kind: u8, mut rest: BytesMut) -> Result<Self, WireError> {
        let misfit = || WireError::Rest { kind };
        let body = match kind {
            1 => Self::Request(serde_json::from_slice(&rest.split())?),
            2 => Self::Cancel,
            3 => {
                let n = rest.try_get_u32().map_err(|_| misfit())?;
                let text = String::from_utf8(rest.split().into()).map_err(|_| misfit())?;
                Self::Piece { n, text }
            }
            4 => Self::End {
                pieces: rest.try_get_u32().map_err(|_| misfit())?,
            },
            5 => {
                let code = rest.try_get_u8().map_err(|_| misfit())?;
                Self::Refusal(Refusal::from_code(code).ok_or_else(misfit)?)
            }
            _ => return Err(WireError::Kind { kind }),
        };
        if rest.is_empty() { Ok(body) } else { Err(misfit()) }
    }
}

#[cfg(test)]
mod tests;
