//! Takes off compression, under a limit.

use std::io::Read;

use flate2::{Decompress, FlushDecompress, Status};

use super::encoding::Layer;

/// Most bytes that one piece of compressed data may grow to.
pub(super) const INFLATED_MAX: usize = 8 << 20;
/// Bytes taken from a decoder at a time.
const CHUNK_LEN: usize = 16 << 10;
/// Largest window that a zstd frame may ask for, as a power of two.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Buffer of the brotli decoder, in bytes.
const BROTLI_BUFFER_LEN: usize = 4 << 10;

const GZIP: &[u8] = &[0x1f, 0x8b, 8];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How an attempt ended; whatever came out before is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The data ended, checksums held.
    Clean,
    /// The limit was hit.
    Limit,
    /// Cut short, or something else altogether.
    Broken,
}

/// Where compressed data begins that says what it is.
pub(super) fn recognised(bytes: &[u8]) -> Option<(usize, Layer)> {
    if let [0x78, level @ (0x01 | 0x5e | 0x9c | 0xda), ..] = bytes
        && (0x7800 + u32::from(*level)).is_multiple_of(31)
    {
        return Some((0, Layer::Zlib));
    }
    let gzip = memchr::memmem::find(bytes, GZIP).map(|at| (at, Layer::Gzip));
    let zstd = memchr::memmem::find(bytes, ZSTD).map(|at| (at, Layer::Zstd));
    [gzip, zstd].into_iter().flatten().min_by_key(|(at, _)| *at)
}

/// Decompresses `bytes` into `out`, up to `limit` bytes.
pub(super) fn inflate(layer: Layer, bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> End {
    out.clear();
    match layer {
        Layer::Gzip => pour(flate2::bufread::MultiGzDecoder::new(bytes), limit, out),
        Layer::Zlib => deflate(Decompress::new(true), bytes, limit, out),
        Layer::Deflate => deflate(Decompress::new(false), bytes, limit, out),
        Layer::Brotli => pour(brotli::Decompressor::new(bytes, BROTLI_BUFFER_LEN), limit, out),
        Layer::Zstd => zstd(bytes, limit, out),
        _ => End::Broken,
    }
}

/// Unlike the library's reader, this tells data that is cut short from data that ends.
fn deflate(mut state: Decompress, bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> End {
    let mut chunk = [0; CHUNK_LEN];
    loop {
        let (taken, made) = (state.total_in(), state.total_out());
        if out.len() >= limit {
            return End::Limit;
        }
        let room = CHUNK_LEN.min(limit - out.len());
        let status = state.decompress(
            &bytes[taken as usize..],
            &mut chunk[..room],
            FlushDecompress::None,
        );
        out.extend_from_slice(&chunk[..(state.total_out() - made) as usize]);
        match status {
            Ok(Status::StreamEnd) if state.total_in() == bytes.len() as u64 => return End::Clean,
            Ok(Status::Ok | Status::BufError) if state.total_in() > taken || state.total_out() > made => {}
            Ok(_) | Err(_) => return End::Broken,
        }
    }
}

fn zstd(bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> End {
    let Ok(mut decoder) = zstd::stream::read::Decoder::with_buffer(bytes) else {
        return End::Broken;
    };
    match decoder.window_log_max(ZSTD_WINDOW_LOG_MAX) {
        Ok(()) => pour(decoder, limit, out),
        Err(_) => End::Broken,
    }
}

fn pour(mut from: impl Read, limit: usize, out: &mut Vec<u8>) -> End {
    let mut chunk = [0; CHUNK_LEN];
    loop {
        if out.len() >= limit {
            return End::Limit;
        }
        let room = CHUNK_LEN.min(limit - out.len());
        match from.read(&mut chunk[..room]) {
            Ok(0) => return End::Clean,
            Ok(len) => out.extend_from_slice(&chunk[..len]),
            Err(_) => return End::Broken,
        }
    }
}
