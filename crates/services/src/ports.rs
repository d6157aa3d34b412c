use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::{Error, Process};

/// The addresses that a process bound, by name, as it reported them.
///
/// Children bind port 0 and write what they got to a file: a JSON object from name to `host:port`, written elsewhere
/// and renamed into place.
pub type Ports = BTreeMap<String, SocketAddr>;

impl Process {
    /// Waits for the file in which the process reports its ports.
    ///
    /// # Errors
    /// [`Error::Died`] or [`Error::NotReady`], with the end of its log.
    pub async fn ports(&self, file: &Path, within: Duration) -> Result<Ports, Error> {
        let awaited = format!("it had written its ports to {}", file.display());
        self.until(&awaited, within, || async { read(file) }).await
    }

    /// Waits until `GET http://{address}/health` answers 200.
    ///
    /// # Errors
    /// [`Error::Died`] or [`Error::NotReady`], with the last answer and the end of its log.
    pub async fn healthy(&self, address: SocketAddr, within: Duration) -> Result<(), Error> {
        let url = format!("http://{address}/health");
        let awaited = format!("GET {url} answered 200");
        self.until(&awaited, within, || ask(self.http(), &url)).await
    }
}

fn read(file: &Path) -> Result<Ports, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| format!("not a json object of addresses: {error}"))
}

async fn ask(http: &reqwest::Client, url: &str) -> Result<(), String> {
    match http.get(url).send().await {
        Ok(answer) if answer.status() == reqwest::StatusCode::OK => Ok(()),
        Ok(answer) => Err(format!("answered {}", answer.status())),
        Err(error) if error.is_connect() => Err("no connection".into()),
        Err(error) => Err(error.to_string()),
    }
}
