//! Buffers that replies are encoded in, used again for whoever is replied to next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;

use super::limits::{SEND_BUFFER_BYTES_MAX, SEND_BUFFERS_MAX};
use super::protocol::{Dialect, Frame};
use crate::metrics::{Metrics, Situation};

/// What is long, and what is short, for the count of one after the other, in bytes.
const LONG_BYTES: usize = 2048;
const SHORT_BYTES: usize = 512;

/// The buffers that are not in use.
pub(crate) struct SendBuffers {
    free: Mutex<Vec<Buffer>>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// For whom the frame in it was.
    user_id: Uuid,
}

impl SendBuffers {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            free: Mutex::default(),
            metrics,
        }
    }

    /// The text of a frame for `user_id`.
    pub(crate) fn encode(&self, frame: Frame<'_>, dialect: Dialect, user_id: Uuid) -> Utf8Bytes {
        let mut buffer = self.free().pop().unwrap_or_default();
        let was_long = buffer.bytes.len() >= LONG_BYTES && buffer.user_id != user_id;
        #[cfg(feature = "mutants")]
        let before = (buffer.user_id, buffer.bytes.clone());
        buffer.bytes.clear();
        buffer.user_id = user_id;
        frame.encode_in(dialect, &mut buffer.bytes);
        if was_long && buffer.bytes.len() < SHORT_BYTES {
            self.metrics.situation(Situation::LongThenShortBuffer).inc();
            #[cfg(feature = "mutants")]
            crate::mutant::stale_tail::lengthen(&mut buffer.bytes, user_id, before);
        }
        let text = String::from_utf8_lossy(&buffer.bytes).into_owned();
        let mut free = self.free();
        if free.len() < SEND_BUFFERS_MAX && buffer.bytes.capacity() <= SEND_BUFFER_BYTES_MAX {
            free.push(buffer);
        }
        text.into()
    }

    fn free(&self) -> MutexGuard<'_, Vec<Buffer>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
