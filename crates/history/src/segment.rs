//! A segment: the events of one worker as bytes, in blocks that a hash chain ties together.
//!
//! ```text
//! segment = block* end
//! block   = header(48) payload hash(32)
//! header  = magic(8) version(2) run(4) worker(2) kind(1) zero(3) number(8) first record(8) records(4) length(4) zero(4)
//!           all little-endian
//! payload = { length(4) record }*        a record is an event in postcard; connections have 4 bytes each, attempts, instants and fingerprints 8
//! end     = a block of kind 1 (2 if the limit was hit) without payload, whose `first record` is the count of all records
//! hash    = BLAKE3(hash of the block before, or zeroes; header; payload)
//! ```

/// First bytes of every block.
pub(crate) const MAGIC: [u8; 8] = *b"CTKHIST\x01";
/// Version of the layout and of the vocabulary.
pub const VERSION: u16 = 3;
/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 48;
/// Bytes of a block's hash.
pub(crate) const HASH_BYTES: usize = 32;
/// Bytes of the length before a record.
pub(crate) const LENGTH_BYTES: usize = 4;
/// A block with a payload as long as this is full.
pub(crate) const BLOCK_BYTES: usize = 64 * 1024;
/// No record is longer: a frame of the largest size that the harness accepts, and what is said of it.
pub const RECORD_BYTES_MAX: usize = 80 * 1024 * 1024;
/// No block's payload is longer: one that was nearly full, and the longest record.
pub(crate) const PAYLOAD_BYTES_MAX: usize = BLOCK_BYTES + LENGTH_BYTES + RECORD_BYTES_MAX;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    /// It holds records.
    Records = 0,
    /// It ends the segment.
    End = 1,
    /// It ends the segment, and events were dropped because the limit was hit.
    EndAtLimit = 2,
}

/// What a block's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: u16,
    pub(crate) run: u32,
    pub(crate) worker: u16,
    pub(crate) kind: BlockKind,
    pub(crate) number: u64,
    pub(crate) first_record: u64,
    pub(crate) records: u32,
    pub(crate) payload_bytes: u32,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&self.version.to_le_bytes());
        bytes[10..14].copy_from_slice(&self.run.to_le_bytes());
        bytes[14..16].copy_from_slice(&self.worker.to_le_bytes());
        bytes[16] = self.kind as u8;
        bytes[20..28].copy_from_slice(&self.number.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.first_record.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.records.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes
    }

    /// What the bytes say, or `None` if they are no header.
    pub(crate) fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let kind = match bytes[16] {
            0 => BlockKind::Records,
            1 => BlockKind::End,
            2 => BlockKind::EndAtLimit,
            _ => return None,
        };
        (bytes[..8] == MAGIC).then(|| Self {
            version: u16::from_le_bytes(piece(bytes, 8)),
            run: u32::from_le_bytes(piece(bytes, 10)),
            worker: u16::from_le_bytes(piece(bytes, 14)),
            kind,
            number: u64::from_le_bytes(piece(bytes, 20)),
            first_record: u64::from_le_bytes(piece(bytes, 28)),
            records: u32::from_le_bytes(piece(bytes, 36)),
            payload_bytes: u32::from_le_bytes(piece(bytes, 40)),
        })
    }
}

fn piece<const N: usize>(bytes: &[u8; HEADER_BYTES], from: usize) -> [u8; N] {
    let mut piece = [0; N];
    piece.copy_from_slice(&bytes[from..from + N]);
    piece
}

/// The hash that ends a block.
pub(crate) fn chain(before: &[u8; HASH_BYTES], header: &[u8], payload: &[u8]) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before).update(header).update(payload);
    *hasher.finalize().as_bytes()
}

/// A hash as hex digits.
pub(crate) fn hex(hash: &[u8; HASH_BYTES]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}
