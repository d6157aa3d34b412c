//! Writes the events of one worker.

use std::io::Write;

use postcard::ser_flavors::Flavor;

use crate::segment::{
    BLOCK_BYTES, BlockKind, HASH_BYTES, Header, LENGTH_BYTES, RECORD_BYTES_MAX, VERSION, chain, hex,
};
use crate::{Event, Place, SegmentSeal};

/// Why an event could not be written.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The medium refused.
    #[error("history of worker {worker} cannot be written after {bytes} bytes")]
    Io {
        /// Whose segment.
        worker: u16,
        /// What had been written.
        bytes: u64,
        /// Why.
        source: std::io::Error,
    },
    /// The event cannot be put into bytes.
    #[error("event {index} of worker {worker} cannot be encoded")]
    Encode {
        /// Whose segment.
        worker: u16,
        /// Which event.
        index: u64,
        /// Why.
        source: postcard::Error,
    },
    /// The event is longer than a record may be.
    #[error("event {index} of worker {worker} has {bytes} bytes, the limit is {RECORD_BYTES_MAX}")]
    TooLong {
        /// Whose segment.
        worker: u16,
        /// Which event.
        index: u64,
        /// Its length.
        bytes: usize,
    },
    /// What was put into bytes is no event any more.
    #[error("event {index} of worker {worker} cannot be read back")]
    ReadBack {
        /// Whose segment.
        worker: u16,
        /// Which event.
        index: u64,
        /// Why.
        source: postcard::Error,
    },
}

/// Writes one segment to `W`, block by block.
///
/// What was appended can be read back from the block that is open, in the form in which the segment has it: whoever reads a few events at
/// a time, rather than each as it comes, has them together in the processor's caches, and the code that takes them, too.
///
/// ```
/// use history::{At, Event, Fact, SegmentReader, SegmentWriter};
///
/// let mut bytes = Vec::new();
/// let mut writer = SegmentWriter::new(&mut bytes, 7, 1, 1 << 20);
/// writer.append(&Event { at: At(5), fact: Fact::PhaseEnded { phase: 0 } })?;
/// let seal = writer.finish()?;
/// assert_eq!(seal.records, 1);
///
/// let mut reader = SegmentReader::open(&bytes[..])?;
/// let (place, event) = reader.next()?.expect("one event");
/// assert_eq!((place.worker, place.index, event.at), (1, 0, At(5)));
/// assert!(reader.next()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SegmentWriter<W: Write> {
    out: W,
    run: u32,
    worker: u16,
    limit_bytes: u64,
    /// The records of the open block, and behind them those that the limit shuts out.
    payload: Vec<u8>,
    /// Where those begin.
    shut_out: Option<usize>,
    /// Up to where records were read back, and the index of the next one.
    read: usize,
    read_index: u64,
    in_block: u32,
    blocks: u64,
    records: u64,
    bytes: u64,
    hash: [u8; HASH_BYTES],
}

impl<W: Write> SegmentWriter<W> {
    /// A segment of `worker` in `run`, of at most about `limit_bytes` bytes.
    pub fn new(out: W, run: u32, worker: u16, limit_bytes: u64) -> Self {
        Self {
            out,
            run,
            worker,
            limit_bytes,
            payload: Vec::with_capacity(BLOCK_BYTES * 2),
            shut_out: None,
            read: 0,
            read_index: 0,
            in_block: 0,
            blocks: 0,
            records: 0,
            bytes: 0,
            hash: [0; HASH_BYTES],
        }
    }

    /// Adds an event; writes the open block first if it is full. Past the limit events are not written, and [`Self::limit_hit`] says so.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; the segment is of no use after [`WriteError::Io`].
    pub fn append(&mut self, event: &Event<'_>) -> Result<(), WriteError> {
        if self.is_full() {
            self.flush_block(BlockKind::Records)?;
        }
        if self.shut_out.is_none() && self.bytes + self.payload.len() as u64 >= self.limit_bytes {
            self.shut_out = Some(self.payload.len());
        }
        self.encode(event)?;
        if self.shut_out.is_none() {
            self.records += 1;
            self.in_block += 1;
        }
        Ok(())
    }

    /// Whether the open block is written before the next event is added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.payload.len() >= BLOCK_BYTES
    }

    /// Bytes of the open block that [`Self::read_back`] would yield.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.payload.len() - self.read
    }

    /// Yields the events of the open block that were not read back yet, and where they stand. Those past the limit are among them, all at
    /// the place that the first of them would have had.
    ///
    /// # Errors
    ///
    /// [`WriteError::ReadBack`] if one is not what was appended, which is a bug.
    pub fn read_back(&mut self, mut see: impl FnMut(Place, &Event<'_>)) -> Result<(), WriteError> {
        while let Some((length, rest)) = self.payload[self.read..].split_first_chunk::<LENGTH_BYTES>() {
            let (worker, index) = (self.worker, self.read_index);
            let length = u32::from_le_bytes(*length) as usize;
            let event = postcard::from_bytes(&rest[..length]).map_err(|source| WriteError::ReadBack {
                worker,
                index,
                source,
            })?;
            see(Place { worker, index }, &event);
            self.read += LENGTH_BYTES + length;
            self.read_index = self.records.min(index + 1);
        }
        Ok(())
    }

    /// Whether events were not written because the segment had reached its limit.
    #[must_use]
    pub fn limit_hit(&self) -> bool {
        self.shut_out.is_some()
    }

    /// Writes what is held back and the end of the segment.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`].
    pub fn finish(mut self) -> Result<SegmentSeal, WriteError> {
        self.flush_block(BlockKind::Records)?;
        self.flush_block(if self.limit_hit() {
            BlockKind::EndAtLimit
        } else {
            BlockKind::End
        })?;
        let bytes = self.bytes;
        self.out.flush().map_err(|source| self.io(bytes, source))?;
        Ok(SegmentSeal {
            worker: self.worker,
            records: self.records,
            bytes: self.bytes,
            hash: hex(&self.hash),
            limit_hit: self.limit_hit(),
        })
    }

    /// Puts a record to the end of the payload, or leaves that as it was.
    fn encode(&mut self, event: &Event<'_>) -> Result<(), WriteError> {
        let before = self.payload.len();
        let encoded = self.append_record(event);
        if encoded.is_err() {
            self.payload.truncate(before);
        }
        encoded
    }

    fn append_record(&mut self, event: &Event<'_>) -> Result<(), WriteError> {
        let (worker, index) = (self.worker, self.records);
        let length_at = self.payload.len();
        self.payload.extend_from_slice(&[0; LENGTH_BYTES]);
        let from = self.payload.len();
        let encoded = postcard::serialize_with_flavor(event, Tail(&mut self.payload));
        encoded.map_err(|source| WriteError::Encode {
            worker,
            index,
            source,
        })?;
        let bytes = self.payload.len() - from;
        match u32::try_from(bytes) {
            Ok(length) if bytes <= RECORD_BYTES_MAX => {
                self.payload[length_at..from].copy_from_slice(&length.to_le_bytes());
                Ok(())
            }
            _ => Err(WriteError::TooLong { worker, index, bytes }),
        }
    }

    /// Writes the open block, if it holds a record or ends the segment, and opens the next.
    fn flush_block(&mut self, kind: BlockKind) -> Result<(), WriteError> {
        let kept = self.shut_out.unwrap_or(self.payload.len());
        if self.in_block > 0 || kind != BlockKind::Records {
            self.write_block(kind, kept)?;
        }
        self.payload.clear();
        self.shut_out = self.shut_out.map(|_| 0);
        (self.read, self.read_index) = (0, self.records);
        Ok(())
    }

    /// Writes a block whose payload are the first `kept` bytes.
    fn write_block(&mut self, kind: BlockKind, kept: usize) -> Result<(), WriteError> {
        let payload = &self.payload[..kept];
        let header = Header {
            version: VERSION,
            run: self.run,
            worker: self.worker,
            kind,
            number: self.blocks,
            first_record: self.records - u64::from(self.in_block),
            records: self.in_block,
            payload_bytes: u32::try_from(kept).unwrap_or(u32::MAX),
        }
        .to_bytes();
        self.hash = chain(&self.hash, &header, payload);
        let written = self
            .out
            .write_all(&header)
            .and_then(|()| self.out.write_all(payload))
            .and_then(|()| self.out.write_all(&self.hash));
        written.map_err(|source| self.io(self.bytes, source))?;
        self.bytes += (header.len() + kept + self.hash.len()) as u64;
        self.blocks += 1;
        self.in_block = 0;
        Ok(())
    }

    fn io(&self, bytes: u64, source: std::io::Error) -> WriteError {
        WriteError::Io {
            worker: self.worker,
            bytes,
            source,
        }
    }
}

/// Where a record goes: behind those before it.
struct Tail<'a>(&'a mut Vec<u8>);

/// Fewer bytes are put half of that at once, and one by one: a number has a few, and a call to copy them takes longer.
const FEW: usize = 8;

impl Flavor for Tail<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        let mut rest = bytes;
        if rest.len() < FEW {
            if let Some((some, more)) = rest.split_first_chunk::<{ FEW / 2 }>() {
                self.0.extend_from_slice(some);
                rest = more;
            }
            rest.iter().for_each(|byte| self.0.push(*byte));
        } else {
            self.0.extend_from_slice(rest);
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
