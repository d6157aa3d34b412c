//! Runs made by hand, for the tests of all forms of a report.

use std::collections::BTreeMap;
use std::path::Path;

use history::{At, Audience, Check, Conn, Op, Place, PoolFigures, Round, RunHeader, Serial, User};
use isolation::{
    CheckVerdict, Difference, Evidence, Excerpt, Finding, Judgement, LastStep, LostAck, LostAcks,
    NON_INTERFERENCE, NonInterference, PoolHygiene, ProbeCount, Residue, Situation, State, Weakest,
    upper_bound,
};
use perf::{Fairness, Outcomes, Performance, RoundFigures, Serialisation, Spread, StageTime};

use super::Report;
use crate::judge::Judged;

/// Six times valid, every gate met.
pub(crate) fn valid() -> Judged {
    Judged {
        header: header(),
        interrupted: false,
        judgement: judgement(),
        evidence: vec![],
        performance: performance(),
        users: BTreeMap::new(),
    }
}

/// A secret of user 7 reached user 3, and a gate was missed; an interrupt came, too.
pub(crate) fn violated() -> Judged {
    let mut judged = valid();
    judged.header.gates.push("latency_p99 < 5ms".into());
    let verdict = &mut judged.judgement.verdicts[2];
    (verdict.state, verdict.violations, verdict.bound) = (State::Violated, 1, None);
    let verdict = &mut judged.judgement.verdicts[3];
    (verdict.state, verdict.units, verdict.events, verdict.bound) = (State::Unknown, 0, 0, None);
    verdict.reasons = vec!["the required situation cancelled_reply never occurred".into()];
    judged.judgement.findings = vec![finding()];
    judged.evidence = vec![evidence()];
    judged.judgement.lost_acks = Some(LostAcks {
        count: 1,
        named: vec![LostAck {
            user: User(4),
            serial: Serial(9),
            op: Op::of(Conn(2), 8),
        }],
    });
    judged.judgement.pool_hygiene.findings = vec!["sqlx: role set to stress_7".into()];
    judged.judgement.problems = vec!["a service was lost in mid-run: agent (was ended by SIGKILL)".into()];
    judged.performance.users_without_success = Some(vec![User(4)]);
    judged
}

/// Somebody was answered differently in company.
pub(crate) fn interfered() -> Judged {
    let mut judged = valid();
    judged.header.planes.push(NON_INTERFERENCE.into());
    judged.judgement.non_interference = Some(NonInterference {
        state: State::Violated,
        reasons: vec![],
        violations: 1,
        scripts: 2,
        steps: 240,
        exposed: 180,
        units: 52,
        bound: None,
        events: 96,
        controls: 240,
        repeated: 0,
        differences: vec![Difference {
            kind: "another answer in company than alone".into(),
            observer: User(12),
            victim: None,
            script: 0,
            step: "step 17, ListThreads over connection 2".into(),
            pointer: "/ok/total".into(),
            alone: "2".into(),
            together: "31".into(),
            conn: Some(Conn(2_097_170)),
            op: Some(Op(2_097_170 << 32 | 17)),
            place: Place {
                worker: 2,
                index: 900,
            },
            at: At(2_204_000_000),
            alone_place: None,
            count: 3,
        }],
        not_covered: "timing".into(),
    });
    judged
}

/// Nothing happened at all.
pub(crate) fn empty() -> Judged {
    let mut judged = valid();
    for verdict in &mut judged.judgement.verdicts {
        let check = verdict.check;
        *verdict = self::verdict(check);
        (verdict.state, verdict.units, verdict.events, verdict.bound) = (State::Unknown, 0, 0, None);
        (verdict.probes, verdict.weakest) = (ProbeCount::default(), None);
        verdict.reasons = vec!["12 users never connected".into()];
    }
    judged.judgement.lost_acks = None;
    judged.judgement.situations = vec![];
    judged.performance = Performance {
        planes: Some(judged.header.planes.clone()),
        ..Performance::default()
    };
    judged
}

/// What is printed of it.
pub(crate) fn report(judged: &Judged) -> Report {
    Report::of(judged, Path::new("/runs/20260102-030405-01a2b3c")).unwrap()
}

fn header() -> RunHeader {
    RunHeader {
        version: 1,
        run: 0x01a_2b3c,
        seed: 42,
        started_unix_ms: 1_767_323_045_000,
        target: "reference".into(),
        users: 12,
        tenants: 3,
        rounds: 3,
        planes: ["isolation", "performance", "dbpool"].map(str::to_owned).to_vec(),
        gates: perf::GateSet::floors()
            .gates()
            .iter()
            .map(ToString::to_string)
            .collect(),
        not_applicable: vec![],
        unseen: vec![],
        revocation_grace_ms: 1_000,
        text_channels: true,
        identity_audience: Audience::OwnTenant,
        repeat: "cargo xtask e2e --seed 42".into(),
        notes: vec![
            "postgresql 17.2, installed".into(),
            "password hashing reduced".into(),
        ],
    }
}

fn judgement() -> Judgement {
    Judgement {
        verdicts: Check::ALL.map(verdict),
        findings: vec![],
        lost_acks: Some(LostAcks::default()),
        residue: Residue::default(),
        opaque_bytes: 0,
        undecodable: 0,
        situations: vec![Situation {
            name: "cancelled_reply".into(),
            count: 118,
            required_by: vec![Check::Response],
        }],
        probes: ProbeCount {
            refused: 156,
            total: 156,
        },
        pool_hygiene: PoolHygiene {
            checked: 400,
            findings: vec![],
        },
        problems: vec![],
        non_interference: None,
    }
}

fn verdict(check: Check) -> CheckVerdict {
    let weakest = Weakest {
        situation: "cancelled_reply".into(),
        count: 118,
        bound: upper_bound(118).unwrap(),
    };
    CheckVerdict {
        check,
        state: State::Valid,
        reasons: vec![],
        violations: 0,
        units: 612,
        events: 48_210,
        bound: upper_bound(612),
        probes: ProbeCount {
            refused: 26,
            total: 26,
        },
        weakest: (check == Check::Response).then_some(weakest),
        not_covered: "timing".into(),
    }
}

fn finding() -> Finding {
    Finding {
        check: Check::Secret,
        kind: "foreign secret".into(),
        observer: User(3),
        victim: Some(User(7)),
        conn: Some(Conn(2_097_155)),
        op: Some(Op(2 << 32 | 17)),
        place: Place {
            worker: 2,
            index: 841,
        },
        at: At(1_204_000_000),
        encoding: "plain".into(),
        detail: "a message's body, told to nobody but its owner".into(),
        count: 2,
        needle: None,
    }
}

fn evidence() -> Evidence {
    let step = |at_ms: u64, what: &str| LastStep {
        at: At(at_ms * 1_000_000),
        place: Place::default(),
        what: what.into(),
    };
    let (before, leak) = (r#"{"ev":"room.message","data":{"body":""#, "ctalkq3wabcd2abcd");
    Evidence {
        finding: 0,
        excerpt: Some(Excerpt {
            text: format!("{before}{leak}\"}}}}"),
            highlight: Some(before.len()..before.len() + leak.len()),
        }),
        pointer: Some("/data/body".into()),
        observer_id: Some("id-3".into()),
        victim_id: Some("id-7".into()),
        observer_steps: vec![step(1_190, "asked FindThread on connection 2097155: ok")],
        victim_steps: vec![
            step(1_100, "asked Post on connection 1048579: ok"),
            step(1_180, "logged out"),
        ],
    }
}

fn performance() -> Performance {
    let spread = |mean: f64| Spread {
        count: 1_204,
        min: 900,
        mean,
        median: 3_200,
        p90: 8_100,
        p95: 9_500,
        p99: 22_000,
        p999: 38_000,
        max: 40_300,
    };
    let outcomes = Outcomes {
        ok: 1_204,
        failed: 0,
        unanswered: 0,
    };
    let round = |round, rate| RoundFigures {
        round: Round(round),
        outcomes: Outcomes {
            ok: 401,
            failed: 0,
            unanswered: 0,
        },
        window_us: Some(1_000_000),
        throughput_per_s: Some(rate),
        latency_us: Some(spread(4_120.0)),
    };
    let rounds = vec![round(1, 402.1), round(2, 410.0), round(3, 408.3)];
    let stage = |name: &str, us| StageTime {
        name: name.into(),
        us,
    };
    Performance {
        planes: Some(header().planes),
        users_planned: Some(12),
        rounds_planned: Some(3),
        outcomes,
        latency_us: Some(spread(4_120.0)),
        connect_us: Some(spread(3_050.0)),
        rounds,
        throughput_per_s: Some(402.1),
        round_spread: Some(0.019),
        fairness: Some(Fairness {
            throughput: 0.991,
            latency: 0.984,
        }),
        users_without_success: Some(vec![]),
        in_flight_max: Some(12),
        serialisation: Some(Serialisation {
            solo_us_mean: 2_000.0,
            burst_makespan_us: 6_000,
            burst_posts: 12,
            ratio: 0.25,
        }),
        database: Some(perf::Database {
            success: Some(1.0),
            efficiency: Some(0.93),
            in_flight_max: 24,
            wait_us: Some([900, 4_000, 7_000]),
            timeouts: 0,
        }),
        pools: vec![pool("deadpool-postgres", true), pool("gateway-0 db", false)],
        stages: vec![
            stage("start", 1_210_000),
            stage("drive", 2_900_000),
            stage("stop", 120_000),
        ],
        total_us: Some(4_310_000),
        ..Performance::default()
    }
}

fn pool(label: &str, stress: bool) -> PoolFigures {
    PoolFigures {
        label: label.into(),
        stress,
        size: 4,
        in_flight_max: 24,
        ok: 400,
        failed: 0,
        timeouts: 0,
        wait_us: Some([900, 4_000, 7_000]),
        hold_us: stress.then_some([300, 1_000, 2_000]),
        used_us: 930,
        available_us: 1_000,
        hygiene_checked: if stress { 400 } else { 0 },
        hygiene_findings: vec![],
    }
}
