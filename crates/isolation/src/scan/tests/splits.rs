use super::dress::{INNER, TEXT};
use super::{RUN, canary};
use crate::canary::Found;
use crate::scan::{Hit, Medium, Scanner, StreamScanner};

/// All hits over the pieces of one stream.
fn stream(pieces: &[&[u8]]) -> Vec<Hit> {
    let mut scanner = Scanner::new(RUN);
    let mut stream = StreamScanner::new(Medium::Text);
    let mut hits = Vec::new();
    for piece in pieces {
        hits.extend_from_slice(stream.feed(&mut scanner, piece).hits);
    }
    hits.extend_from_slice(stream.finish(&mut scanner).hits);
    hits
}

#[track_caller]
fn check(pieces: &[&[u8]], offset: usize) {
    let hits = stream(pieces);
    assert_eq!(hits.len(), 1, "{hits:?}");
    assert_eq!(hits[0].found, Found::Whole(canary()));
    assert!(
        hits[0].offset.abs_diff(offset as u64) <= 4,
        "{hits:?}, not at {offset}"
    );
}

#[test]
fn two_pieces() {
    for (_, dress) in TEXT.into_iter().chain(INNER) {
        let body = dress(canary().long().as_bytes());
        let text = [b"before it, ", &body[..], b", behind it"].concat();
        for cut in 0..=text.len() {
            check(&[&text[..cut], &text[cut..]], 11);
        }
    }
}

#[test]
fn two_pieces_of_two_layers() {
    for (_, inner) in TEXT {
        let body = TEXT[0].1(&inner(canary().short().as_bytes()));
        let text = [b"\"", &body[..], b"\""].concat();
        for cut in 0..=text.len() {
            check(&[&text[..cut], &text[cut..]], 1);
        }
    }
}

#[test]
fn three_pieces() {
    for (_, dress) in [TEXT[0], TEXT[4]] {
        let body = dress(canary().short().as_bytes());
        for first in 0..=body.len() {
            for second in first..=body.len() {
                check(&[&body[..first], &body[first..second], &body[second..]], 0);
            }
        }
    }
    let body = canary().long().into_bytes();
    for first in 0..=body.len() {
        for second in first..=body.len() {
            check(&[&body[..first], &body[first..second], &body[second..]], 0);
        }
    }
}

#[test]
fn single_bytes() {
    for (_, dress) in TEXT.into_iter().chain(INNER) {
        let body = dress(canary().long().as_bytes());
        let pieces: Vec<&[u8]> = body.chunks(1).collect();
        check(&pieces, 0);
    }
}

#[test]
fn two_canaries_are_two_hits() {
    let text = format!("{0} anew: {0}", canary().long());
    for len in 1..text.len() {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(len).collect();
        let offsets: Vec<u64> = stream(&pieces).iter().map(|hit| hit.offset).collect();
        assert_eq!(offsets, [0, 103], "pieces of {len}");
    }
}

#[test]
fn a_beginning_without_its_rest_is_told_at_the_end() {
    let head = &canary().short()[..25];
    let hits = stream(&[b"so it ends: ", head.as_bytes()]);
    assert_eq!(hits.len(), 1);
    assert!(matches!(hits[0].found, Found::Head(_)));
    assert_eq!((hits[0].offset, hits[0].end), (12, 37));
}

#[test]
fn complete_documents_leave_nothing_behind() {
    let mut scanner = Scanner::new(RUN);
    let mut stream = StreamScanner::new(Medium::Text);
    stream.feed(&mut scanner, br#"{"re":"1","delta":{"n":0,"text":"z3qx7v"}}"#);
    assert_eq!(stream.kept(), 0);
    stream.feed(&mut scanner, b"z3qx7v");
    assert_eq!(stream.kept(), 6);
}
