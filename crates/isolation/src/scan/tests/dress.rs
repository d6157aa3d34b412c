//! Encoders.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// A way to dress bytes, and what the scanner calls it.
pub(super) type Dress = (&'static str, fn(&[u8]) -> Vec<u8>);

/// Those that make text, and can be put over one another.
pub(super) const TEXT: [Dress; 12] = [
    ("base64", |bytes| STANDARD.encode(bytes).into_bytes()),
    ("base64", |bytes| URL_SAFE_NO_PAD.encode(bytes).into_bytes()),
    ("base64", wrapped),
    ("base64", |bytes| {
        STANDARD.encode(bytes).replace('/', "\\/").into_bytes()
    }),
    ("hex", |bytes| join(bytes, |byte| format!("{byte:02x}"), "")),
    ("hex", |bytes| join(bytes, |byte| format!("{byte:02X}"), "")),
    ("hex", |bytes| join(bytes, |byte| format!("{byte:02x}"), " ")),
    ("integers", |bytes| join(bytes, u8::to_string, ", ")),
    ("percent", |bytes| join(bytes, |byte| format!("%{byte:02X}"), "")),
    ("unicode escapes", |bytes| {
        by_char(bytes, |char| format!("\\u{:04x}", u32::from(char)))
    }),
    ("html", |bytes| {
        by_char(bytes, |char| format!("&#{};", u32::from(char)))
    }),
    ("html", |bytes| {
        by_char(bytes, |char| format!("&#x{:x};", u32::from(char)))
    }),
];

/// How many of [`TEXT`], from the first, carry any bytes; the others carry text.
pub(super) const CARRIERS: usize = 8;

/// Those that only a canary itself can wear.
pub(super) const INNER: [Dress; 12] = [
    ("", <[u8]>::to_ascii_uppercase),
    ("reversed", |bytes| bytes.iter().rev().copied().collect()),
    ("reversed", |bytes| {
        bytes.iter().rev().map(u8::to_ascii_uppercase).collect()
    }),
    ("utf-16", |bytes| {
        bytes.iter().flat_map(|byte| [*byte, 0]).collect()
    }),
    ("utf-16", |bytes| {
        bytes.iter().flat_map(|byte| [0, *byte]).collect()
    }),
    ("split", |bytes| grouped(bytes, 1, " ")),
    ("split", |bytes| grouped(bytes, 4, "-")),
    ("split", |bytes| grouped(bytes, 5, "\u{200b}")),
    ("split", |bytes| grouped(bytes, 7, "\r\n    ")),
    ("split", |bytes| grouped(bytes, 3, "\\n")),
    ("split", |bytes| grouped(bytes, 2, "\u{ad}")),
    ("", title_case),
];

/// Those that make bytes and say what they are.
pub(super) const MARKED: [Dress; 3] = [("gzip", gzip), ("zlib", zlib), ("zstd", zstd)];

/// Those that make bytes and do not say what they are.
pub(super) const UNMARKED: [Dress; 2] = [("deflate", deflate), ("brotli", brotli)];

fn join(bytes: &[u8], one: impl Fn(&u8) -> String, joint: &str) -> Vec<u8> {
    bytes.iter().map(one).collect::<Vec<_>>().join(joint).into_bytes()
}

fn by_char(bytes: &[u8], one: impl Fn(char) -> String) -> Vec<u8> {
    std::str::from_utf8(bytes)
        .unwrap()
        .chars()
        .map(one)
        .collect::<String>()
        .into_bytes()
}

fn grouped(bytes: &[u8], len: usize, joint: &str) -> Vec<u8> {
    bytes.chunks(len).collect::<Vec<_>>().join(joint.as_bytes())
}

/// As in MIME, but spelt as in JSON.
fn wrapped(bytes: &[u8]) -> Vec<u8> {
    grouped(STANDARD.encode(bytes).as_bytes(), 64, "\\r\\n")
}

/// Every letter after another character in upper case, as Python has it.
fn title_case(bytes: &[u8]) -> Vec<u8> {
    let mut after_letter = false;
    let titled = bytes.iter().map(|byte| {
        let byte = if after_letter {
            *byte
        } else {
            byte.to_ascii_uppercase()
        };
        after_letter = byte.is_ascii_alphabetic();
        byte
    });
    titled.collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    brotli::CompressorWriter::new(&mut out, 4096, 5, 20)
        .write_all(bytes)
        .unwrap();
    out
}
