//! S: secret contamination.

use std::borrow::Cow;

use history::{Audience, Check, Fact, Inbound, Part, Parts, ProbeResult, Role, Source, Step, Tenant};
use isolation::canary::Datum;

use crate::story::{RUN, Story, ask, conn, unknown, valid, violated};

const S: Check = Check::Secret;
const KIND: &str = "secret of another user";

#[test]
fn a_secret_in_an_event() {
    let mut story = Story::clean();
    let secret = story.secret(2);
    story.push(
        91,
        conn(1),
        &format!(r#"{{"deep":[{{"er":"{}"}}]}}"#, secret.long()),
    );
    let finding = violated(&story, S, KIND, 1, 2);
    assert_eq!(
        (finding.conn, finding.encoding.as_str(), finding.count),
        (Some(conn(1)), "plain", 1)
    );
}

#[test]
fn a_secret_in_base64() {
    use base64::Engine as _;
    let mut story = Story::clean();
    let encoded = base64::engine::general_purpose::STANDARD.encode(story.secret(2).long());
    story.push(91, conn(1), &format!(r#"{{"blob":"{encoded}"}}"#));
    assert_eq!(violated(&story, S, KIND, 1, 2).encoding, "base64");
}

#[track_caller]
fn in_bytes(source: Source, bytes: impl Fn(&str) -> String) {
    let mut story = Story::clean();
    let secret = story.secret(2);
    story.raw(91, conn(1), source, bytes(&secret.long()).into_bytes(), vec![]);
    violated(&story, S, KIND, 1, 2);
}

#[test]
fn a_secret_in_any_inbound_bytes() {
    in_bytes(Source::Text, |secret| format!(r#"{{"x":"{secret}"}}"#));
    in_bytes(Source::Binary, |secret| format!("x{secret}"));
    in_bytes(Source::Partial, |secret| format!(r#"{{"x":"{secret}"#));
    in_bytes(Source::Control, |secret| format!("bye {}", &secret[..40]));
    in_bytes(Source::Headers, |secret| format!("x-debug: {secret}\r\n"));
    in_bytes(Source::Body, |secret| format!("<p>{secret}</p>"));
}

#[test]
fn a_secret_split_over_deltas() {
    let mut story = Story::clean();
    let secret = story.secret(2).long();
    let op = story.invoke(91, ask(1, Role::Post));
    for (at, piece) in secret.as_bytes().chunks(9).enumerate() {
        story.delta(92 + at as u64, conn(1), op, std::str::from_utf8(piece).unwrap());
    }
    story
        .done(105, conn(1), op, "{}")
        .complete(105, op, history::Outcome::Ok);
    assert_eq!(violated(&story, S, KIND, 1, 2).op, Some(op));
}

#[test]
fn a_secret_split_over_messages() {
    let mut story = Story::clean();
    let secret = story.secret(2).long();
    let (head, tail) = secret.split_at(20);
    for (at, half) in [head, &tail[..19]].into_iter().enumerate() {
        story.raw(
            91 + at as u64,
            conn(1),
            Source::Binary,
            half.as_bytes().to_vec(),
            vec![],
        );
    }
    violated(&story, S, KIND, 1, 2);
}

#[test]
fn a_head_without_checksum_is_told_apart() {
    let mut story = Story::clean();
    let secret = story.secret(2).long();
    story.push(91, conn(1), &format!(r#"{{"x":"{}"}}"#, &secret[..24]));
    violated(&story, S, "secret of another user (checksum unverified)", 1, 2);
}

#[test]
fn less_than_a_head_is_unknown() {
    let mut story = Story::clean();
    let secret = story.secret(2).long();
    story.push(91, conn(1), &format!(r#"{{"x":"{}"}}"#, &secret[..19]));
    unknown(
        &story,
        S,
        "pieces of canaries too short to be judged reached user 1",
    );
}

#[test]
fn a_piece_of_ones_own_is_fine() {
    let mut story = Story::clean();
    let secret = story.secret(2).long();
    for (at, len) in [8, 10, 12, 21, 24].into_iter().enumerate() {
        story.push(
            91 + at as u64,
            conn(2),
            &format!(r#"{{"x":"{}"}}"#, &secret[..len]),
        );
    }
    valid(&story);
}

#[test]
fn a_stream_that_was_cut_in_its_nonce_is_fine() {
    let mut story = Story::clean();
    let nonce = story.mint(1, Audience::Owner, Datum::Nonce).long();
    let op = story.invoke(91, ask(1, Role::Post));
    story
        .delta(92, conn(1), op, &nonce[..9])
        .delta(93, conn(1), op, &nonce[9..11]);
    story.reply(94, conn(1), Some(op), Step::Error, "{}");
    story.complete(94, op, history::Outcome::Fail("cancelled".into()));
    valid(&story);
}

#[test]
fn a_piece_of_room_content_is_fine_for_members_alone() {
    let mut story = Story::clean();
    let body = story
        .mint(2, Audience::Room(history::Room(1)), Datum::RoomBody)
        .long();
    story.push(91, conn(3), &format!(r#"{{"x":"{}"}}"#, &body[..19]));
    valid(&story);
    story.push(91, conn(1), &format!(r#"{{"x":"{}"}}"#, &body[..19]));
    unknown(&story, S, "too short");
}

#[test]
fn a_tenants_datum_is_for_the_tenant() {
    let mut story = Story::clean();
    let datum = story.mint(2, Audience::Tenant(Tenant(1)), Datum::Secret);
    story.push(91, conn(3), &format!(r#"{{"x":"{}"}}"#, datum.long()));
    valid(&story);
    story.push(91, conn(1), &format!(r#"{{"x":"{}"}}"#, datum.long()));
    violated(&story, S, KIND, 1, 2);
}

#[test]
fn an_authors_note_is_for_the_author() {
    let mut story = Story::clean();
    let note = story.mint(2, Audience::Owner, Datum::Note);
    story.push(91, conn(2), &format!(r#"{{"note":"{}"}}"#, note.long()));
    valid(&story);
    story.push(91, conn(3), &format!(r#"{{"note":"{}"}}"#, note.long()));
    violated(&story, S, "author's note of another user", 3, 2);
}

#[test]
fn a_canary_of_another_run_is_residue() {
    let mut story = Story::clean();
    let mut mint = isolation::canary::Mint::new(history::User(2), RUN - 1).unwrap();
    let old = mint.mint(Audience::Owner, Datum::Secret).unwrap();
    story.push(91, conn(1), &format!(r#"{{"x":"{}"}}"#, old.long()));
    valid(&story);
    let residue = story.judge().residue;
    assert_eq!((residue.count, residue.runs), (1, vec![RUN - 1]));
}

#[test]
fn what_came_before_the_upgrade_is_judged_too() {
    let mut story = Story::clean();
    let secret = story.secret(2).long();
    let bytes = Cow::Owned(format!("x: {secret}").into_bytes());
    let inbound = Inbound {
        conn: conn(1),
        source: Source::Headers,
        bytes,
        parts: Parts::default(),
    };
    story.tell(9, Fact::Inbound(inbound));
    violated(&story, S, KIND, 1, 2);
}

#[test]
fn a_refused_connection_is_judged_too() {
    let mut story = Story::clean();
    let secret = story.secret(2).long();
    let refused = history::Conn(77);
    story.raw(91, refused, Source::Body, secret.into_bytes(), vec![]);
    let (user, replica, reason) = (history::User(1), history::Replica(0), "401".into());
    story.tell(
        92,
        Fact::Refused {
            conn: refused,
            user,
            replica,
            expected: true,
            reason,
        },
    );
    violated(&story, S, KIND, 1, 2);
}

#[test]
fn an_accepted_probe() {
    let mut story = Story::clean();
    story.probe(S, ProbeResult::Accepted);
    violated(&story, S, "probe accepted: secret contamination probe", 1, 2);
}

#[test]
fn no_other_secret_before_proves_nothing() {
    let mut story = Story::clean();
    story.change(|fact| {
        if let Fact::Invoked(invoked) = fact {
            invoked.stores = None;
        }
    });
    unknown(&story, S, "no exposure");
}

#[test]
fn only_what_came_after_anothers_secret_is_exposed() {
    let mut story = Story::empty();
    story.begin(4);
    for (user, from) in [(0, 30), (2, 100)] {
        story.account(user).open(10, conn(user), user, Some(user));
        story.post(from, user);
        story.close(from + 20, conn(user), history::CloseCause::ByPlan);
    }
    story.end(200);
    assert_eq!(story.judge().verdict(S).units, 1);
}

#[test]
fn a_user_who_never_saw_its_own_secret() {
    let mut story = Story::clean();
    let mine = |fact: &Fact<'_>| match fact {
        Fact::Inbound(inbound) => inbound.conn == conn(3),
        _ => false,
    };
    story.without(mine);
    unknown(&story, S, "user 3 never saw its own secret come back");
}

#[test]
fn opaque_bytes_on_a_text_channel() {
    let mut story = Story::clean();
    let noise: Vec<u8> = (0..400_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80)
        .collect();
    story.raw(91, conn(1), Source::Binary, noise, vec![Part::Heartbeat]);
    unknown(&story, S, "could not be looked into");
    unknown(&story, Check::UserId, "could not be looked into");
    story.header(|header| header.text_channels = false);
    valid(&story);
}

#[test]
fn undecodable_messages_on_a_text_channel() {
    let mut story = Story::clean();
    story.inbound(97, conn(1), "}{", Part::Undecodable);
    unknown(
        &story,
        S,
        "1 message on channels declared text could not be decoded",
    );
    unknown(&story, Check::UserId, "could not be decoded");
    unknown(&story, Check::Response, "could not be decoded");
}
