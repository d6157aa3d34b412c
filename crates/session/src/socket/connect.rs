//! TCP and TLS, upgrade, greeting.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use history::{At, ChannelKind, Conn, Fact, Part, Parts, Replica, Session, Source, User};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::kin::Kin;
use super::ledger::Ledger;
use super::steps::{self, Stopped};
use super::tap::{Backlog, LIMIT_HIT, Tap};
use super::{Happening, Holder, Socket, State, Stream, UNSENT_LIMIT_BYTES, made};
use crate::asker::Asker;
use crate::asking::percent_encoded;
use crate::carrier::Carrier;
use crate::clock::nanoseconds;
use crate::codec::{Slot, Values};
use crate::limits::MESSAGE_LIMIT_BYTES;
use crate::profile::Dialect;
use crate::tls::{Tls, TlsError};
use crate::trace::TracedStep;
use crate::worker::Worker;

/// Enough for most messages at once; longer ones take a read for each as much. The library's own 128 KiB would be 134 MiB for a thousand
/// users, and what is free of it is cleared before each read.
const READ_BUFFER_BYTES: usize = 1024;
/// What may be written until some of it is sent, whether or not it was to be.
const WRITE_BUFFER_BYTES: usize = 4096;

/// What one presents at a gateway's door.
#[derive(Clone, Debug)]
pub(crate) struct Knock<'a> {
    pub(crate) user: User,
    /// The session of the token; `None` if the token is none of one's own.
    pub(crate) session: Option<Session>,
    pub(crate) replica: Replica,
    /// Which of the target's dialects.
    pub(crate) dialect: u8,
    /// Who one says one is, and what is to prove it.
    pub(crate) caller: &'a Values,
    /// Whether to be let in would be a finding.
    pub(crate) expect_refusal: bool,
}

/// Why one was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The connection that would have been.
    pub(crate) conn: Conn,
    /// HTTP status, if the service answered.
    pub(crate) status: Option<u16>,
    pub(crate) reason: String,
}

/// An upgrade that was accepted.
pub(crate) struct Upgraded {
    pub(super) stream: Stream,
    response: Response,
    tcp_ns: u64,
    upgrade_ns: u64,
}

/// An upgrade that was not.
struct Failed {
    status: Option<u16>,
    reason: String,
    answer: Option<Box<Response>>,
    /// Whether it was us who gave up, at a limit.
    at_limit: bool,
}

impl Socket {
    /// Connects and upgrades; from then on everything that comes in is recorded.
    pub(crate) async fn open(worker: &Rc<Worker>, knock: Knock<'_>) -> Result<Rc<Self>, Refusal> {
        let Knock {
            user,
            session,
            replica,
            ..
        } = knock;
        let speaks = &worker.target.profile.dialects[usize::from(knock.dialect)];
        let holder = Holder {
            conn: worker.next_conn(),
            user,
            session,
            replica,
        };
        // the turns are never closed; an error would be no reason not to connect
        let _turn = worker.connects.acquire().await;
        let began = worker.clock.now();
        let limit = worker.limits.connect;
        let upgrading = async {
            let asker = Asker {
                worker,
                user,
                conn: holder.conn,
                base: &worker.target.auth,
                token: knock.caller.get(Slot::AccessToken),
            };
            let given = steps::go(&speaks.before, knock.caller, asker).await?;
            let mut caller = knock.caller.clone();
            caller.extend(given.clone());
            let caller = &caller;
            let upgraded = upgrade(
                worker,
                &Knock {
                    caller,
                    ..knock.clone()
                },
            )
            .await?;
            Ok((upgraded, given))
        };
        let upgraded = match tokio::time::timeout(limit, upgrading).await {
            Ok(upgraded) => upgraded,
            Err(_) => Err(Failed::network(format!(
                "no answer within {} ms",
                limit.as_millis()
            ))),
        };
        match upgraded {
            Ok((upgraded, given)) => {
                let socket = Self::opened(worker, holder, &knock, began, upgraded);
                socket.greeting.borrow_mut().extend(given);
                Ok(socket)
            }
            Err(failed) => {
                let to = shown(speaks, knock.caller);
                Err(failed.record(worker, holder, (knock.expect_refusal, to)))
            }
        }
    }

    fn opened(
        worker: &Rc<Worker>,
        holder: Holder,
        knock: &Knock<'_>,
        began: At,
        upgraded: Upgraded,
    ) -> Rc<Self> {
        let Upgraded {
            stream,
            response,
            tcp_ns,
            upgrade_ns,
        } = upgraded;
        let at = worker.clock.now();
        let Holder {
            conn,
            user,
            session,
            replica,
        } = holder;
        let channel = ChannelKind::WebSocket;
        worker.record_at(
            at,
            Fact::Opened {
                conn,
                user,
                session,
                replica,
                channel,
                tcp_ns,
                upgrade_ns,
            },
        );
        let dialect = usize::from(knock.dialect);
        let speaks = &worker.target.profile.dialects[dialect];
        let socket = Rc::new(Self {
            worker: Rc::clone(worker),
            holder,
            dialect,
            state: RefCell::new(State::Connecting.after(Happening::Accepted)),
            codec: RefCell::new(speaks.framing.codec()),
            ledger: RefCell::new(Ledger::new(conn, speaks.framing.order(), speaks.ids())),
            me: made::me(knock.caller),
            token: knock.caller.get(Slot::AccessToken).map(str::to_owned),
            patience: RefCell::default(),
            stream: RefCell::new(Some(stream)),
            reader: RefCell::default(),
            waker: RefCell::new(Waker::noop().clone()),
            unsent: Cell::new(false),
            alarm: Cell::default(),
            greeting: RefCell::default(),
            heard: Cell::default(),
            turned_away: Cell::default(),
            told: RefCell::default(),
            kin: Kin::new(speaks.connects_to_threads(), knock.caller),
            listens: RefCell::default(),
            cursor: Cell::default(),
            last_inbound: Cell::new(at),
            watches: RefCell::default(),
            began,
        });
        socket.enter(worker.phase().0);
        socket.trace(|| TracedStep::Opened(shown(speaks, knock.caller)));
        socket.record_inbound(
            at,
            Source::Headers,
            header_lines(response.headers()).as_bytes(),
            Parts::default(),
        );
        let reader = tokio::task::spawn_local(socket.worker.watched(Rc::clone(&socket).read()));
        *socket.reader.borrow_mut() = Some(reader);
        socket
    }
}

async fn upgrade(worker: &Worker, knock: &Knock<'_>) -> Result<Upgraded, Failed> {
    let address = worker.target.gateways.get(usize::from(knock.replica.0));
    let address =
        address.ok_or_else(|| Failed::network(format!("there is no gateway {}", knock.replica.0)))?;
    let dialect = &worker.target.profile.dialects[usize::from(knock.dialect)];
    let request = request(address, dialect, knock.caller).map_err(Failed::of)?;
    Upgraded::dial(request, &worker.target.tls, &worker.backlog)
        .await
        .map_err(Failed::of)
}

impl Upgraded {
    /// Connects to where the request leads, and asks for the upgrade.
    pub(crate) async fn dial(request: Request, tls: &Tls, backlog: &Rc<Backlog>) -> Result<Self, Error> {
        let start = Instant::now();
        let stream = Carrier::dial(request.uri(), tls).await?;
        let tcp_ns = nanoseconds(start.elapsed());
        let tap = Tap::new(stream, Rc::clone(backlog));
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_write_buffer_size(UNSENT_LIMIT_BYTES)
            .max_message_size(Some(MESSAGE_LIMIT_BYTES))
            .max_frame_size(Some(MESSAGE_LIMIT_BYTES));
        let (stream, response) = client_async_with_config(request, tap, Some(config)).await?;
        let upgrade_ns = nanoseconds(start.elapsed()) - tcp_ns;
        Ok(Self {
            stream,
            response,
            tcp_ns,
            upgrade_ns,
        })
    }
}

fn request(address: &str, dialect: &Dialect, caller: &Values) -> Result<Request, Error> {
    // whoever has no token presents an empty one
    let nothing = |values: Values, slot| match values.get(slot) {
        Some(_) => values,
        None => values.with(slot, ""),
    };
    let of_path = dialect.path.slots().fold(caller.clone(), nothing);
    let path = dialect.path.text(&of_path, percent_encoded).unwrap_or_default();
    let mut request = format!("{address}{path}").into_client_request()?;
    let headers = request.headers_mut();
    if let Some(subprotocol) = &dialect.subprotocol {
        headers.insert("Sec-WebSocket-Protocol", HeaderValue::try_from(subprotocol)?);
    }
    for (name, value) in &dialect.headers {
        if let Ok(value) = value.text(caller, str::to_owned) {
            let mut value = HeaderValue::try_from(value)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name)?, value);
        }
    }
    Ok(request)
}

/// To where one connects, for people: what proves who one is, is left out.
fn shown(dialect: &Dialect, caller: &Values) -> String {
    let secret = [Slot::AccessToken, Slot::Password, Slot::Ticket];
    let filled = dialect.path.slots().fold(caller.clone(), |values, slot| {
        let value = values.get(slot).unwrap_or_default().to_owned();
        let value = match secret.contains(&slot) && !value.is_empty() {
            true => format!("<{}>", slot.name()),
            false => value,
        };
        values.with(slot, value)
    });
    let path = dialect.path.text(&filled, str::to_owned);
    path.unwrap_or_default()
}

/// A header block as it stands on the wire, names in lower case.
pub(crate) fn header_lines(headers: &HeaderMap) -> String {
    headers.iter().fold(String::new(), |mut lines, (name, value)| {
        // writing to a string cannot fail
        let _ = write!(lines, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
        lines
    })
}

impl From<Stopped> for Failed {
    /// What goes before an upgrade was refused.
    fn from(stopped: Stopped) -> Self {
        Self {
            status: stopped.status,
            ..Self::network(stopped.reason)
        }
    }
}

impl Failed {
    fn network(reason: String) -> Self {
        Self {
            status: None,
            reason,
            answer: None,
            at_limit: false,
        }
    }

    fn of(error: Error) -> Self {
        let at_limit = match &error {
            Error::AttackAttempt | Error::Capacity(_) => true,
            Error::Io(error) => error.kind() == LIMIT_HIT,
            _ => false,
        };
        match error {
            Error::Io(error) if TlsError::within(&error).is_some() => Self::network(error.to_string()),
            Error::Http(answer) => Self {
                status: Some(answer.status().as_u16()),
                reason: format!("status {}", answer.status()),
                answer: Some(answer),
                at_limit,
            },
            error => Self {
                at_limit,
                ..Self::network(error.to_string())
            },
        }
    }

    /// That nobody was let in who wanted to connect `to` there.
    fn record(self, worker: &Worker, holder: Holder, (expected, to): (bool, String)) -> Refusal {
        let Self {
            status,
            reason,
            answer,
            at_limit,
        } = self;
        let at = worker.clock.now();
        let Holder {
            conn, user, replica, ..
        } = holder;
        let refused = Fact::Refused {
            conn,
            user,
            replica,
            expected,
            reason: reason.as_str().into(),
        };
        worker.record_at(at, refused);
        worker
            .tracer
            .tell(user, conn, || TracedStep::Refused(reason.clone(), to));
        if at_limit {
            let what = format!(
                "connection {} given up during its upgrade: {reason}",
                holder.conn.0
            );
            worker.record_at(at, Fact::LimitHit { what: what.into() });
        }
        if let Some(answer) = answer {
            let inbound = |source, bytes: &[u8], parts| {
                let bytes = bytes.into();
                let inbound = history::Inbound {
                    conn,
                    source,
                    bytes,
                    parts,
                };
                worker.record_at(at, Fact::Inbound(inbound));
            };
            inbound(
                Source::Headers,
                header_lines(answer.headers()).as_bytes(),
                Parts::default(),
            );
            let refusal = Part::Event {
                kind: "refusal".into(),
                content: false,
            };
            let body = answer.body().as_deref().unwrap_or_default();
            inbound(Source::Body, body, refusal.into());
        }
        Refusal { conn, status, reason }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    /// Pings whose answers are more than the kernel's buffers on both sides and ours together.
    const PINGS: usize = 160_000;

    #[tokio::test]
    async fn answers_to_pings_that_nobody_takes_are_bounded() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let ping = [&[0x89, 125][..], &[b'p'; 125]].concat();
        // a whole message now and then, so that no other limit is met
        let pings = [&ping.repeat(1_000)[..], b"\x81\x01x"].concat();
        let pinging = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = accept_async(stream).await.unwrap().into_inner();
            for _ in 0..PINGS / 1_000 {
                stream.write_all(&pings).await.unwrap();
            }
            stream
        };
        let listening = async {
            let request = format!("ws://{address}/").into_client_request().unwrap();
            let mut stream = Upgraded::dial(request, &Tls::default(), &Rc::default())
                .await
                .unwrap()
                .stream;
            for _ in 0..PINGS + PINGS / 1_000 {
                assert!(matches!(stream.next().await, Some(Ok(_))));
            }
            stream.feed(Message::text("one more".repeat(100))).await
        };
        let (_unread, fed) = tokio::join!(pinging, listening);
        assert!(matches!(fed, Err(Error::WriteBufferFull(_))), "{fed:?}");
    }
}
