//! `resume`: a new connection catches up with an earlier one of the same user and session.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use serde::Deserialize;
use serde_json::json as object;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Ask;
use crate::gateway::database::{Acting, Arguments};
use crate::gateway::event::{EVENT_COLUMNS, Event};
use crate::gateway::limits::{EVENT_PAGE, REPLAY_EVENTS_MAX};
use crate::gateway::link::Link;
use crate::gateway::protocol::{Failure, Json, json};
use crate::metrics::Situation;

const NO_CONNECTION: Failure = Failure::not_found("no earlier connection of this session goes by this token");
const TOO_FAR_BEHIND: Failure =
    Failure::bad_request("too many events were missed; read the threads and rooms instead");

/// A new resume token: 32 random bytes.
pub(crate) fn new_token() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is kept of a resume token.
pub(crate) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// Notes a subscription, for whoever resumes this connection; the cursor after which its events are live.
///
/// # Errors
/// That of the database.
pub(crate) async fn remember(acting: &Acting<'_>, link: &Link, subject: Uuid) -> Result<i64, Failure> {
    let add = "UPDATE resumes SET subjects = array_append(subjects, $2) \
               WHERE token_hash = $1 AND NOT $2 = ANY (subjects)";
    acting.change(add, &[&link.resume_hash, &subject]).await?;
    Ok(acting.row("SELECT tenant_cursor()", &[]).await?.get(0))
}

#[derive(Deserialize)]
struct Resume {
    resume: String,
    /// Nothing was seen yet if there is none.
    after: Option<i64>,
}

pub(super) async fn resume(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Resume { resume, after } = ask.request.arguments()?;
    let subjects = take_over(ask, &resume).await?;
    let mut replay = Replay::begin(ask, subjects, after.unwrap_or(0))?;
    ask.gateway.metrics.situation(Situation::Resumed).inc();
    while replay.next_page().await? {}
    json(&object!({ "replayed": replay.count }))
}

/// Makes the earlier connection's subscriptions this connection's; only those of the same user and session can be had.
async fn take_over(ask: &Ask<'_>, token: &str) -> Result<Vec<Uuid>, Failure> {
    let identity = ask.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    let earlier = "SELECT subjects FROM resumes WHERE token_hash = $1 AND user_id = $2 AND session_id = $3";
    let earlier = acting
        .row_if_any(earlier, &[&hash(token), &identity.user_id, &identity.session_id])
        .await?;
    let subjects: Vec<Uuid> = earlier.ok_or(NO_CONNECTION)?.get("subjects");
    let add = "UPDATE resumes SET subjects = ARRAY(SELECT unnest(subjects) UNION SELECT unnest($2::uuid[])) \
               WHERE token_hash = $1";
    acting.change(add, &[&ask.link.resume_hash, &subjects]).await?;
    acting.commit().await?;
    Ok(subjects)
}

/// A replay in progress: live events wait until it is dropped.
struct Replay<'a> {
    ask: &'a Ask<'a>,
    subjects: Vec<Uuid>,
    cursor: i64,
    count: usize,
}

impl<'a> Replay<'a> {
    fn begin(ask: &'a Ask<'a>, subjects: Vec<Uuid>, after: i64) -> Result<Self, Failure> {
        ask.link.hold(&subjects)?;
        Ok(Self {
            ask,
            subjects,
            cursor: after,
            count: 0,
        })
    }

    /// Replays some more; false when there was nothing left.
    async fn next_page(&mut self) -> Result<bool, Failure> {
        let page = self.read().await?;
        for event in &page {
            if self.count == REPLAY_EVENTS_MAX {
                return Err(TOO_FAR_BEHIND);
            }
            self.ask
                .link
                .outbox
                .send_when_free(event.frame_for(self.ask.identity.user_id))
                .await;
            self.cursor = event.cursor;
            self.count += 1;
        }
        Ok(!page.is_empty())
    }

    async fn read(&self) -> Result<Vec<Event>, Failure> {
        let identity = &self.ask.identity;
        let mut checkout = self.ask.gateway.database.checkout().await?;
        let acting = checkout.act_for(identity).await?;
        let sql = format!(
            "SELECT {EVENT_COLUMNS} FROM events WHERE tenant_id = $1 AND cursor > $2 \
             AND $3 = ANY (recipients) AND subject = ANY ($4) ORDER BY cursor LIMIT $5"
        );
        let own: Arguments<'_> = &[
            &identity.tenant_id,
            &self.cursor,
            &identity.user_id,
            &self.subjects,
            &EVENT_PAGE,
        ];
        let rows = acting.rows(&sql, own).await?;
        acting.commit().await?;
        rows.iter().map(Event::read).collect()
    }
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        self.ask.link.release(&self.subjects, self.cursor);
    }
}
