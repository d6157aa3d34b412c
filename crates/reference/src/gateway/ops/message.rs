//! `message.post` and `cancel`: a message is stored, then answered by the agent in pieces, and the reply is stored too.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json as object;
use uuid::Uuid;

use super::thread::NO_THREAD;
use super::{Answer, Ask};
use crate::agent::{AgentError, ReplyRequest};
use crate::gateway::database::{Acting, Arguments};
use crate::gateway::event::EventKind;
use crate::gateway::gathering::Lent;
use crate::gateway::identity::Identity;
use crate::gateway::limits::{CONTEXT_MESSAGES_MAX, MESSAGE_BYTES_MAX, TITLE_CHARS_MAX};
use crate::gateway::protocol::{Failure, Frame, Json, json, text_argument};
use crate::gateway::replies::{Reply, Stopped};
use crate::metrics::Situation;

#[derive(Deserialize)]
struct Post {
    thread_id: Uuid,
    body: String,
    nonce: String,
    /// How long it may take, from its arrival on, until it has its turn at the agent.
    wait_ms: Option<u64>,
}

/// A message as it is in the database.
struct Stored {
    seq: i64,
    /// Of its thread.
    title: String,
    /// What is told of it.
    event: String,
}

pub(super) async fn post(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let mut gathered = ask.gateway.gathering.lend(ask.identity.user_id);
    let answer = answer(ask, &mut gathered).await;
    if answer.is_err() {
        gathered.fail();
    }
    answer
}

async fn answer(ask: &Ask<'_>, gathered: &mut Lent<'_>) -> Result<Answer, Failure> {
    let arrived = Instant::now();
    let posted: Post = ask.request.arguments()?;
    text_argument(
        &posted.body,
        MESSAGE_BYTES_MAX,
        "a body has at least one character, and no NUL",
    )?;
    text_argument(
        &posted.nonce,
        TITLE_CHARS_MAX,
        "a nonce has 1 to 512 characters, none of them NUL",
    )?;
    let reply = ask.gateway.replies.enter(ask.link, &ask.request.id);
    let wanted = store_question(ask, &reply, &posted, arrived).await?;
    reply.send(Frame::Ack {
        re: &ask.request.id,
        data: &wanted.acknowledgement,
    });
    stream(ask, &reply, wanted.request, gathered).await?;
    if !reply.finish() {
        return Err(Failure::CANCELLED);
    }
    let text = gathered.text();
    let seq = store_reply(ask, posted.thread_id, &text).await?;
    let chars = text.chars().count();
    let data = json(&object!({ "thread_id": posted.thread_id, "seq": seq, "chars": chars }))?;
    Ok(Answer::Streamed {
        to: reply.end(),
        data,
    })
}

/// A stored question: what to tell the client, and what to ask the agent.
struct Wanted {
    acknowledgement: Json,
    request: ReplyRequest,
}

async fn store_question(
    ask: &Ask<'_>,
    reply: &Reply<'_>,
    posted: &Post,
    arrived: Instant,
) -> Result<Wanted, Failure> {
    let (identity, thread_id) = (ask.identity, posted.thread_id);
    ask.gateway.posts.note(identity.user_id);
    #[cfg(feature = "mutants")]
    crate::mutant::misfiled_write::set(identity, thread_id);
    let mut checkout = ask.gateway.database.checkout().await?;
    if ask.gateway.posts.is_anothers(identity.user_id) {
        ask.gateway.metrics.situation(Situation::PostOvertaken).inc();
    }
    #[cfg(feature = "mutants")]
    let (identity, thread_id) = crate::mutant::misfiled_write::current(identity, thread_id);
    #[cfg(feature = "mutants")]
    let identity = &identity;
    #[cfg(feature = "mutants")]
    crate::mutant::stale_cancel::stores(ask.link, &ask.request.id, &checkout);
    let acting = checkout.act_for(identity).await?;
    reply.stored_by(acting.backend());
    let stored = append(&acting, identity, thread_id, "user", &posted.body).await?;
    let last = "SELECT body FROM ( \
                    SELECT seq, body FROM messages WHERE thread_id = $1 AND owner_id = $2 ORDER BY seq DESC LIMIT $3 \
                ) AS last ORDER BY seq";
    let of_thread: Arguments<'_> = &[&thread_id, &identity.user_id, &CONTEXT_MESSAGES_MAX];
    // neither reads what the other writes, so both go at once
    let (last, ()) = tokio::try_join!(acting.rows(last, of_thread), tell(&acting, thread_id, &stored))?;
    acting.commit().await?;
    ask.gateway.cache.forget(identity.user_id);
    Ok(Wanted {
        acknowledgement: json(&object!({ "thread_id": posted.thread_id, "seq": stored.seq }))?,
        request: ReplyRequest {
            user_id: ask.identity.user_id,
            wait: posted
                .wait_ms
                .map(|wait| Duration::from_millis(wait).saturating_sub(arrived.elapsed())),
            conn: ask.link.id.0,
            request: ask.request.id.clone(),
            title: stored.title,
            bodies: last.iter().map(|row| row.get("body")).collect(),
            nonce: posted.nonce.clone(),
        },
    })
}

async fn store_reply(ask: &Ask<'_>, thread_id: Uuid, text: &str) -> Result<i64, Failure> {
    let identity = ask.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    let stored = append(&acting, identity, thread_id, "agent", text).await?;
    tell(&acting, thread_id, &stored).await?;
    acting.commit().await?;
    ask.gateway.cache.forget(identity.user_id);
    Ok(stored.seq)
}

/// Appends a message to one's own thread. An agent's message has the author it replies to.
async fn append(
    acting: &Acting<'_>,
    identity: &Identity,
    thread_id: Uuid,
    role: &str,
    body: &str,
) -> Result<Stored, Failure> {
    let Identity {
        user_id, tenant_id, ..
    } = identity;
    let append = "WITH thread AS ( \
                      UPDATE threads SET last_seq = last_seq + 1 WHERE thread_id = $1 AND owner_id = $2 \
                      RETURNING last_seq, title \
                  ), message AS ( \
                      INSERT INTO messages (thread_id, seq, tenant_id, owner_id, author_id, role, body) \
                      SELECT $1, last_seq, $3, $2, $2, $4, $5 FROM thread \
                  ) SELECT last_seq, title FROM thread";
    let thread = acting
        .row_if_any(append, &[&thread_id, user_id, tenant_id, &role, &body])
        .await?
        .ok_or(NO_THREAD)?;
    let seq: i64 = thread.get("last_seq");
    let event =
        object!({ "thread_id": thread_id, "seq": seq, "author": user_id, "role": role, "body": body });
    Ok(Stored {
        seq,
        title: thread.get("title"),
        event: event.to_string(),
    })
}

/// Writes the event of a message: last in its transaction, since the tenant's other events wait for the commit.
async fn tell(acting: &Acting<'_>, thread_id: Uuid, stored: &Stored) -> Result<(), Failure> {
    let kind = EventKind::ThreadMessage.name();
    acting
        .row(
            "SELECT post_thread_event($1, $2, $3)",
            &[&thread_id, &kind, &stored.event],
        )
        .await?;
    Ok(())
}

/// Asks the agent, passes the pieces on as they come and gathers them.
async fn stream(
    ask: &Ask<'_>,
    reply: &Reply<'_>,
    request: ReplyRequest,
    gathered: &mut Lent<'_>,
) -> Result<(), Failure> {
    let mut pieces = tokio::select! {
        () = reply.cancelled() => return Err(Failure::CANCELLED),
        pieces = ask.gateway.agent.reply(request) => pieces?,
    };
    loop {
        let piece = tokio::select! {
            () = reply.cancelled() => return Err(Failure::CANCELLED),
            piece = pieces.next() => piece,
        };
        let Some(piece) = piece.transpose()? else {
            return Ok(());
        };
        gathered.push(&piece.text);
        reply.send(Frame::Delta {
            re: &ask.request.id,
            n: piece.n.into(),
            text: &piece.text,
        });
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        tracing::warn!(%error, "no reply");
        match error {
            AgentError::CheckoutTimeout { .. } | AgentError::Stalled { .. } => {
                Self::timeout("the reply took too long")
            }
            _ => Self::unavailable("the reply cannot be had"),
        }
    }
}

#[derive(Deserialize)]
struct Cancel {
    request: String,
}

pub(super) fn cancel(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Cancel { request } = ask.request.arguments()?;
    #[cfg(feature = "mutants")]
    crate::mutant::stale_cancel::cancel(ask.link, &request);
    let cancelled = ask.gateway.replies.cancel(ask.link.id, request);
    let backends = ask.gateway.database.backends();
    let is_lent_on = |backend| backends.is_anothers(backend, ask.identity.user_id);
    if cancelled
        .as_ref()
        .and_then(Stopped::backend)
        .is_some_and(is_lent_on)
    {
        ask.gateway.metrics.situation(Situation::CancelAfterReuse).inc();
    }
    let cancelled = cancelled.is_some();
    json(&object!({ "cancelled": cancelled }))
}
