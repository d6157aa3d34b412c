//! Parsers of what clients send, for the fuzz targets alone.

use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::Request;

use super::handshake::{acceptance, examine};
use super::protocol::{self, Dialect, Rejected};

/// What a message turned out to be.
#[derive(Debug)]
pub struct Parsed {
    /// The request id, if it could be read.
    pub id: Option<String>,
    /// The op of a request.
    pub op: Option<&'static str>,
    /// The error's code of what is no request.
    pub code: Option<&'static str>,
}

/// Reads a message in the current dialect, or in the `legacy` one.
#[must_use]
pub fn parse(text: &str, legacy: bool) -> Parsed {
    let dialect = if legacy { Dialect::V1 } else { Dialect::V2 };
    match protocol::parse(text.into(), dialect) {
        Ok(request) => Parsed {
            op: Some(request.op.name()),
            id: Some(request.id),
            code: None,
        },
        Err(Rejected { id, failure }) => Parsed {
            id,
            op: None,
            code: Some(failure.code.name()),
        },
    }
}

/// The token that an upgrade request presents; `None` for what is none, or is refused for its form.
#[must_use]
pub fn asked(head: &[u8]) -> Option<String> {
    let (_, request) = Request::try_parse(head).ok()??;
    let asked = examine(&request, &[]).ok()?;
    acceptance(&request, asked.dialect).ok()?;
    Some(asked.token.to_owned())
}
