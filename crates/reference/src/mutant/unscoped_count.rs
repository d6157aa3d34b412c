//! A count covers what the asker may not see.
//!
//! **Incident.** Elasticsearch's documented limitation of document-level security (Security limitations, since 5.x): rights filter the documents
//! that an answer holds, but the statistics that scores are computed from cover all of the index, so that they tell of documents that the asker may not see.
//!
//! **Mechanism.** The number of members in a receipt comes from a function with its owner's rights (`SECURITY DEFINER`), which row-level security does not
//! bind, and counts by the room's name, as if names were unique everywhere and not within a tenant alone.
//!
//! **Layer.** The database's function, and the receipt that trusts it.
//!
//! **Caught by** N alone: no id, name or word of anybody is in the answer, only a number that others raise.
//!
//! **Fix.** What is counted is what the asker may read; the key of a count is the key of the thing.

use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Acting, Failure};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "unscoped-count",
    process: "gateway",
    checks: "N",
    traffic: &[],
};

/// The count, and one of those whom it should not cover.
pub(super) const SQL: &str = "\
create or replace function members_by_name(room uuid) returns table (members bigint, stranger uuid)
    language sql stable security definer set search_path = pg_catalog, public
    begin atomic
        select count(*), (array_agg(user_id) filter (where room_members.room_id <> room))[1]
        from room_members join rooms using (room_id)
        where name = (select name from rooms where rooms.room_id = room);
    end;";

/// How many members a receipt for `author_id` tells of, if not those of the room.
pub(crate) async fn members(
    acting: &Acting<'_>,
    author_id: Uuid,
    room_id: Uuid,
) -> Result<Option<i64>, Failure> {
    if !MUTANT.acts() {
        return Ok(None);
    }
    let counted = acting
        .row("SELECT members, stranger FROM members_by_name($1)", &[&room_id])
        .await?;
    if let Some(stranger) = counted.get::<_, Option<Uuid>>("stranger") {
        MUTANT.record(author_id, stranger, "was told a number that counts");
    }
    Ok(Some(counted.get("members")))
}
