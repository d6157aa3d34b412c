//! T and S by the database: does every row stand where its words belong?

use history::{Check, Fingerprint, Room, User};

use crate::canary::Kind;
use crate::judgement::Needle;
use crate::seen::{First, Seen};

use crate::judge::case::{Case, Named};
use crate::judge::docket::Docket;
use crate::judge::ledger::Ids;
use crate::judge::sightings::Row;

/// Adds what the rows say to T (a thread holds another owner's words) or S (any misplaced words).
pub(super) fn judge(case: &Case<'_>, docket: &mut Docket) {
    for (row, seen) in case.sightings.rows.iter() {
        let owner = row.canary.owner;
        let Some(ids) = case.ledger.accounts.get(&owner) else {
            docket.reason(format!(
                "a row holds words of user {}, who has no account in the history",
                owner.0
            ));
            continue;
        };
        for (kind, filed) in misplacements(case, row, ids) {
            if docket.check == Check::Thread && kind != IN_ANOTHERS_THREAD {
                continue;
            }
            let needle = Some(Needle::Canary {
                owner,
                datum: row.canary.datum,
            });
            let seen = Seen {
                needle,
                ..seen.clone()
            };
            docket.violation(kind, user(case, filed).unwrap_or(owner), Some(owner), seen);
        }
    }
    if case.ledger.incomplete_audits > 0 {
        docket.reason("the audit could not read all rows");
    }
}

const IN_ANOTHERS_THREAD: &str = "row in another user's thread";

/// What is wrong with a row that holds a canary of the user with these ids, and the id that it is filed under instead.
fn misplacements(case: &Case<'_>, row: &Row, ids: &First<Ids>) -> Vec<(&'static str, Fingerprint)> {
    let ids = &ids.value;
    let mut wrong = Vec::new();
    if let Some(filed) = row.owner.filter(|&filed| filed != ids.user_id) {
        wrong.push((IN_ANOTHERS_THREAD, filed));
    }
    if !row.derived && row.author != ids.user_id {
        wrong.push(("row under another author", row.author));
    }
    if row.tenant != ids.tenant_id {
        wrong.push(("row in another tenant", row.author));
    }
    if in_another_room(case, row) {
        wrong.push(("row in another room", row.author));
    }
    wrong
}

fn in_another_room(case: &Case<'_>, row: &Row) -> bool {
    let Some(container) = row.room.filter(|_| row.canary.kind == Kind::Room) else {
        return false;
    };
    let room = case.ledger.rooms.get(&Room(row.canary.audience));
    room.is_none_or(|room| room.value.room_id != container)
}

fn user(case: &Case<'_>, id: Fingerprint) -> Option<User> {
    match case.named.get(&id) {
        Some(&Named::User(user)) => Some(user),
        _ => None,
    }
}
