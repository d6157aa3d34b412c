//! `message.post` and `cancel`: a message is stored, then answered by the agent in pieces, and the reply is stored too.

use serde::Deserialize;
use serde_json::json as object;
use uuid::Uuid;

use super::thread::NO_THREAD;
use super::{Answer, Ask};
use crate::agent::{AgentError, ReplyRequest};
use crate::gateway::database::{Acting, Arguments};
use crate::gateway::event::EventKind;
use crate::gateway::identity::Identity;
use crate::gateway::limits::{CONTEXT_MESSAGES_MAX, MESSAGE_BYTES_MAX, TITLE_CHARS_MAX};
use crate::gateway::protocol::{Failure, Frame, Json, json, text_argument};
use crate::gateway::replies::Reply;

#[derive(Deserialize)]
struct Post {
    thread_id: Uuid,
    body: String,
    nonce: String,
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
    let wanted = store_question(ask, &posted).await?;
    reply.send(Frame::Ack {
        re: &ask.request.id,
        data: &wanted.acknowledgement,
    });
    let text = stream(ask, &reply, wanted.request).await?;
    if !reply.finish() {
        return Err(Failure::CANCELLED);
    }
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

async fn store_question(ask: &Ask<'_>, posted: &Post) -> Result<Wanted, Failure> {
    let identity = &ask.link.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    let stored = append(&acting, identity, posted.thread_id, "user", &posted.body).await?;
    let last = "SELECT body FROM ( \
                    SELECT seq, body FROM messages WHERE thread_id = $1 AND owner_id = $2 ORDER BY seq DESC LIMIT $3 \
                ) AS last ORDER BY seq";
    let of_thread: Arguments<'_> = &[&posted.thread_id, &identity.user_id, &CONTEXT_MESSAGES_MAX];
    let last = acting.rows(last, of_thread).await?;
    tell(&acting, posted.thread_id, &stored).await?;
    acting.commit().await?;
    ask.gateway.cache.forget(identity.user_id);
    Ok(Wanted {
        acknowledgement: json(&object!({ "thread_id": posted.thread_id, "seq": stored.seq }))?,
        request: ReplyRequest {
            conn: ask.link.id.0,
            request: ask.request.id.clone(),
            title: stored.title,
            bodies: last.iter().map(|row| row.get("body")).collect(),
            nonce: posted.nonce.clone(),
        },
    })
}

async fn store_reply(ask: &Ask<'_>, thread_id: Uuid, text: &str) -> Result<i64, Failure> {
    let identity = &ask.link.identity;
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
    let count = "UPDATE threads SET last_seq = last_seq + 1 WHERE thread_id = $1 AND owner_id = $2 \
                 RETURNING last_seq, title";
    let thread = acting
        .row_if_any(count, &[&thread_id, user_id])
        .await?
        .ok_or(NO_THREAD)?;
    let seq: i64 = thread.get("last_seq");
    let insert = "INSERT INTO messages (thread_id, seq, tenant_id, owner_id, author_id, role, body) \
                  VALUES ($1, $2, $3, $4, $4, $5, $6)";
    acting
        .change(insert, &[&thread_id, &seq, tenant_id, user_id, &role, &body])
        .await?;
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

/// Asks the agent and passes the pieces on as they come; the whole text, in the end.
async fn stream(ask: &Ask<'_>, reply: &Reply<'_>, request: ReplyRequest) -> Result<String, Failure> {
    let mut pieces = tokio::select! {
        () = reply.cancelled() => return Err(Failure::CANCELLED),
        pieces = ask.gateway.agent.reply(request) => pieces?,
    };
    let mut text = String::new();
    loop {
        let piece = tokio::select! {
            () = reply.cancelled() => return Err(Failure::CANCELLED),
            piece = pieces.next() => piece,
        };
        let Some(piece) = piece.transpose()? else {
            return Ok(text);
        };
        text.push_str(&piece.text);
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
    let cancelled = ask.gateway.replies.cancel(ask.link.id, request);
    json(&object!({ "cancelled": cancelled }))
}
