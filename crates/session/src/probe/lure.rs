//! Where a service comes that believes a token about where its keys are.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Bytes of a request that are read at most.
const REQUEST_LIMIT_BYTES: usize = 4 * 1024;
/// How long a visitor may take.
const VISIT_LIMIT: Duration = Duration::from_millis(250);

/// A listener on loopback that gives the same JSON to whoever asks, and remembers what was asked for.
pub(super) struct Lure {
    url: String,
    visits: Rc<RefCell<BTreeSet<String>>>,
    server: JoinHandle<()>,
}

impl Lure {
    /// Lays it, on a port of its own.
    ///
    /// # Errors
    ///
    /// Whatever the system says if it cannot listen.
    pub(super) async fn lay(json: String) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let visits = Rc::default();
        let server = tokio::task::spawn_local(serve(listener, json, url.clone(), Rc::clone(&visits)));
        Ok(Self { url, visits, server })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The URLs that were asked for since the last time.
    pub(super) fn take_visits(&self) -> BTreeSet<String> {
        self.visits.take()
    }
}

impl Drop for Lure {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// One visitor after another: there should be none.
async fn serve(listener: TcpListener, json: String, url: String, visits: Rc<RefCell<BTreeSet<String>>>) {
    // a listener that fails once may go on; one that fails for good is caught by the limit of the phase
    while let Ok((stream, _)) = listener.accept().await {
        // a visitor that is too slow has been seen if it said what it wants
        let _ = tokio::time::timeout(VISIT_LIMIT, receive(stream, &json, &url, &visits)).await;
    }
}

async fn receive(
    mut stream: TcpStream,
    json: &str,
    url: &str,
    visits: &RefCell<BTreeSet<String>>,
) -> io::Result<()> {
    let mut request = Vec::with_capacity(REQUEST_LIMIT_BYTES);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_LIMIT_BYTES {
        if stream.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    let head = String::from_utf8_lossy(&request);
    let path = head.split_ascii_whitespace().nth(1).unwrap_or_default();
    visits.borrow_mut().insert(format!("{url}{path}"));
    let length = json.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{json}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;
    use crate::client::Client;
    use crate::tls::Tls;

    #[tokio::test]
    async fn visitors_are_served_and_remembered() {
        LocalSet::new().run_until(visit()).await;
    }

    async fn visit() {
        let lure = Lure::lay(r#"{"keys":[]}"#.to_owned()).await.unwrap();
        assert_eq!(lure.take_visits(), BTreeSet::new());
        let url = format!("{}/jku", lure.url());
        let client = Client::new(Tls::default(), VISIT_LIMIT);
        let asked = hyper::Request::get(&url).body(Default::default()).unwrap();
        let body = client.send(asked).await.unwrap().body().await.unwrap();
        assert_eq!(body, br#"{"keys":[]}"#);
        assert_eq!(lure.take_visits(), BTreeSet::from([url]));
        assert_eq!(lure.take_visits(), BTreeSet::new());
    }
}
