//! Buffers that requests are encoded in while they wait for a place, used again for whoever asks next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use uuid::Uuid;

use super::wire;
use crate::metrics::{Metrics, Situation};

/// Buffers that are kept.
const BUFFERS_MAX: usize = 64;

/// The buffers that are not in use.
pub(super) struct RequestBuffers {
    free: Mutex<Vec<Buffer>>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Buffer {
    bytes: BytesMut,
    /// Whose request was in it, if that was given up.
    given_up: Option<Uuid>,
}

/// A buffer for one request: empty at first, given back when dropped.
pub(super) struct Lent<'a> {
    buffers: &'a RequestBuffers,
    buffer: Buffer,
    user_id: Uuid,
}

impl RequestBuffers {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            free: Mutex::default(),
            metrics,
        }
    }

    /// A buffer for a request of `user_id`.
    pub(super) fn lend(&self, user_id: Uuid) -> Lent<'_> {
        let mut buffer = self.free().pop().unwrap_or_default();
        if let Some(other) = buffer.given_up.take().filter(|other| *other != user_id) {
            self.metrics.situation(Situation::BufferAfterTimeout).inc();
            #[cfg(feature = "mutants")]
            crate::mutant::stale_buffer::lent(!buffer.bytes.is_empty(), user_id, other);
            #[cfg(not(feature = "mutants"))]
            let _ = other;
        }
        Lent {
            buffers: self,
            buffer,
            user_id,
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Buffer>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent<'_> {
    pub(super) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.buffer.bytes
    }

    /// What was encoded, as the frame of that stream.
    pub(super) fn numbered(mut self, stream: u64) -> Bytes {
        wire::number(&mut self.buffer.bytes, stream);
        self.buffer.bytes.split().freeze()
    }

    /// There was no place in time.
    pub(super) fn give_up(mut self) {
        self.buffer.given_up = Some(self.user_id);
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        #[cfg(feature = "mutants")]
        let is_kept = buffer.given_up.is_some() && crate::mutant::stale_buffer::keeps();
        #[cfg(not(feature = "mutants"))]
        let is_kept = false;
        if !is_kept {
            buffer.bytes.clear();
        }
        let mut free = self.buffers.free();
        if free.len() < BUFFERS_MAX {
            free.push(buffer);
        }
    }
}
