//! Services with a leak planted, or with none, and users of tenants of their own.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Client;
use crate::common::Cluster;
use crate::stack::{Account, Further, Login, Stack, poll};

/// Something of `victim` was seen to reach `observer`: user ids, or the nil UUID for somebody unknown to the service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leak {
    pub(crate) observer: String,
    pub(crate) victim: String,
}

/// A user with a connection.
pub(crate) struct Person {
    pub(crate) account: Account,
    pub(crate) login: Login,
    pub(crate) client: Client,
}

impl Person {
    /// Something of `victim` reached this one.
    pub(crate) fn saw(&self, victim: &Self) -> Option<Leak> {
        Some(Leak {
            observer: self.account.user_id.clone(),
            victim: victim.account.user_id.clone(),
        })
    }

    /// A thread with a message whose body is `secret`.
    pub(crate) async fn thread_with(&mut self, title: &str, secret: &str) -> String {
        let thread_id = self.client.thread(title).await;
        let post = json!({ "thread_id": thread_id, "body": secret, "nonce": "n" });
        self.client.ok("message.post", post).await;
        thread_id
    }
}

/// Whether `text` is somewhere in `frames`.
pub(crate) fn holds(frames: &[Value], text: &str) -> bool {
    frames.iter().any(|frame| frame.to_string().contains(text))
}

/// A word that is nowhere else.
pub(crate) fn word() -> String {
    format!("word-{}", Uuid::new_v4().simple())
}

/// A stack of services on a shared PostgreSQL.
pub(crate) struct World {
    pub(crate) stack: Stack,
    tag: String,
    record: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn start(cluster: Arc<Cluster>, mutant: Option<&str>, gateway: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let record = folder.path().join("record.jsonl");
        let path = record.to_str().expect("a path in UTF-8");
        let planted = mutant.map(|mutant| ["--mutant", mutant, "--mutant-record", path]);
        let with = |own: &[&'static str]| -> Vec<&str> {
            let own = own.iter().copied();
            own.chain(planted.into_iter().flatten()).collect()
        };
        let auth = with(&["--pool-size", "4"]);
        // all that are asked for within a while are one batch
        let agent = with(&["--batch-wait-us", "20000", "--step-us", "3000"]);
        let mut own = with(&["--cache-ttl-ms", "60000"]);
        if !gateway.contains(&"--pool-size") {
            own.extend(["--pool-size", "4"]);
        }
        own.extend(gateway);
        let further = Further {
            auth: &auth,
            agent: &agent,
            gateway: &own,
        };
        Self {
            stack: Stack::start_on(cluster, further).await,
            tag: Uuid::new_v4().simple().to_string(),
            record,
            _folder: folder,
        }
    }

    /// A new user of a tenant of this world.
    pub(crate) async fn enter(&self, name: &str, tenant: &str, replica: usize) -> Person {
        let tenant = format!("{tenant}-{}", self.tag);
        let (account, login, client) = self.stack.enter(name, &tenant, replica).await;
        Person {
            account,
            login,
            client,
        }
    }

    /// What the mutant wrote.
    pub(crate) fn fired(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.record).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// Waits until that leak is written down.
    pub(crate) async fn recorded(&self, mutant: &str, leak: &Leak) {
        poll("record", async || {
            let is_it = |fired: &Value| {
                fired["mutant"] == mutant
                    && fired["observer"] == leak.observer.as_str()
                    && fired["victim"] == leak.victim.as_str()
            };
            self.fired().iter().any(is_it).then_some(())
        })
        .await;
    }
}
