//! Canaries and the scanner: no bytes make it panic, and what was planted is found however it is dressed and embedded.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use history::{Audience, Room, Tenant, User};
use isolation::canary::{BLOCK_LEN, Canary, Datum, Found, Mint, NUMBER_END, RUN_END, WINDOW_LEN};
use isolation::scan::{Medium, Scanner, StreamScanner, ids};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// The scanner's own bound of what one scan reports.
const HITS_MAX: usize = 65_536;

/// Most characters of dress for one of a canary that is found over the end of a piece.
const CARRIED_PER_CHARACTER: usize = 7;

fuzz_target!(|data: &[u8]| {
    raw(data);
    block(data);
    // too few bytes for a plan are no input
    let _ = planted(Unstructured::new(data));
});

/// Any bytes: hits lie within, the same bytes give the same hits.
fn raw(data: &[u8]) {
    let mut scanner = Scanner::new(7);
    for medium in [Medium::Text, Medium::Binary] {
        let scanned = scanner.scan(data, medium);
        let (hits, opaque) = (scanned.hits.to_vec(), scanned.opaque);
        assert!(hits.len() <= HITS_MAX);
        assert!(hits.iter().all(|hit| hit.offset < hit.end && hit.end <= data.len() as u64));
        let again = scanner.scan(data, medium);
        assert_eq!((again.hits, again.opaque), (&hits[..], opaque));
    }
    ids::find(data, |id| {
        let (ids::Id::Uuid { at, .. } | ids::Id::Run { at, .. }) = id;
        assert!(at < data.len());
    });
}

/// A block that decodes encodes to itself, and any window of its long form gives it back.
fn block(data: &[u8]) {
    let Some(block) = data.first_chunk::<BLOCK_LEN>() else { return };
    let Some(canary) = Canary::decode(block) else { return };
    assert_eq!(canary.block().as_slice(), block.to_ascii_lowercase());
    let long = canary.long();
    for from in 0..=long.len() - WINDOW_LEN {
        assert_eq!(Canary::recover(&long.as_bytes()[from..from + WINDOW_LEN]), Some(canary));
    }
}

/// A planted canary among any bytes, in one piece and in many.
fn planted(mut input: Unstructured<'_>) -> Result<()> {
    let canary = canary(&mut input)?;
    let long = input.arbitrary()?;
    let text = if long { canary.long() } else { canary.short() };
    let dressed = dress(&mut input, text.as_bytes())?;
    let before: Vec<u8> = input.arbitrary()?;
    let cuts: Vec<usize> = input.arbitrary()?;
    let after = input.take_rest();
    let message = [&before[..], b"{\"body\":\"", &dressed, b"\"}", after].concat();

    let mut scanner = Scanner::new(canary.run);
    let scanned = scanner.scan(&message, Medium::Text);
    let seen = scanned.hits.iter().any(|hit| hit.found == Found::Whole(canary));
    assert!(seen || scanned.opaque > 0, "missed in one piece");

    // what is longer is promised within one piece only
    if dressed.len() > CARRIED_PER_CHARACTER * text.len() {
        return Ok(());
    }
    let mut stream = StreamScanner::new(Medium::Text);
    let (mut seen, mut opaque, mut rest) = (false, 0, &message[..]);
    let mut look = |scanned: isolation::scan::Scanned<'_>| {
        seen |= scanned.hits.iter().any(|hit| hit.found == Found::Whole(canary));
        opaque += scanned.opaque;
    };
    for cut in cuts {
        let (piece, tail) = rest.split_at(cut % (rest.len() + 1));
        look(stream.feed(&mut scanner, piece));
        rest = tail;
    }
    look(stream.feed(&mut scanner, rest));
    look(stream.finish(&mut scanner));
    assert!(seen || opaque > 0, "missed in pieces");
    Ok(())
}

fn canary(input: &mut Unstructured<'_>) -> Result<Canary> {
    let audience = match input.int_in_range(0..=2)? {
        0 => Audience::Owner,
        1 => Audience::Room(Room(input.int_in_range(0..=NUMBER_END - 1)?)),
        _ => Audience::Tenant(Tenant(input.int_in_range(0..=NUMBER_END - 1)?)),
    };
    let datum = *input.choose(&[Datum::Secret, Datum::Nonce, Datum::Title, Datum::Email, Datum::Note, Datum::Name])?;
    let (owner, run) = (input.int_in_range(0..=NUMBER_END - 1)?, input.int_in_range(0..=RUN_END - 1)?);
    let mut mint = Mint::new(User(owner), run).expect("the numbers fit");
    Ok(mint.mint(audience, datum).expect("the first serial fits"))
}

/// Up to two layers that the scanner promises to take off.
fn dress(input: &mut Unstructured<'_>, text: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = text.to_vec();
    for _ in 0..input.int_in_range(0..=2)? {
        bytes = match input.int_in_range(0..=7)? {
            0 => STANDARD.encode(&bytes).into_bytes(),
            1 => URL_SAFE_NO_PAD.encode(&bytes).into_bytes(),
            2 => each(&bytes, |byte| format!("{byte:02x}")),
            3 => each(&bytes, |byte| format!("{byte:02X} ")),
            4 => each(&bytes, |byte| format!("%{byte:02X}")),
            5 => each(&bytes, |byte| format!("\\u{byte:04x}")),
            6 => each(&bytes, |byte| format!("&#{byte};")),
            _ => each(&bytes, |byte| format!("{byte}, ")),
        };
    }
    Ok(bytes)
}

fn each(bytes: &[u8], one: impl Fn(&u8) -> String) -> Vec<u8> {
    bytes.iter().map(one).collect::<String>().into_bytes()
}
