use history::{Audience, Room, Serial, Tenant, User};
use proptest::prelude::*;

use super::mint::marked_once;
use super::{
    BLOCK_LEN, Canary, Datum, Found, HEAD_LEN, Kind, LONG_LEN, MARKER, MARKER_LEN, Mint, MintError,
    NUMBER_END, RUN_END, Standing, WINDOW_LEN,
};

fn found(text: &[u8]) -> Option<Found> {
    Some(Standing::at(text, 0)?.found())
}

fn any_canary() -> impl Strategy<Value = Canary> {
    let kind = prop_oneof![Just(Kind::Owner), Just(Kind::Room), Just(Kind::Tenant)];
    let datum = (0..8_usize).prop_map(|at| Datum::ALL[at]);
    let numbers = (0..NUMBER_END, 0..NUMBER_END, 0..RUN_END, 0..NUMBER_END);
    (kind, datum, numbers).prop_map(|(kind, datum, (owner, audience, run, serial))| Canary {
        owner: User(owner),
        kind,
        datum,
        audience: if kind == Kind::Owner { owner } else { audience },
        run,
        serial: Serial(serial),
    })
}

fn example() -> Canary {
    let mut mint = Mint::new(User(11), 4711).unwrap();
    mint.mint(Audience::Room(Room(3)), Datum::RoomBody).unwrap()
}

#[test]
fn the_layout_is_fixed() {
    assert_eq!(example().short(), "z3qx7vw6aaalnaaadaaethaaaasgfwjd");
}

#[test]
fn the_marker_is_unbordered() {
    for len in 1..MARKER_LEN {
        assert_ne!(MARKER[..len], MARKER[MARKER_LEN - len..]);
    }
}

#[test]
fn serials_never_repeat_over_classes() {
    let mut mint = Mint::new(User(1), 1).unwrap();
    let first = mint.mint(Audience::Owner, Datum::Secret).unwrap();
    let second = mint.mint(Audience::Tenant(Tenant(2)), Datum::Email).unwrap();
    assert_eq!((first.serial, second.serial), (Serial(0), Serial(1)));
    assert_eq!(first.seen_by(), Audience::Owner);
    assert_eq!(second.seen_by(), Audience::Tenant(Tenant(2)));
}

#[test]
fn what_does_not_fit_is_refused() {
    let too_big = |field, value, end| MintError::OutOfRange { field, value, end };
    assert_eq!(
        Mint::new(User(NUMBER_END), 0).unwrap_err(),
        too_big("user", NUMBER_END, NUMBER_END)
    );
    assert_eq!(
        Mint::new(User(0), RUN_END).unwrap_err(),
        too_big("run", RUN_END, RUN_END)
    );
    let mut mint = Mint::new(User(0), 0).unwrap();
    let room = Audience::Room(Room(NUMBER_END));
    assert_eq!(
        mint.mint(room, Datum::Name).unwrap_err(),
        too_big("audience", NUMBER_END, NUMBER_END)
    );
    assert_eq!(
        mint.mint(Audience::OwnTenant, Datum::Name).unwrap_err(),
        MintError::Unnumbered
    );
}

#[test]
fn a_mint_ends() {
    let mut mint = Mint::new(User(0), 0).unwrap();
    mint.next = NUMBER_END - 1;
    mint.mint(Audience::Owner, Datum::Nonce).unwrap();
    let end = mint.mint(Audience::Owner, Datum::Nonce);
    assert_eq!(end.unwrap_err(), MintError::Exhausted { owner: User(0) });
}

#[test]
fn an_accidental_marker_is_seen() {
    let mut block = example().block();
    assert!(marked_once(&block));
    block[13..21].copy_from_slice(MARKER);
    assert!(!marked_once(&block));
}

#[test]
fn a_kind_of_audience_that_does_not_exist_is_no_canary() {
    let mut block = example().block();
    block[12] = b'7';
    assert!(matches!(found(&block), Some(Found::Fragment(_))));
}

proptest! {
    #[test]
    fn a_block_is_read_back(canary in any_canary()) {
        let block = canary.block();
        prop_assert_eq!(Canary::decode(&block), Some(canary));
        prop_assert_eq!(Canary::decode(&block.map(|byte| byte.to_ascii_uppercase())), Some(canary));
        prop_assert_eq!(canary.long(), canary.short().repeat(3));
    }

    #[test]
    fn every_window_is_read_back(canary in any_canary().prop_filter("marked once", |canary| marked_once(&canary.block()))) {
        let long = canary.long();
        for from in 0..=LONG_LEN - WINDOW_LEN {
            let window = &long.as_bytes()[from..from + WINDOW_LEN];
            prop_assert_eq!(Canary::recover(window), Some(canary), "at {}", from);
        }
    }

    #[test]
    fn up_to_four_wrong_symbols_are_seen(canary in any_canary(), places in prop::collection::vec((0..BLOCK_LEN, 1..32_u8), 1..=4)) {
        let mut block = canary.block();
        let intact = block;
        for (at, shift) in places {
            let value = super::symbol(intact[at]).unwrap() ^ shift;
            block[at] = super::letter(value);
        }
        prop_assert_eq!(Canary::decode(&block), None);
    }

    #[test]
    fn a_cut_block_is_a_head_or_a_fragment(canary in any_canary(), len in MARKER_LEN..BLOCK_LEN) {
        let block = canary.block();
        match found(&block[..len]) {
            Some(Found::Head(head)) => {
                prop_assert!(len >= HEAD_LEN);
                prop_assert!(head.begins(&canary));
                prop_assert_eq!(head.seen_by(), canary.seen_by());
            }
            Some(Found::Fragment(fragment)) => {
                prop_assert!(len < HEAD_LEN);
                prop_assert_eq!(fragment.text(), &block[..len]);
                prop_assert!(fragment.begins(&canary));
                prop_assert_eq!(fragment.owner(), (len >= 12).then_some(canary.owner));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_canary(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(Canary::recover(&bytes), None);
    }
}

#[test]
fn symbols_are_those_of_base32_in_either_case() {
    let symbols = "abcdefghijklmnopqrstuvwxyz234567";
    for byte in 0..=u8::MAX {
        let value = symbols.find(char::from(byte).to_ascii_lowercase());
        let expect = value.filter(|_| byte.is_ascii()).map(|value| value as u8);
        assert_eq!(super::symbol(byte), expect, "{byte}");
    }
}

#[test]
fn the_marker_in_any_case_is_one_and_nothing_else_is() {
    for at in 0..MARKER_LEN {
        for byte in 0..=u8::MAX {
            let mut text = *MARKER;
            text[at] = byte;
            let own = text.eq_ignore_ascii_case(MARKER);
            assert_eq!(super::is_marked(&text), own, "{byte} at {at}");
            assert!(!super::is_marked(&text[1..]));
        }
    }
}
