//! `thread.create`, `thread.list`, `thread.find`, `thread.read`, `thread.subscribe`.

use serde::Deserialize;
use serde_json::json as object;
use uuid::Uuid;

use super::{Ask, resume};
use crate::gateway::cache::Question;
use crate::gateway::database::Arguments;
use crate::gateway::limits::{LIST_MAX, READ_BYTES_MAX, READ_MESSAGES_MAX, TITLE_CHARS_MAX};
use crate::gateway::notice::{Notice, ThreadCreated};
use crate::gateway::protocol::{Failure, Json, json, text_argument};

pub(super) const NO_THREAD: Failure = Failure::not_found("no such thread of yours");

#[derive(Deserialize)]
struct Titled {
    title: String,
}

impl Titled {
    fn of(ask: &Ask<'_>) -> Result<Self, Failure> {
        let titled: Self = ask.request.arguments()?;
        text_argument(
            &titled.title,
            TITLE_CHARS_MAX,
            "a title has 1 to 512 characters, none of them NUL",
        )?;
        Ok(titled)
    }
}

#[derive(Deserialize)]
struct Named {
    thread_id: Uuid,
    after: Option<i64>,
}

pub(super) async fn create(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Titled { title } = Titled::of(ask)?;
    let creating = &ask.gateway.creating;
    let _creation = creating.enter(ask.identity.user_id, &ask.gateway.metrics);
    let (mut checkout, identity) = ask.checkout().await?;
    let acting = checkout.act_for(&identity).await?;
    let thread_id = Uuid::new_v4();
    #[cfg(feature = "mutants")]
    let thread_id = crate::mutant::thread_id_race::instead_of(thread_id, identity.user_id);
    let insert = "INSERT INTO threads (thread_id, tenant_id, owner_id, title) VALUES ($1, $2, $3, $4)";
    acting
        .change(
            insert,
            &[&thread_id, &identity.tenant_id, &identity.user_id, &title],
        )
        .await?;
    Notice::ThreadCreated(ThreadCreated {
        owner_id: identity.user_id,
        thread_id,
    })
    .publish(&acting)
    .await?;
    acting.commit().await?;
    ask.gateway.cache.forget(identity.user_id);
    json(&object!({ "thread_id": thread_id, "title": title }))
}

pub(super) async fn list(ask: &Ask<'_>) -> Result<Json, Failure> {
    let question = Question {
        op: ask.request.op,
        arguments: String::new(),
    };
    ask.gateway
        .cache
        .answer(ask.identity, question, || list_now(ask))
        .await
}

async fn list_now(ask: &Ask<'_>) -> Result<Json, Failure> {
    let (mut checkout, identity) = ask.checkout().await?;
    let acting = checkout.act_for(&identity).await?;
    let own = "SELECT thread_id, title FROM threads WHERE owner_id = app_user() ORDER BY ordinal LIMIT $1";
    let rows = acting.rows(own, &[&LIST_MAX]).await?;
    acting.commit().await?;
    let threads = rows.iter().map(
        |row| object!({ "thread_id": row.get::<_, Uuid>("thread_id"), "title": row.get::<_, &str>("title") }),
    );
    json(&object!({ "threads": threads.collect::<Vec<_>>() }))
}

pub(super) async fn find(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Titled { title } = Titled::of(ask)?;
    let question = Question {
        op: ask.request.op,
        arguments: title.clone(),
    };
    ask.gateway
        .cache
        .answer(ask.identity, question, || find_now(ask, title))
        .await
}

async fn find_now(ask: &Ask<'_>, title: String) -> Result<Json, Failure> {
    let (mut checkout, identity) = ask.checkout().await?;
    let acting = checkout.act_for(&identity).await?;
    let oldest = "SELECT threads.thread_id, title, body FROM threads \
                  LEFT JOIN messages ON messages.thread_id = threads.thread_id AND seq = last_seq \
                  WHERE threads.owner_id = app_user() AND md5(title) = md5($1) AND title = $1 ORDER BY ordinal LIMIT 1";
    let row = acting.row_if_any(oldest, &[&title]).await?.ok_or(NO_THREAD)?;
    acting.commit().await?;
    json(&object!({
        "thread_id": row.get::<_, Uuid>("thread_id"),
        "title": row.get::<_, &str>("title"),
        "summary": row.get::<_, Option<&str>>("body"),
    }))
}

pub(super) async fn read(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Named { thread_id, after } = ask.request.arguments()?;
    let after = after.unwrap_or(0);
    let question = Question {
        op: ask.request.op,
        arguments: format!("{thread_id} {after}"),
    };
    ask.gateway
        .cache
        .answer(ask.identity, question, || read_now(ask, thread_id, after))
        .await
}

async fn read_now(ask: &Ask<'_>, thread_id: Uuid, after: i64) -> Result<Json, Failure> {
    let identity = ask.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    let thread = "SELECT title, last_seq FROM threads WHERE thread_id = $1 AND owner_id = $2";
    let thread = acting
        .row_if_any(thread, &[&thread_id, &identity.user_id])
        .await?
        .ok_or(NO_THREAD)?;
    let page = "SELECT seq, author_id, role, body FROM ( \
                    SELECT *, sum(octet_length(body)) OVER (ORDER BY seq) - octet_length(body) AS before FROM ( \
                        SELECT seq, author_id, role, body FROM messages \
                        WHERE thread_id = $1 AND owner_id = $2 AND seq > $3 ORDER BY seq LIMIT $4 \
                    ) AS page \
                ) AS sized WHERE before < $5 ORDER BY seq";
    let of_page: Arguments<'_> = &[
        &thread_id,
        &identity.user_id,
        &after,
        &READ_MESSAGES_MAX,
        &READ_BYTES_MAX,
    ];
    let page = acting.rows(page, of_page).await?;
    acting.commit().await?;
    let last_seq: i64 = thread.get("last_seq");
    let is_cut = page.last().is_some_and(|row| row.get::<_, i64>("seq") < last_seq);
    let messages = page.iter().map(|row| {
        object!({
            "seq": row.get::<_, i64>("seq"),
            "author": row.get::<_, Uuid>("author_id"),
            "role": row.get::<_, &str>("role"),
            "body": row.get::<_, &str>("body"),
        })
    });
    let mut answer = object!({
        "thread_id": thread_id,
        "title": thread.get::<_, &str>("title"),
        "messages": messages.collect::<Vec<_>>(),
    });
    if is_cut {
        answer["more"] = true.into();
    }
    json(&answer)
}

pub(super) async fn subscribe(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Named { thread_id, .. } = ask.request.arguments()?;
    let identity = ask.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    let own = "SELECT FROM threads WHERE thread_id = $1 AND owner_id = $2";
    acting
        .row_if_any(own, &[&thread_id, &identity.user_id])
        .await?
        .ok_or(NO_THREAD)?;
    let cursor = resume::remember(&acting, ask.link, thread_id).await?;
    acting.commit().await?;
    ask.link.subscribe(thread_id, cursor)?;
    json(&object!({}))
}
