use serde_json::json;

use super::*;

/// A run: exit code, checks that caught it, firings, opportunities, whether the people match.
fn fought(mutant: &str, exit: u8, caught_by: &[char], [fired, had]: [u64; 2], matched: bool) -> Fought {
    let said = json!({
        "run": { "seed": 7, "users": 12, "repeat": "cargo xtask e2e --seed 7" },
        "isolation": {
            "violations": caught_by.len(),
            "checks": [{ "letter": "S", "state": "violated", "events": 500, "units": 60, "text": "S violated" }],
            "findings": caught_by.iter().map(|_| json!({ "at_us": 1_500_000 })).collect::<Vec<_>>(),
        },
        "drill": {
            "fired": fired, "opportunities": had, "acted": fired, "caught_by": caught_by, "matched": matched, "summary": "so it went",
        },
        "problems": [],
    });
    Fought {
        mutant: Some(mutant.to_owned()),
        exit_code: Some(exit.into()),
        seconds: 6.0,
        said: serde_json::from_value(said).unwrap(),
        complaint: None,
        dir: None,
    }
}

fn clean(exit: u8, violations: u64) -> Fought {
    let said = json!({
        "run": { "seed": 8, "users": 12, "repeat": "cargo xtask e2e --seed 8" },
        "isolation": {
            "violations": violations,
            "checks": [{ "letter": "S", "state": "valid", "events": 900, "units": 90, "text": "S valid" }],
            "findings": [],
        },
        "drill": null,
        "problems": [],
    });
    Fought {
        mutant: None,
        exit_code: Some(exit.into()),
        seconds: 6.0,
        said: serde_json::from_value(said).unwrap(),
        complaint: None,
        dir: None,
    }
}

fn leak() -> Mutant {
    Mutant {
        name: "leak".to_owned(),
        checks: "SR".to_owned(),
        traffic: Vec::new(),
    }
}

#[track_caller]
fn check(rate: f64, run: Fought, expect: Outcome, exit: Exit) {
    let matrix = Matrix::of(&[leak()], rate, vec![run, clean(0, 0)]);
    assert_eq!((matrix.rows[0].outcome, matrix.exit()), (expect, exit));
}

#[test]
fn caught_means_by_an_expected_check_with_the_right_people() {
    use Outcome::{Caught, Failed, Missed, NeverFired, TooFew, Undrawn, WrongPeople};
    check(1.0, fought("leak", 10, &['S'], [3, 9], true), Caught, Exit::Done);
    check(
        1.0,
        fought("leak", 10, &['S'], [3, 9], false),
        WrongPeople,
        Exit::Error,
    );
    check(1.0, fought("leak", 10, &['U'], [3, 9], true), Missed, Exit::Error);
    check(1.0, fought("leak", 0, &[], [3, 9], false), Missed, Exit::Error);
    check(1.0, fought("leak", 12, &['S'], [3, 9], true), Missed, Exit::Error);
    check(
        1.0,
        fought("leak", 0, &[], [0, 0], false),
        NeverFired,
        Exit::Error,
    );
    check(0.01, fought("leak", 0, &[], [1, 200], false), TooFew, Exit::Done);
    check(0.01, fought("leak", 0, &[], [3, 400], false), Missed, Exit::Error);
    check(
        0.01,
        fought("leak", 0, &[], [0, 400], false),
        Undrawn,
        Exit::Error,
    );
    let broken = Fought {
        said: None,
        complaint: Some("no services".to_owned()),
        ..fought("leak", 13, &[], [0, 0], false)
    };
    check(1.0, broken, Failed, Exit::Error);
}

#[test]
fn one_bad_run_spoils_a_row() {
    let runs = vec![
        fought("leak", 10, &['S'], [3, 9], true),
        fought("leak", 0, &[], [3, 9], false),
    ];
    let matrix = Matrix::of(&[leak()], 1.0, runs);
    assert_eq!(
        (matrix.rows[0].outcome, matrix.rows[0].kills),
        (Outcome::Missed, 1)
    );
}

#[test]
fn a_run_that_by_chance_took_no_opportunity_counts_for_nothing_beside_one_that_took_some() {
    let runs = vec![
        fought("leak", 0, &[], [0, 400], false),
        fought("leak", 10, &['S'], [3, 400], true),
    ];
    let matrix = Matrix::of(&[leak()], 0.01, runs);
    assert_eq!(
        (matrix.rows[0].outcome, matrix.exit()),
        (Outcome::Caught, Exit::Done)
    );
    let screen = matrix.screen(Paint::PLAIN);
    let why =
        "leak: took none of 400 opportunities in a run, as 1.8 % of such runs do, and was drawn again\n";
    assert!(screen.contains(why), "{screen}");
}

#[test]
fn clean_runs_must_be_silent() {
    let exit = |run| Matrix::of(&[], 1.0, vec![clean(0, 0), run]).exit();
    assert_eq!(exit(clean(0, 0)), Exit::Done);
    assert_eq!(exit(clean(12, 0)), Exit::Done);
    assert_eq!(exit(clean(10, 1)), Exit::Violated);
    let broken = Fought {
        said: None,
        ..clean(1, 0)
    };
    assert_eq!(exit(broken), Exit::Error);
}

#[test]
fn what_people_read() {
    let quiet = Mutant {
        name: "quiet-one".to_owned(),
        checks: "B".to_owned(),
        traffic: Vec::new(),
    };
    let runs = vec![
        fought("leak", 10, &['S', 'U'], [3, 9], true),
        fought("quiet-one", 0, &[], [2, 2], false),
        clean(0, 0),
    ];
    let matrix = Matrix::of(&[leak(), quiet], 1.0, runs);
    insta::assert_snapshot!(matrix.screen(Paint::PLAIN), @r"
    mutant     T K S R U B N   runs   fired   acted of opportunities   caught after
    leak           o . +        1/1       3       3 of 9              1.5 s, 500 exposures
    quiet-one            .      0/1       2       2 of 2              never
    quiet-one: missed; again: cargo xtask e2e --seed 7
    1 of 2 caught
    o caught, + caught besides, . could catch it and did not
    clean runs: 1 of 1 without a violation, 1 valid in every check, 900 frames judged
    ");
    insta::assert_snapshot!(matrix.markdown(), @r"
    | mutant | T | K | S | R | U | B | N | caught | fired | first caught after |
    |---|---|---|---|---|---|---|---|---|---|---|
    | `leak` |   |   | o | . | + |   |   | 1 of 1 | 3 | 1.5 s |
    | `quiet-one` |   |   |   |   |   | . |   | 0 of 1 | 2 | - |

    clean runs: 1 of 1 without a violation, 1 valid in every check, 900 frames judged
    ");
}
