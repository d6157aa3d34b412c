//! Reads the events of one worker, and believes nothing that the chain does not bear out.

use std::io::{ErrorKind, Read};

use crate::segment::{
    BlockKind, HASH_BYTES, HEADER_BYTES, Header, LENGTH_BYTES, PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX, VERSION,
    chain, hex,
};
use crate::{Event, Place, SegmentSeal};

/// What is wrong with a segment.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The medium failed.
    #[error("history cannot be read after {bytes} bytes")]
    Io {
        /// What had been read.
        bytes: u64,
        /// Why.
        source: std::io::Error,
    },
    /// A block does not begin as blocks do.
    #[error("no history at byte {bytes}: not a block's header")]
    NotAHistory {
        /// Where the block should begin.
        bytes: u64,
    },
    /// Another version wrote it.
    #[error("history has version {found}, this program reads version {VERSION}; use the one that wrote it")]
    Version {
        /// What the header says.
        found: u16,
    },
    /// The segment stops before its end block.
    #[error("history is cut short after {bytes} bytes, in block {block}")]
    Truncated {
        /// What had been read.
        bytes: u64,
        /// The block that is not whole.
        block: u64,
    },
    /// Something follows the end block.
    #[error("bytes follow the end of the history at byte {bytes}")]
    Trailing {
        /// Where.
        bytes: u64,
    },
    /// A block's bytes are not those that were written.
    #[error("block {block} of the history was altered: its hash does not match")]
    Altered {
        /// Which.
        block: u64,
    },
    /// A block stands where another should.
    #[error("block {found} of worker {worker} in run {run} stands in the place of block {expected}")]
    OutOfPlace {
        /// The number it bears.
        found: u64,
        /// The number that was due.
        expected: u64,
        /// The worker it names.
        worker: u16,
        /// The run it names.
        run: u32,
    },
    /// The counts within a block, or a length, contradict each other.
    #[error("block {block} of the history contradicts itself: {what}")]
    Inconsistent {
        /// Which.
        block: u64,
        /// What.
        what: &'static str,
    },
    /// A record goes on after its event: another vocabulary wrote it.
    #[error("event {index} of the history is followed by {bytes} bytes that are not its own")]
    Overlong {
        /// Which.
        index: u64,
        /// How many.
        bytes: usize,
    },
    /// A record is no event.
    #[error("event {index} of the history cannot be decoded")]
    Decode {
        /// Which.
        index: u64,
        /// Why.
        source: postcard::Error,
    },
}

/// Reads one segment from `R`, block by block; a block's events are given out only after its hash was
/// checked.
#[derive(Debug)]
pub struct SegmentReader<R: Read> {
    input: R,
    worker: u16,
    run: u32,
    block: u64,
    bytes: u64,
    hash: [u8; HASH_BYTES],
    payload: Vec<u8>,
    offset: usize,
    left_in_block: u32,
    index: u64,
    seal: Option<SegmentSeal>,
}

impl<R: Read> SegmentReader<R> {
    /// Opens a segment by its first block.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn open(input: R) -> Result<Self, ReadError> {
        let mut reader = Self {
            input,
            worker: 0,
            run: 0,
            block: 0,
            bytes: 0,
            hash: [0; HASH_BYTES],
            payload: Vec::new(),
            offset: 0,
            left_in_block: 0,
            index: 0,
            seal: None,
        };
        reader.read_block()?;
        Ok(reader)
    }

    /// The run that the segment belongs to.
    #[must_use]
    pub fn run(&self) -> u32 {
        self.run
    }

    /// The worker that wrote the segment.
    #[must_use]
    pub fn worker(&self) -> u16 {
        self.worker
    }

    /// What the segment amounts to, once [`Self::next`] has answered `None`; compare it with the run's
    /// [`crate::Seal`].
    #[must_use]
    pub fn seal(&self) -> Option<&SegmentSeal> {
        self.seal.as_ref()
    }

    /// The next event and its place, or `None` after the last.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; nothing after it can be trusted.
    #[expect(clippy::should_implement_trait, reason = "events borrow from the reader")]
    pub fn next(&mut self) -> Result<Option<(Place, Event<'_>)>, ReadError> {
        while self.left_in_block == 0 {
            if self.seal.is_some() {
                return Ok(None);
            }
            self.read_block()?;
        }
        let place = Place {
            worker: self.worker,
            index: self.index,
        };
        let range = self.next_record()?;
        self.left_in_block -= 1;
        self.index += 1;
        if self.left_in_block == 0 && range.end != self.payload.len() {
            return Err(self.inconsistent_records("bytes follow its last record"));
        }
        let index = place.index;
        let record = &self.payload[range];
        let (event, rest) =
            postcard::take_from_bytes(record).map_err(|source| ReadError::Decode { index, source })?;
        if !rest.is_empty() {
            return Err(ReadError::Overlong {
                index,
                bytes: rest.len(),
            });
        }
        Ok(Some((place, event)))
    }

    fn next_record(&mut self) -> Result<std::ops::Range<usize>, ReadError> {
        let rest = &self.payload[self.offset..];
        let Some((length, rest)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
            return Err(self.inconsistent_records("it has fewer records than it counts"));
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > rest.len() || length > RECORD_BYTES_MAX {
            return Err(self.inconsistent_records("a record is longer than its block"));
        }
        let from = self.offset + LENGTH_BYTES;
        self.offset = from + length;
        Ok(from..from + length)
    }

    /// Reads one block whole and checks it against the chain.
    fn read_block(&mut self) -> Result<(), ReadError> {
        let mut bytes = [0; HEADER_BYTES];
        let at = self.bytes;
        self.fill(&mut bytes)?;
        let header = Header::from_bytes(&bytes).ok_or(ReadError::NotAHistory { bytes: at })?;
        self.check_header(&header)?;
        self.fill_payload(header.payload_bytes)?;
        let mut hash = [0; HASH_BYTES];
        self.fill(&mut hash)?;
        if chain(&self.hash, &bytes, &self.payload) != hash {
            return Err(ReadError::Altered { block: self.block });
        }
        if header.records == 0 && !self.payload.is_empty() {
            return Err(self.inconsistent("bytes follow its last record"));
        }
        (self.hash, self.offset) = (hash, 0);
        self.left_in_block = header.records;
        self.block += 1;
        match header.kind {
            BlockKind::Records => Ok(()),
            BlockKind::End => self.end(false),
            BlockKind::EndAtLimit => self.end(true),
        }
    }

    fn check_header(&mut self, header: &Header) -> Result<(), ReadError> {
        if header.version != VERSION {
            return Err(ReadError::Version {
                found: header.version,
            });
        }
        if self.block == 0 {
            (self.worker, self.run) = (header.worker, header.run);
        }
        let same = header.worker == self.worker && header.run == self.run;
        if !same || header.number != self.block {
            return Err(ReadError::OutOfPlace {
                found: header.number,
                expected: self.block,
                worker: header.worker,
                run: header.run,
            });
        }
        if header.first_record != self.index {
            return Err(self.inconsistent("its first record is not the next one"));
        }
        if header.payload_bytes as usize > PAYLOAD_BYTES_MAX {
            return Err(self.inconsistent("it is longer than a block may be"));
        }
        if header.kind != BlockKind::Records && (header.records, header.payload_bytes) != (0, 0) {
            return Err(self.inconsistent("an end block holds records"));
        }
        Ok(())
    }

    /// The end block was read: nothing may follow.
    fn end(&mut self, limit_hit: bool) -> Result<(), ReadError> {
        self.seal = Some(SegmentSeal {
            worker: self.worker,
            records: self.index,
            bytes: self.bytes,
            hash: hex(&self.hash),
            limit_hit,
        });
        loop {
            match self.input.read(&mut [0]) {
                Ok(0) => return Ok(()),
                Ok(_) => return Err(ReadError::Trailing { bytes: self.bytes }),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.io(source)),
            }
        }
    }

    /// Takes memory as bytes come in, not as the header would have it.
    fn fill_payload(&mut self, length: u32) -> Result<(), ReadError> {
        self.payload.clear();
        let mut input = self.input.by_ref().take(u64::from(length));
        let read = input.read_to_end(&mut self.payload);
        self.bytes += self.payload.len() as u64;
        match read {
            Ok(read) if read == length as usize => Ok(()),
            Ok(_) => Err(self.truncated()),
            Err(source) => Err(self.io(source)),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ReadError> {
        match self.input.read_exact(buffer) {
            Ok(()) => {
                self.bytes += buffer.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(self.truncated()),
            Err(source) => Err(self.io(source)),
        }
    }

    fn truncated(&self) -> ReadError {
        ReadError::Truncated {
            bytes: self.bytes,
            block: self.block,
        }
    }

    fn io(&self, source: std::io::Error) -> ReadError {
        ReadError::Io {
            bytes: self.bytes,
            source,
        }
    }

    /// Of the block that is being read.
    fn inconsistent(&self, what: &'static str) -> ReadError {
        ReadError::Inconsistent {
            block: self.block,
            what,
        }
    }

    /// Of the block that was read last.
    fn inconsistent_records(&self, what: &'static str) -> ReadError {
        ReadError::Inconsistent {
            block: self.block.saturating_sub(1),
            what,
        }
    }
}
