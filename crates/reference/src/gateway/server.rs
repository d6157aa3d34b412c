//! The process: sets a replica up, accepts connections, ends in order.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_postgres::Config;

use super::cache::ResponseCache;
use super::connection;
use super::database::{self, Database, DatabaseError};
use super::gathering::Gathering;
use super::handshake::Refusal;
use super::hub::Hub;
use super::limits::{CONNECTIONS_MAX, JWKS_FETCH_EVERY, NOTICES_MAX, REFUSAL_TIMEOUT};
use super::listener::Listener;
use super::profiles::Profiles;
use super::protocol::CloseReason;
use super::receipts::Receipts;
use super::relay::Relay;
use super::replies::Replies;
use super::send_buffers::SendBuffers;
use super::state::{Creating, Gateway, LastUser, Work};
use super::tokens::{Tokens, Trust};
use crate::agent::{AgentClient, PIPELINE_DEPTH};
use crate::config::Shutdown;
use crate::metrics::Metrics;
use crate::places::Places;

/// Pause after a failed accept (no file descriptors left, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What one replica is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Name of this replica
    #[arg(long, value_name = "N")]
    pub replica: String,
    /// Where the keys of access tokens are published
    #[arg(long, value_name = "URL")]
    pub jwks_url: String,
    /// Who must have issued an access token
    #[arg(long, value_name = "NAME")]
    pub issuer: String,
    /// For whom it must be meant
    #[arg(long, value_name = "NAME")]
    pub audience: String,
    /// Address of the agent
    #[arg(long, value_name = "ADDR")]
    pub agent: String,
    /// An origin whose pages may connect; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
    /// Database connections at most, besides the two that listen
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub pool_size: usize,
    /// Connections to the agent
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub agent_pool_size: usize,
    /// Replies in progress on each of them, at most 32
    #[arg(long, value_name = "N", default_value_t = PIPELINE_DEPTH)]
    pub agent_pipeline: usize,
    /// Connections of clients at once
    #[arg(long, value_name = "N", default_value_t = CONNECTIONS_MAX)]
    pub connections_max: usize,
    /// How long an answer may be given again, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub cache_ttl_ms: u64,
}

/// Why a replica cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// No HTTP client could be made.
    #[error("cannot make an HTTP client for the key set")]
    Http(#[from] reqwest::Error),
}

/// One replica of the gateway.
#[derive(Clone)]
pub struct Replica {
    gateway: Arc<Gateway>,
    listening: watch::Receiver<bool>,
}

impl Replica {
    /// A replica that uses the database and listens to it, but takes no connections yet.
    ///
    /// # Errors
    /// [`StartError`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(
        settings: Settings,
        database_url: &str,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let config = database::settings(database_url, &format!("gateway-{}", settings.replica))?;
        let database = Database::open(config.clone(), settings.pool_size, &metrics).await?;
        let hub = Arc::new(Hub::new(Arc::clone(&metrics)));
        let lifetime = Duration::from_millis(settings.cache_ttl_ms);
        let cache = Arc::new(ResponseCache::new(lifetime, Arc::clone(&metrics)));
        let listening = listen(config, &hub, &cache);
        let trust = Trust {
            jwks_url: settings.jwks_url,
            issuer: settings.issuer,
            audience: settings.audience,
        };
        let gateway = Arc::new(Gateway {
            replica: settings.replica,
            origins: settings.allow_origin,
            tokens: Tokens::new(trust, Arc::clone(&metrics))?,
            profiles: Profiles::new(database.clone(), Arc::clone(&metrics)),
            receipts: Receipts::new(database.clone(), Arc::clone(&metrics)),
            database,
            hub,
            cache,
            replies: Replies::default(),
            agent: AgentClient::with_depth(
                settings.agent,
                settings.agent_pool_size,
                settings.agent_pipeline,
                &metrics,
            ),
            creating: Creating::default(),
            requests: LastUser::default(),
            served: LastUser::default(),
            send_buffers: Arc::new(SendBuffers::new(Arc::clone(&metrics))),
            gathering: Gathering::new(Arc::clone(&metrics)),
            posts: LastUser::default(),
            metrics,
            places: Places::new(settings.connections_max),
            work: Work::default(),
        });
        Ok(Self { gateway, listening })
    }

    /// Serves connections until `shutdown`; then tells them, and returns when they and the requests in flight have ended.
    /// The caller bounds how long that end may take: see [`Shutdown::bound`].
    pub async fn serve(self, listener: TcpListener, mut shutdown: Shutdown) {
        let gateway = self.gateway;
        tokio::spawn(fetch_first_keys(Arc::clone(&gateway)));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.requested() => break,
            };
            match accepted {
                Ok((stream, _)) => accept(&gateway, stream),
                Err(error) => {
                    // whoever waits longest gives its descriptor back
                    drop(gateway.places.evict());
                    tracing::warn!(%error, "accept failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        gateway.hub.close_all(CloseReason::GoingAway);
        gateway.work.idle().await;
    }

    /// Whether this replica can do its work.
    ///
    /// # Errors
    /// What is missing, worded for an operator.
    pub async fn health(&self) -> Result<(), String> {
        if !self.gateway.tokens.has_keys() {
            return Err("the keys of access tokens could not be fetched yet".to_owned());
        }
        if !*self.listening.borrow() {
            return Err("the database's notifications are not heard".to_owned());
        }
        if !self.gateway.agent.is_connected() {
            return Err("the agent cannot be reached".to_owned());
        }
        self.gateway
            .database
            .ping()
            .await
            .map_err(|failure| failure.to_string())
    }
}

/// Starts what carries the database's notifications to the connections; tells whether they are heard.
fn listen(config: Config, hub: &Arc<Hub>, cache: &Arc<ResponseCache>) -> watch::Receiver<bool> {
    let (heard, hearing) = mpsc::channel(NOTICES_MAX);
    let (up, listening) = watch::channel(false);
    let relay = Relay::new(config.clone(), Arc::clone(hub), Arc::clone(cache), hearing);
    tokio::spawn(Listener::new(config, Arc::clone(hub), heard, up).run());
    tokio::spawn(relay.run());
    listening
}

/// Fetches the keys of access tokens ahead of the first token, as soon as they can be had.
async fn fetch_first_keys(gateway: Arc<Gateway>) {
    while !gateway.tokens.has_keys() {
        gateway.tokens.fetch_keys().await;
        sleep(JWKS_FETCH_EVERY).await;
    }
}

fn accept(gateway: &Arc<Gateway>, mut stream: TcpStream) {
    let gateway = Arc::clone(gateway);
    let working = gateway.work.begin();
    let place = gateway.places.try_enter();
    tokio::spawn(async move {
        let _working = working;
        match place {
            Some(place) => connection::serve(gateway, stream, place).await,
            // whoever does not read this is not waited for
            None => drop(timeout(REFUSAL_TIMEOUT, Refusal::UNAVAILABLE.answer(&mut stream)).await),
        }
    });
}
