//! The table at the end, against what was acknowledged.

use std::collections::BTreeMap;

use crate::borrowed::StoredRow;
use crate::plan::{body, user_name, user_of};
use crate::tally::{Fate, Tally};

/// Compares all `rows` with the fates of the operations: what was committed is there and equal, nothing else is.
pub(crate) fn compare(tally: &mut Tally, rows: &[StoredRow], users: u32) {
    let mut stored: BTreeMap<i64, &StoredRow> = rows.iter().map(|row| (row.op, row)).collect();
    let fates = std::mem::take(&mut tally.fates);
    for (op, fate) in &fates {
        let row = stored.remove(op);
        match (fate, row) {
            (Fate::Committed, Some(row)) if *row == written(*op, users) => {}
            (Fate::Committed, _) => {
                tally.ok = tally.ok.saturating_sub(1);
                tally.failed(match row {
                    Some(_) => "the row is not stored as written".to_owned(),
                    None => "the row was committed and is not stored".to_owned(),
                });
            }
            (Fate::Gone, Some(row)) => tally.found(format!(
                "row {op} of {} is stored though it was never committed",
                row.owner
            )),
            (Fate::Gone, None) | (Fate::Unknown, _) => {}
        }
    }
    for (op, row) in stored {
        tally.found(format!(
            "row {op} of {} is stored though nobody committed it",
            row.owner
        ));
    }
}

fn written(op: i64, users: u32) -> StoredRow {
    let number = op.unsigned_abs();
    let user = user_of(number, users);
    StoredRow {
        op,
        owner: user_name(user),
        body: body(user, number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fates: &[(i64, Fate)], rows: &[StoredRow], failed: u64, findings: u64) {
        let mut tally = Tally::default();
        tally.ok = 9;
        tally.fates.extend(fates.iter().copied());
        compare(&mut tally, rows, 12);
        assert_eq!((tally.ok, tally.failed), (9 - failed, failed));
        let run = tally.into_run("test", 1, 1, std::time::Duration::from_secs(1));
        assert_eq!(
            run.figures.hygiene_findings.len() as u64,
            findings,
            "{:?}",
            run.figures.hygiene_findings
        );
    }

    #[test]
    fn what_was_committed_is_there_and_nothing_else() {
        let altered = StoredRow {
            body: "other".to_owned(),
            ..written(3, 12)
        };
        let elsewhere = StoredRow {
            owner: user_name(4),
            ..written(3, 12)
        };
        check(&[(3, Fate::Committed)], &[written(3, 12)], 0, 0);
        check(&[(3, Fate::Committed)], &[], 1, 0);
        check(&[(3, Fate::Committed)], &[altered], 1, 0);
        check(&[(3, Fate::Committed)], &[elsewhere], 1, 0);
        check(&[(3, Fate::Gone)], &[], 0, 0);
        check(&[(3, Fate::Gone)], &[written(3, 12)], 0, 1);
        check(&[(3, Fate::Unknown)], &[written(3, 12)], 0, 0);
        check(&[(3, Fate::Unknown)], &[], 0, 0);
        check(
            &[],
            &[StoredRow {
                op: -4,
                ..written(3, 12)
            }],
            0,
            1,
        );
    }
}
