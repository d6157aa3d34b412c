use super::*;

fn tried(rate: f64, [runs, kills]: [usize; 2], misses: Misses) -> Tried {
    Tried {
        rate,
        runs,
        kills,
        misses,
        opportunities: Some(320),
        units: Some(100),
    }
}

fn limit(name: &str, smallest: Option<f64>, tried: Vec<Tried>) -> Limit {
    Limit {
        mutant: name.to_owned(),
        check: 'S',
        tried,
        smallest,
        per_unit: smallest.map(|rate| rate * 3.2),
        claimed: isolation::upper_bound(100),
    }
}

#[test]
fn what_people_read() {
    let idle = Misses {
        idle: 1,
        unseen: 1,
        ..Misses::default()
    };
    let harmless = Misses {
        harmless: 2,
        ..Misses::default()
    };
    let rows = vec![
        limit(
            "leak",
            Some(0.01),
            vec![
                tried(0.05, [20, 20], Misses::default()),
                tried(0.005, [6, 4], idle),
                tried(0.01, [20, 19], Misses::default()),
            ],
        ),
        limit("quiet-one", None, vec![tried(1.0, [2, 0], harmless)]),
    ];
    let limits = Limits {
        schema_version: 1,
        rows,
    };
    assert_eq!(limits.exit(), Exit::Error);
    insta::assert_snapshot!(limits.screen(Paint::PLAIN), @r"
    mutant     check  smallest rate   in a unit   claimed bound   ratio
    leak           S           0.01      3.20 %          2.95 %     1.1
    quiet-one      S  not caught at any rate of the grid
    leak: caught in 19 of 20 at 0.01, which takes 3.2 of 320 opportunities in a run; at 0.005 2 of 6 missed it: 1 took none of their opportunities, 1 had an effect that was not seen
    quiet-one: at 1 2 of 2 missed it: 2 took some to no effect
    the smallest rate is that of the grid 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001 which was caught in at least 19 of 20 runs
    in a unit: opportunities taken at that rate; the bound is what a clean verdict of so many units claims
    ");
}
