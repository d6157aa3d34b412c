//! Real handshakes over loopback, with servers whose certificates are in order, and with others.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::*;
use crate::carrier::Carrier;
use crate::socket::Upgraded;

/// A key and a certificate of it.
struct Identity {
    key: KeyPair,
    params: CertificateParams,
    certificate: Certificate,
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "crosstalk tests");
    params
}

impl Identity {
    /// One that has signed itself, as `openssl req -x509` does.
    fn ca(names: &[&str]) -> Self {
        let mut params = params(names);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self::self_signed(params)
    }

    fn self_signed(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            key,
            params,
            certificate,
        }
    }

    /// One that this one has signed.
    fn signed(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self {
            key,
            params,
            certificate,
        }
    }

    /// What a profile with this certificate in its `ca.pem` trusts.
    fn trusted(&self) -> Tls {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, self.certificate.pem()).unwrap();
        Tls::new(&Trust::read(&path, "ca.pem").unwrap()).unwrap()
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], PrivateKeyDer::from(key));
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

/// Lets one visitor in, and hands what it is over.
async fn door<T>(
    served: impl AsyncFnOnce(TcpStream) -> T,
    visit: impl AsyncFnOnce(SocketAddr) -> io::Result<()>,
) -> (Result<(), String>, T) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        served(stream).await
    };
    let visiting = async { visit(address).await.map_err(|error| error.to_string()) };
    let (served, visited) = tokio::join!(serving, visiting);
    (visited, served)
}

/// What a client that trusts `tls` is told when it greets a server that is `server`, by `host`.
#[track_caller]
fn check(tls: &Tls, server: &Identity, host: &str, expect: Result<(), &str>) {
    let acceptor = server.acceptor();
    let greeted = block_on(door(
        // a visitor that turns away ends this in an error
        async |stream| drop(acceptor.accept(stream).await),
        async |address| tls.greet(&format!("wss://{host}:{}", address.port())).await,
    ));
    assert_eq!(greeted.0, expect.map_err(str::to_owned));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

#[test]
fn a_certificate_that_the_ca_of_the_profile_has_signed() {
    let ca = Identity::ca(&[]);
    let server = ca.signed(params(&["localhost", "127.0.0.1"]));
    check(&ca.trusted(), &server, "localhost", Ok(()));
    check(&ca.trusted(), &server, "127.0.0.1", Ok(()));
}

#[test]
fn of_nobody_who_is_trusted() {
    let server = Identity::ca(&[]).signed(params(&["localhost"]));
    let unknown = "no TLS with localhost: its certificate is of nobody whom ";
    let held = format!("{unknown}ca.pem holds (`[tls] ca`); take the CA that has signed it");
    check(&Identity::ca(&[]).trusted(), &server, "localhost", Err(&held));
    let at_all = format!("{unknown}this machine trusts; name its CA: `[tls] ca = \"ca.pem\"` in the profile");
    check(&Tls::default(), &server, "localhost", Err(&at_all));
}

#[test]
fn for_another_name() {
    let ca = Identity::ca(&[]);
    let server = ca.signed(params(&["chat.test"]));
    let other = "no TLS with localhost: its certificate is for chat.test; reach it by that";
    check(&ca.trusted(), &server, "localhost", Err(other));
    let nobody = ca.signed(params(&[]));
    let none = "no TLS with localhost: its certificate is for no name (subjectAltName)";
    check(&ca.trusted(), &nobody, "localhost", Err(none));
}

#[test]
fn out_of_its_time() {
    let ca = Identity::ca(&[]);
    let mut over = params(&["localhost"]);
    over.not_after = date_time_ymd(2001, 2, 3);
    let expired = "no TLS with localhost: its certificate was good until 2001-02-03T00:00:00Z; renew it";
    check(&ca.trusted(), &ca.signed(over), "localhost", Err(expired));
    let mut to_come = params(&["localhost"]);
    to_come.not_before = date_time_ymd(3001, 2, 3);
    let early =
        "no TLS with localhost: its certificate is good from 3001-02-03T00:00:00Z on; is the clock right?";
    check(&ca.trusted(), &ca.signed(to_come), "localhost", Err(early));
}

/// What `openssl req -x509` makes is marked as a CA, and is the server's own all the same.
#[test]
fn one_that_has_signed_itself() {
    let own = Identity::ca(&["localhost"]);
    check(&own.trusted(), &own, "localhost", Ok(()));
    let other = "no TLS with 127.0.0.1: its certificate is for localhost; reach it by that";
    check(&own.trusted(), &own, "127.0.0.1", Err(other));
    let held = "no TLS with localhost: its certificate is of nobody whom ca.pem holds (`[tls] ca`); take the CA that has signed it";
    let another = Identity::ca(&["localhost"]);
    check(
        &another.trusted(),
        &Identity::self_signed(params(&["localhost"])),
        "localhost",
        Err(held),
    );
    let mut over = own.params.clone();
    over.not_after = date_time_ymd(2001, 2, 3);
    let over = Identity::self_signed(over);
    let expired = "no TLS with localhost: its certificate was good until 2001-02-03T00:00:00Z; renew it";
    check(&over.trusted(), &over, "localhost", Err(expired));
}

/// Another's CA certificate is no server of mine, whatever it says of itself.
#[test]
fn a_ca_that_is_not_the_one_named() {
    let (own, other) = (Identity::ca(&["localhost"]), Identity::ca(&["localhost"]));
    let refused = block_on(async {
        let acceptor = other.acceptor();
        let visit = async |address: SocketAddr| {
            own.trusted()
                .greet(&format!("wss://localhost:{}", address.port()))
                .await
        };
        door(async |stream| drop(acceptor.accept(stream).await), visit)
            .await
            .0
    });
    let held = "no TLS with localhost: its certificate is of nobody whom ca.pem holds (`[tls] ca`); take the CA that has signed it";
    assert_eq!(refused, Err(held.to_owned()));
}

#[test]
fn what_speaks_no_tls() {
    let no_tls =
        "no TLS with localhost: what listens there speaks no TLS; without TLS it is `ws://` and `http://`";
    let greet = async |address: SocketAddr| {
        let url = format!("wss://localhost:{}", address.port());
        Tls::default().greet(&url).await
    };
    let answers = block_on(door(
        async |mut stream| {
            let asked = stream.read_u8().await.unwrap();
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
            asked
        },
        greet,
    ));
    // 22 is a TLS handshake
    assert_eq!(answers, (Err(no_tls.to_owned()), 22));
    let hangs_up = block_on(door(
        async |mut stream: TcpStream| stream.read_u8().await.unwrap(),
        greet,
    ));
    assert_eq!(hangs_up, (Err(no_tls.to_owned()), 22));
}

#[test]
fn files_that_hold_no_ca() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let read = |text: Option<&str>| {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        Trust::read(&path, "ca.pem").unwrap_err()
    };
    assert_eq!(
        read(None),
        "cannot read it: No such file or directory (os error 2)"
    );
    let key = KeyPair::generate().unwrap().serialize_pem();
    assert_eq!(
        read(Some(&key)),
        "holds no certificate: `-----BEGIN CERTIFICATE-----`, PEM"
    );
    let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    assert!(read(Some(cut)).starts_with("is no PEM: "));
    std::fs::write(
        &path,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let bad = Tls::new(&Trust::read(&path, "ca.pem").unwrap()).unwrap_err();
    assert_eq!(
        bad.to_string(),
        "ca.pem holds a certificate that cannot be a CA's"
    );
}

/// The upgrade over TLS names host and origin as the one without does.
#[test]
fn an_upgrade_over_tls() {
    let ca = Identity::ca(&[]);
    let (acceptor, tls) = (ca.signed(params(&["localhost"])).acceptor(), ca.trusted());
    let (upgraded, asked) = block_on(door(
        async |stream| {
            let stream: TlsStream<TcpStream> = acceptor.accept(stream).await.unwrap();
            let mut asked = Vec::new();
            #[expect(clippy::result_large_err, reason = "the shape is the library's")]
            let look = |request: &Request, response: Response| {
                let named = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
                asked = vec![request.uri().to_string(), named("host"), named("origin")];
                Ok(response)
            };
            accept_hdr_async(stream, look).await.unwrap();
            asked
        },
        async |address| {
            let url = format!("wss://localhost:{}/ws?a=b", address.port());
            let mut request = url.into_client_request().unwrap();
            let origin = "https://chat.test".parse().unwrap();
            request.headers_mut().insert("origin", origin);
            let upgraded = Upgraded::dial(request, &tls, &Rc::default()).await;
            upgraded.map(drop).map_err(io::Error::other)
        },
    ));
    assert_eq!(upgraded, Ok(()));
    assert!(asked[1].starts_with("localhost:"), "{asked:?}");
    assert_eq!((&asked[0][..], &asked[2][..]), ("/ws?a=b", "https://chat.test"));
}

/// Whoever has written does not come back to flush: reading does it.
#[test]
fn what_has_no_room_in_the_socket_goes_out_while_one_reads() {
    const CHUNK: [u8; 1024] = [7; 1024];
    let ca = Identity::ca(&[]);
    let (acceptor, tls) = (ca.signed(params(&["localhost"])).acceptor(), ca.trusted());
    let (full, filled) = tokio::sync::oneshot::channel();
    let (visited, ()) = block_on(door(
        async |stream| {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let written: usize = filled.await.unwrap();
            let mut all = vec![0; written];
            stream.read_exact(&mut all).await.unwrap();
            stream.write_all(b"!").await.unwrap();
            stream.flush().await.unwrap();
        },
        async |address| {
            let url = format!("wss://localhost:{}", address.port()).parse().unwrap();
            let mut carrier = Carrier::dial(&url, &tls).await?;
            let mut written = 0;
            loop {
                written += poll_fn(|cx| Pin::new(&mut carrier).poll_write(cx, &CHUNK)).await?;
                if matches!(&carrier, Carrier::Tls(tls) if tls.get_ref().1.wants_write()) {
                    break;
                }
            }
            full.send(written).unwrap();
            assert_eq!(carrier.read_u8().await?, b'!');
            Ok(())
        },
    ));
    assert_eq!(visited, Ok(()));
}
