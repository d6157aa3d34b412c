//! The upgrade: an HTTP request becomes a WebSocket, or is refused before it does.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::limits::HANDSHAKE_BYTES_MAX;
use super::protocol::Dialect;

/// An answer instead of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

impl Refusal {
    const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message,
        }
    }

    const fn bad_request(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// No valid token. One answer for all reasons, so that nothing is learnt from it.
    pub(crate) const UNAUTHORIZED: Self = Self::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "a valid access token is needed",
    );
    pub(crate) const UNAVAILABLE: Self = Self::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "the service cannot take this connection now",
    );
    const NOT_FOUND: Self = Self::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "there is nothing at this path",
    );
    const FORBIDDEN_ORIGIN: Self =
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this origin may not connect");

    /// Writes it and ends the stream.
    pub(crate) async fn answer(self, stream: &mut TcpStream) -> io::Result<()> {
        let body = serde_json::json!({ "error": { "code": self.code, "message": self.message } }).to_string();
        let authenticate = match self.status {
            StatusCode::UNAUTHORIZED => "WWW-Authenticate: Bearer\r\n",
            _ => "",
        };
        let answer = format!(
            "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{authenticate}Connection: close\r\n\r\n{body}",
            self.status,
            body.len(),
        );
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }
}

/// The head of a request, and what was sent right after it.
pub(crate) struct Head {
    pub(crate) request: Request,
    pub(crate) rest: Vec<u8>,
}

/// Reads the head of a request.
///
/// # Errors
/// An [`io::Error`] if the stream ends before; `Ok(Err)` if what comes is no request, or too long.
pub(crate) async fn read_head(stream: &mut TcpStream) -> io::Result<Result<Head, Refusal>> {
    let mut bytes = Vec::with_capacity(2048);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match Request::try_parse(&bytes) {
            Ok(Some((length, request))) => {
                return Ok(Ok(Head {
                    request,
                    rest: bytes.split_off(length),
                }));
            }
            Ok(None) if bytes.len() < HANDSHAKE_BYTES_MAX => {}
            Ok(None) => {
                let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                return Ok(Err(Refusal::new(
                    status,
                    "too_large",
                    "the head of the request is too long",
                )));
            }
            Err(_) => return Ok(Err(Refusal::bad_request("this is not an HTTP request"))),
        }
    }
}

/// What an upgrade request asks for, once its form, path and origin are accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    pub(crate) token: &'a str,
    pub(crate) dialect: Dialect,
}

/// Looks at all of a request but the validity of its token.
///
/// # Errors
/// The [`Refusal`] to answer with.
pub(crate) fn examine<'a>(request: &'a Request, origins: &[String]) -> Result<Asked<'a>, Refusal> {
    if request.uri().path() != "/ws" || request.method() != Method::GET {
        return Err(Refusal::NOT_FOUND);
    }
    let headers = request.headers();
    if let Some(origin) = headers.get(header::ORIGIN)
        && !origins.iter().any(|allowed| origin == allowed.as_str())
    {
        return Err(Refusal::FORBIDDEN_ORIGIN);
    }
    let token = bearer(headers).ok_or(Refusal::UNAUTHORIZED)?;
    let dialect = dialect(headers).ok_or(Refusal::bad_request(
        "none of the subprotocols asked for is spoken here",
    ))?;
    Ok(Asked { token, dialect })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The first subprotocol asked for that is spoken; the current one if none is asked for.
fn dialect(headers: &HeaderMap) -> Option<Dialect> {
    let asked = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    if asked.iter().next().is_none() {
        return Some(Dialect::V2);
    }
    let names = asked
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    names.map(str::trim).find_map(|name| {
        [Dialect::V2, Dialect::V1]
            .into_iter()
            .find(|d| d.subprotocol() == name)
    })
}

/// The bytes that accept an upgrade.
///
/// # Errors
/// The [`Refusal`] to answer with, if the request is no WebSocket upgrade.
pub(crate) fn acceptance(request: &Request, dialect: Dialect) -> Result<Vec<u8>, Refusal> {
    const NO_UPGRADE: Refusal = Refusal::bad_request("this is not a WebSocket upgrade");
    let mut response = create_response(request).map_err(|_| NO_UPGRADE)?;
    if request.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        let spoken = HeaderValue::from_static(dialect.subprotocol());
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, spoken);
    }
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).map_err(|_| NO_UPGRADE)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, headers: &[(&str, &str)]) -> Request {
        let mut head = format!("GET {path} HTTP/1.1\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        Request::try_parse(head.as_bytes())
            .expect("a head")
            .expect("a whole head")
            .1
    }

    #[track_caller]
    fn check(path: &str, headers: &[(&str, &str)], expect: Result<Dialect, u16>) {
        let request = request(path, headers);
        let asked = examine(&request, &["https://chat.example".to_owned()]);
        assert_eq!(
            asked
                .map(|asked| asked.dialect)
                .map_err(|refusal| refusal.status.as_u16()),
            expect
        );
    }

    const TOKEN: (&str, &str) = ("Authorization", "Bearer t");

    #[test]
    fn what_is_asked_for_decides() {
        check("/ws", &[TOKEN], Ok(Dialect::V2));
        check("/ws?x=1", &[TOKEN], Ok(Dialect::V2));
        check("/ws", &[("authorization", "bearer t")], Ok(Dialect::V2));
        check(
            "/ws",
            &[TOKEN, ("Origin", "https://chat.example")],
            Ok(Dialect::V2),
        );
        check(
            "/ws",
            &[TOKEN, ("Sec-WebSocket-Protocol", "chat.v1")],
            Ok(Dialect::V1),
        );
        check(
            "/ws",
            &[TOKEN, ("Sec-WebSocket-Protocol", "chat.v9, chat.v1,chat.v2")],
            Ok(Dialect::V1),
        );
    }

    #[test]
    fn what_is_refused() {
        check("/", &[TOKEN], Err(404));
        check("/ws", &[], Err(401));
        check("/ws", &[("Authorization", "Basic t")], Err(401));
        check("/ws", &[("Authorization", "Bearer ")], Err(401));
        check("/ws", &[TOKEN, TOKEN], Err(401));
        check("/ws?access_token=t", &[], Err(401));
        check("/ws", &[TOKEN, ("Origin", "https://evil.example")], Err(403));
        check("/ws", &[TOKEN, ("Origin", "null")], Err(403));
        check("/ws", &[TOKEN, ("Sec-WebSocket-Protocol", "chat.v9")], Err(400));
    }

    #[test]
    fn only_a_websocket_upgrade_is_accepted() {
        let refused = acceptance(&request("/ws", &[TOKEN]), Dialect::V2).expect_err("a refusal");
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        let upgrade = request(
            "/ws",
            &[
                ("Connection", "Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Sec-WebSocket-Protocol", "chat.v1"),
            ],
        );
        let accepted = String::from_utf8(acceptance(&upgrade, Dialect::V1).expect("bytes")).expect("text");
        assert!(accepted.starts_with("HTTP/1.1 101 "), "{accepted}");
        // the example of RFC 6455, section 1.3
        assert!(accepted.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{accepted}");
        assert!(accepted.contains("sec-websocket-protocol: chat.v1"), "{accepted}");
    }
}
