//! It does not matter how many judges there were, nor in which order they met.

use std::collections::BTreeMap;

use history::{
    Audience, Check, Conn, Event, Fact, Op, Outcome, Part, Place, PoolFigures, ProbeResult, Replica, Role,
    Round, Source, Step, User,
};
use isolation::canary::{Datum, Mint};
use isolation::{Explainer, Judge, Judgement};
use proptest::prelude::*;

use crate::story::{Ask, RUN, Story, ask, conn, span, thread_id, token, user_id};

/// A run with something of everything in it.
fn eventful() -> Story {
    let mut story = Story::clean();
    let secret = story.secret(2);
    let body = story.mint(0, Audience::Room(history::Room(0)), Datum::RoomBody);
    story
        .member(0, 3, true, span(40, 50))
        .member(0, 3, false, span(200, 300));
    story.exchange(
        88,
        89,
        Ask {
            stores: Some(body.serial),
            ..ask(0, Role::PostRoom)
        },
        "{}",
    );
    for at in [89, 250, 400] {
        story.push(at, conn(3), &format!(r#"{{"body":"{}"}}"#, body.long()));
        story.push(at, conn(1), &format!(r#"{{"body":"{}"}}"#, &secret.long()[..30]));
        story.push(
            at,
            conn(0),
            &format!(r#"{{"x":"{}","y":"{}"}}"#, user_id(3), thread_id(2)),
        );
        story.push(at, Conn(20), &format!(r#"{{"token":"{}"}}"#, token(1)));
    }
    story.create_thread(24, 3, 0).identified(1, 2);
    let nonce = story.mint(1, Audience::Owner, Datum::Nonce);
    let older = story.mint(1, Audience::Owner, Datum::Nonce);
    story.post_echoing(96, 1, nonce, older);
    let cut = story.invoke(1640, ask(2, Role::Post));
    let start = nonce.long()[..15].to_owned();
    story
        .delta(1641, conn(2), cut, &start)
        .complete(1650, cut, Outcome::Info("timeout".into()));
    story
        .probe(Check::Boundary, ProbeResult::Lost)
        .probe(Check::Token, ProbeResult::Accepted);
    story.push(1300, Conn(20), "{}");
    mishaps(&mut story);
    story
}

/// What is not as it should be, and counted.
fn mishaps(story: &mut Story) {
    let late = story.mint(0, Audience::Room(history::Room(0)), Datum::RoomBody);
    story.exchange(
        398,
        399,
        Ask {
            stores: Some(late.serial),
            ..ask(0, Role::PostRoom)
        },
        "{}",
    );
    story.push(400, conn(3), &format!(r#"{{"body":"{}"}}"#, late.long()));
    let piece = story.secret(3).long();
    story.push(401, conn(0), &format!(r#"{{"x":"{}"}}"#, &piece[..15]));
    let misfiled = story.secret(1);
    story.audit_row(2, 1, &misfiled);
    let mut old = Mint::new(User(2), RUN - 1).unwrap();
    let residue = old.mint(Audience::Owner, Datum::Secret).unwrap();
    story.push(91, conn(1), &format!(r#"{{"x":"{}"}}"#, residue.long()));
    story.raw(92, conn(2), Source::Text, b"}{".to_vec(), vec![Part::Undecodable]);
    let noise = (0..400_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80);
    story.raw(93, conn(3), Source::Binary, noise.collect(), vec![]);
    story.tell(
        94,
        Fact::Completed {
            op: Op(9999),
            outcome: Outcome::Ok,
        },
    );
    story.tell(
        95,
        Fact::ServiceDied {
            name: "agent".into(),
            detail: "signal 9".into(),
        },
    );
    story.tell(
        96,
        Fact::PhaseBegan {
            phase: 2,
            name: "two".into(),
            round: Round(1),
            measured: true,
        },
    );
    let (size, hygiene_findings) = (4, vec!["a lock".into()]);
    for (label, hygiene_checked) in [("sqlx", 1), ("deadpool-postgres", 20), ("sqlx", 300)] {
        let (label, hygiene_findings) = (label.into(), hygiene_findings.clone());
        let figures = PoolFigures {
            label,
            size,
            hygiene_checked,
            hygiene_findings,
            ..PoolFigures::default()
        };
        story.tell(1600, Fact::Pool(Box::new(figures)));
    }
    for (replica, count) in [(0, 1), (1, 20), (2, 300)] {
        let (name, replica, required_by) = ("resumed".into(), Replica(replica), vec![Check::Boundary]);
        story.tell(
            1601,
            Fact::Situation {
                name,
                replica,
                count,
                required_by,
            },
        );
    }
    let lost = story.post(1610, 2).long().into_bytes();
    story.without(|fact| matches!(fact, Fact::AuditRow(row) if *row.body == *lost));
}

type Told = Vec<(Place, Event<'static>)>;

/// Deals the events to `judges`: connections as `of_conn` says, other facts as `of_fact` does.
fn deal(told: &Told, judges: usize, of_conn: &[usize], of_fact: &[usize]) -> Vec<Told> {
    let mut homes: BTreeMap<Op, Conn> = BTreeMap::new();
    let mut hands = vec![Vec::new(); judges];
    for (at, (place, event)) in told.iter().enumerate() {
        if let Fact::Invoked(invoked) = &event.fact {
            homes.insert(invoked.op, invoked.conn);
        }
        let home = match &event.fact {
            Fact::Opened { conn, .. } | Fact::Refused { conn, .. } | Fact::Closed { conn, .. } => Some(*conn),
            Fact::Invoked(invoked) => Some(invoked.conn),
            Fact::Inbound(inbound) => Some(inbound.conn),
            Fact::Completed { op, .. } => homes.get(op).copied(),
            _ => None,
        };
        let hand = match home {
            Some(conn) => of_conn[conn.0 as usize % of_conn.len()],
            None => of_fact[at % of_fact.len()],
        };
        hands[hand % judges].push((*place, event.clone()));
    }
    hands
}

fn judge(told: &Told) -> Judge {
    let mut judge = Judge::new(RUN);
    for (place, event) in told {
        judge.observe(*place, event);
    }
    judge
}

/// Merges in the order and with the brackets that `picks` tell.
fn merge(mut judges: Vec<Judge>, picks: &[usize]) -> Judgement {
    for pick in picks.iter().cycle() {
        if judges.len() == 1 {
            break;
        }
        let one = judges.remove(pick % judges.len());
        let other = judges.remove(pick / 7 % judges.len());
        judges.push(one.merge(other));
    }
    judges.remove(0).finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_partition_merged_in_any_order_gives_one_judgement(
        judges in 1_usize..6,
        of_conn in prop::collection::vec(0_usize..6, 7),
        of_fact in prop::collection::vec(0_usize..6, 1..40),
        picks in prop::collection::vec(0_usize..49, 1..8),
    ) {
        let told = eventful().events();
        let whole = judge(&told).finish();
        let hands = deal(&told, judges, &of_conn, &of_fact);
        prop_assert_eq!(merge(hands.iter().map(judge).collect(), &picks), whole);
    }
}

#[test]
fn an_eventful_run_violates_every_check() {
    let judgement = eventful().judge();
    for verdict in &judgement.verdicts {
        assert_eq!(verdict.state, isolation::State::Violated, "{verdict}");
    }
}

fn any_part() -> impl Strategy<Value = Part<'static>> {
    let step = prop_oneof![
        Just(Step::Ack),
        Just(Step::Delta),
        Just(Step::Done),
        Just(Step::Error)
    ];
    let reply = (prop::option::of(0_u64..60), step, prop::option::of(".{0,40}"));
    prop_oneof![
        reply.prop_map(|(op, step, text)| Part::Reply {
            op: op.map(Op),
            step,
            text: text.map(Into::into)
        }),
        any::<bool>().prop_map(|content| Part::Event {
            kind: "x".into(),
            content
        }),
        Just(Part::Heartbeat),
        Just(Part::Undecodable),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_in_is_survived(
        messages in prop::collection::vec(
            (0_u64..1700, 0_u32..24, prop::collection::vec(any::<u8>(), 0..80), prop::collection::vec(any_part(), 0..3)),
            0..20,
        ),
    ) {
        let mut story = Story::clean();
        for (at, conn, bytes, parts) in messages {
            story.raw(at, Conn(conn), Source::Text, bytes, parts);
        }
        let judgement = story.judge();
        let mut explainer = Explainer::new(&judgement);
        for (place, event) in &story.events() {
            explainer.observe(*place, event);
        }
        prop_assert_eq!(explainer.finish().len(), judgement.findings.len());
    }
}
