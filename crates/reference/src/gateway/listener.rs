//! The connection on which the database tells this replica what happened elsewhere.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Socket};

use super::hub::Hub;
use super::limits::{RELISTEN_PAUSE_MAX, RELISTEN_PAUSE_MIN};
use super::notice::{LISTEN_SQL, Notice};

/// What the relay is handed, in the order of the database.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Listening begins (again): what was said before may have been missed.
    Listening,
    /// A notification.
    Notice(Notice),
}

/// Listens, and listens again when the connection is lost.
pub(crate) struct Listener {
    config: Config,
    hub: Arc<Hub>,
    heard: mpsc::Sender<Heard>,
    /// Whether it listens now.
    up: watch::Sender<bool>,
}

impl Listener {
    /// A listener that ends sessions by itself and hands the rest on.
    pub(crate) fn new(
        config: Config,
        hub: Arc<Hub>,
        heard: mpsc::Sender<Heard>,
        up: watch::Sender<bool>,
    ) -> Self {
        Self {
            config,
            hub,
            heard,
            up,
        }
    }

    /// Runs until nobody hears it any more.
    pub(crate) async fn run(self) {
        let mut pause = RELISTEN_PAUSE_MIN;
        while !self.heard.is_closed() {
            match self.config.connect(NoTls).await {
                Ok((client, connection)) => {
                    let lost = self.listen(client, connection).await;
                    if self.up.send_replace(false) {
                        pause = RELISTEN_PAUSE_MIN;
                    }
                    tracing::warn!(reason = lost, "the listening connection was lost");
                }
                Err(error) => tracing::warn!(%error, "cannot listen to the database"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RELISTEN_PAUSE_MAX);
        }
    }

    /// Listens on one connection until it is lost; says why it was.
    async fn listen(&self, client: Client, mut connection: Connection<Socket, NoTlsStream>) -> String {
        let mut subscribing = pin!(client.batch_execute(LISTEN_SQL));
        let mut is_subscribed = false;
        loop {
            tokio::select! {
                subscribed = &mut subscribing, if !is_subscribed => {
                    if let Err(error) = subscribed {
                        return error.to_string();
                    }
                    is_subscribed = true;
                    self.up.send_replace(true);
                    if self.heard.send(Heard::Listening).await.is_err() {
                        return "the relay ended".to_owned();
                    }
                }
                message = poll_fn(|cx| connection.poll_message(cx)) => match message {
                    Some(Ok(AsyncMessage::Notification(told))) => {
                        if let Some(notice) = Notice::read(told.channel(), told.payload()) {
                            self.hear(notice).await;
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return error.to_string(),
                    None => return "the database closed it".to_owned(),
                }
            }
        }
    }

    async fn hear(&self, notice: Notice) {
        match notice {
            // not behind events that wait to be read
            Notice::SessionRevoked(session_id) => self.hub.revoke(session_id),
            // a closed relay is seen by the loop
            notice => drop(self.heard.send(Heard::Notice(notice)).await),
        }
    }
}
