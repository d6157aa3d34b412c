//! Carries what the database told to the connections of this replica, in the order in which it was committed.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_postgres::{Client, Config, NoTls, Row, Statement};
use uuid::Uuid;

use super::cache::ResponseCache;
use super::event::{EVENT_COLUMNS, Event, EventKind};
use super::hub::Hub;
use super::limits::{
    EVENT_PAGE, EVENT_RETENTION_S, NOTICE_BATCH_MAX, PRUNE_EVERY, RELISTEN_PAUSE_MAX, RELISTEN_PAUSE_MIN,
};
use super::listener::Heard;
use super::notice::Notice;
use super::protocol::Failure;

/// Reads events with a connection of its own, so that no request can keep it waiting.
pub(crate) struct Relay {
    config: Config,
    hub: Arc<Hub>,
    cache: Arc<ResponseCache>,
    heard: mpsc::Receiver<Heard>,
}

impl Relay {
    pub(crate) fn new(
        config: Config,
        hub: Arc<Hub>,
        cache: Arc<ResponseCache>,
        heard: mpsc::Receiver<Heard>,
    ) -> Self {
        Self {
            config,
            hub,
            cache,
            heard,
        }
    }

    /// Runs until the listener is gone.
    pub(crate) async fn run(mut self) {
        let mut pause = RELISTEN_PAUSE_MIN;
        let mut batch = Vec::new();
        while !self.heard.is_closed() {
            match self.serve(&mut batch).await {
                Ok(()) => return,
                Err(failure) if self.heard.is_closed() => {
                    return tracing::debug!(%failure, "the relay ends");
                }
                Err(failure) => tracing::warn!(%failure, "the relay lost its connection"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(RELISTEN_PAUSE_MAX);
        }
    }

    /// Works off batches over one connection; an unfinished batch stays in `batch` for the next.
    async fn serve(&mut self, batch: &mut Vec<Heard>) -> Result<(), Failure> {
        let (client, connection) = self.config.connect(NoTls).await?;
        // it ends with the client
        tokio::spawn(connection);
        let reader = Reader::new(client).await?;
        let mut prune = interval_at(Instant::now() + PRUNE_EVERY, PRUNE_EVERY);
        prune.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if batch.is_empty() {
                tokio::select! {
                    count = self.heard.recv_many(batch, NOTICE_BATCH_MAX) => if count == 0 {
                        return Ok(());
                    },
                    _ = prune.tick() => reader.prune().await?,
                }
            }
            self.carry(&reader, batch).await?;
            batch.clear();
        }
    }

    async fn carry(&self, reader: &Reader, batch: &[Heard]) -> Result<(), Failure> {
        if batch.iter().any(|heard| matches!(heard, Heard::Listening)) {
            self.catch_up(reader).await?;
        }
        let cursors = batch.iter().filter_map(|heard| match heard {
            Heard::Notice(Notice::Event(cursor)) => Some(*cursor),
            _ => None,
        });
        let mut events = reader.events(cursors.collect()).await?;
        let rooms = batch.iter().filter_map(|heard| match heard {
            Heard::Notice(Notice::Typing(typing)) => Some(typing.room_id),
            _ => None,
        });
        let members = reader.members(rooms.collect()).await?;
        for heard in batch {
            let Heard::Notice(notice) = heard else { continue };
            match notice {
                Notice::Event(cursor) => {
                    if let Some(event) = events.remove(cursor) {
                        self.deliver(event);
                    }
                }
                Notice::ThreadCreated(created) => {
                    #[cfg(feature = "mutants")]
                    crate::mutant::thread_id_race::created(created.owner_id, created.thread_id);
                    self.cache.forget(created.owner_id);
                }
                Notice::Presence(presence) => self.hub.tell_presence(presence)?,
                Notice::Typing(typing) => {
                    let members = members.get(&typing.room_id).map_or(&[][..], Vec::as_slice);
                    self.hub.tell_typing(typing, members)?;
                }
                Notice::SessionRevoked(session_id) => self.hub.revoke(*session_id),
            }
        }
        Ok(())
    }

    /// Finds out what was missed while nobody listened: ended sessions, and events of the tenants that are here.
    async fn catch_up(&self, reader: &Reader) -> Result<(), Failure> {
        for session_id in reader.revoked(self.hub.sessions()).await? {
            self.hub.revoke(session_id);
        }
        for (tenant_id, mut delivered) in self.hub.delivered() {
            loop {
                let page = reader.events_after(tenant_id, delivered).await?;
                let Some(last) = page.last() else { break };
                delivered = last.cursor;
                page.into_iter().for_each(|event| self.deliver(event));
            }
        }
        Ok(())
    }

    fn deliver(&self, event: Event) {
        #[cfg(feature = "mutants")]
        crate::mutant::heard(&event);
        if event.kind == EventKind::ThreadMessage {
            event
                .recipients
                .iter()
                .for_each(|user_id| self.cache.forget(*user_id));
        }
        self.hub.deliver(&Arc::new(event));
    }
}

/// The relay's own connection. It acts for nobody and may read every event.
struct Reader {
    client: Client,
    events: Statement,
    events_after: Statement,
    members: Statement,
}

impl Reader {
    async fn new(client: Client) -> Result<Self, Failure> {
        client.batch_execute("SET app.relay = 'on'").await?;
        let events = format!("SELECT {EVENT_COLUMNS} FROM events WHERE cursor = ANY ($1)");
        let events_after = format!(
            "SELECT {EVENT_COLUMNS} FROM events WHERE tenant_id = $1 AND cursor > $2 ORDER BY cursor LIMIT $3"
        );
        let members =
            "SELECT room_id, array_agg(user_id) FROM room_members WHERE room_id = ANY ($1) GROUP BY room_id";
        Ok(Self {
            events: client.prepare(&events).await?,
            events_after: client.prepare(&events_after).await?,
            members: client.prepare(members).await?,
            client,
        })
    }

    async fn events(&self, cursors: Vec<i64>) -> Result<HashMap<i64, Event>, Failure> {
        if cursors.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = self.client.query(&self.events, &[&cursors]).await?;
        Ok(readable(&rows).map(|event| (event.cursor, event)).collect())
    }

    async fn events_after(&self, tenant_id: Uuid, cursor: i64) -> Result<Vec<Event>, Failure> {
        let rows = self
            .client
            .query(&self.events_after, &[&tenant_id, &cursor, &EVENT_PAGE])
            .await?;
        Ok(readable(&rows).collect())
    }

    async fn members(&self, rooms: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<Uuid>>, Failure> {
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = self.client.query(&self.members, &[&rooms]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn revoked(&self, sessions: Vec<Uuid>) -> Result<Vec<Uuid>, Failure> {
        let sql = "SELECT open FROM unnest($1::uuid[]) AS open \
                   WHERE NOT EXISTS (SELECT FROM live_sessions WHERE session_id = open)";
        let rows = self.client.query(sql, &[&sessions]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn prune(&self) -> Result<(), Failure> {
        self.client
            .execute(
                "SELECT prune_chat(make_interval(secs => $1))",
                &[&EVENT_RETENTION_S],
            )
            .await?;
        Ok(())
    }
}

fn readable(rows: &[Row]) -> impl Iterator<Item = Event> {
    rows.iter().filter_map(|row| match Event::read(row) {
        Ok(event) => Some(event),
        Err(failure) => {
            tracing::error!(%failure, cursor = row.get::<_, i64>("cursor"), "an event cannot be read");
            None
        }
    })
}
