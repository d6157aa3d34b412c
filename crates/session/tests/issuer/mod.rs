//! A small service that issues ES256 tokens and verifies them, if need be with one mistake. It has accounts and knows who
//! is who; everything else that the harness asks for is answered with an error.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use p256::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use serde_json::{Value, json};
use session::Stranger;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

const TENANT: &str = "00000000-0000-4000-8000-000000000001";
const KID: &str = "key-1";

/// What is wrong with the verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    TakesNone,
    ConfusesAlgorithms,
    FollowsJku,
    CachesWithoutSignature,
    TakesTokenInMessage,
    IgnoresAudience,
    IgnoresIssuer,
}

/// The running service; it lives as long as this.
pub(crate) struct Issuer {
    pub(crate) auth: String,
    pub(crate) gateway: String,
    /// Services on the same accounts and with the same key, that sign as or for somebody else.
    pub(crate) strangers: Vec<Stranger>,
    _runtime: Runtime,
}

/// As whom a service signs, and for whom.
#[derive(Clone, Copy, Debug)]
struct Names {
    iss: &'static str,
    aud: &'static str,
}

const OURS: Names = Names {
    iss: "issuer",
    aud: "chat",
};
const STRANGERS: [(&str, Names); 2] = [
    ("token of another issuer", Names { iss: "other", ..OURS }),
    ("token for another audience", Names { aud: "other", ..OURS }),
];

struct Service {
    mistake: Option<Mistake>,
    names: Names,
    private: EncodingKey,
    pem: String,
    keys: JwkSet,
    /// User ids by e-mail.
    accounts: Arc<Mutex<HashMap<String, String>>>,
    /// Subjects by what was signed, where the signature is left out of it.
    cache: Mutex<HashMap<String, String>>,
}

impl Issuer {
    pub(crate) fn start(mistake: Option<Mistake>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads can be had");
        let service = Arc::new(Service::new(mistake));
        let strangers = STRANGERS.map(|(name, names)| {
            let other = Arc::new(Service {
                names,
                accounts: Arc::clone(&service.accounts),
                ..Service::new(None)
            });
            let auth = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback works");
                let auth = format!("http://{}", listener.local_addr().expect("it is bound"));
                tokio::spawn(accept(listener, other, serve_http));
                auth
            });
            Stranger { name, auth }
        });
        let (auth, gateway) = runtime.block_on(async {
            let bind = async || TcpListener::bind("127.0.0.1:0").await.expect("loopback works");
            let (auth, gateway) = (bind().await, bind().await);
            let address = |listener: &TcpListener| listener.local_addr().expect("it is bound").to_string();
            let addresses = (format!("http://{}", address(&auth)), address(&gateway));
            tokio::spawn(accept(auth, Arc::clone(&service), serve_http));
            tokio::spawn(accept(gateway, service, serve_socket));
            addresses
        });
        Self {
            auth,
            gateway,
            strangers: strangers.into(),
            _runtime: runtime,
        }
    }
}

async fn accept<F>(listener: TcpListener, service: Arc<Service>, serve: fn(TcpStream, Arc<Service>) -> F)
where
    F: Future<Output = Option<()>> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&service)));
    }
}

impl Service {
    fn new(mistake: Option<Mistake>) -> Self {
        let secret = p256::SecretKey::from_slice(&[7; 32]).expect("a scalar");
        let der = secret.to_pkcs8_der().expect("a key");
        let private = EncodingKey::from_ec_der(der.as_bytes());
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256).expect("a key");
        public.common.key_id = Some(KID.to_owned());
        Self {
            mistake,
            names: OURS,
            private,
            pem: secret
                .public_key()
                .to_public_key_pem(LineEnding::LF)
                .expect("a key"),
            keys: JwkSet { keys: vec![public] },
            accounts: Arc::default(),
            cache: Mutex::default(),
        }
    }

    /// Makes an account.
    fn register(&self, email: &str) -> Value {
        let mut accounts = self.accounts.lock().expect("nobody panics");
        let id = format!("00000000-0000-4000-9000-{:012}", accounts.len());
        accounts.insert(email.to_owned(), id.clone());
        json!({"user_id": id, "tenant_id": TENANT})
    }

    /// Issues tokens.
    fn login(&self, email: &str) -> Option<Value> {
        let sub = self.accounts.lock().ok()?.get(email)?.clone();
        let jti = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        let header = Header {
            kid: Some(KID.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        let Names { iss, aud } = self.names;
        let claims = json!({"iss": iss, "aud": aud, "sub": sub, "jti": jti, "exp": 32_503_680_000_u64});
        let token = encode(&header, &claims, &self.private).ok()?;
        Some(json!({
            "access_token": token, "refresh_token": format!("refresh-{jti}"), "expires_in_s": 900, "session_id": jti,
            "user_id": sub, "tenant_id": TENANT,
        }))
    }

    /// Whose token it is.
    async fn verify(&self, token: &str) -> Option<String> {
        match self.mistake {
            Some(Mistake::TakesNone) if alg(token)?.eq_ignore_ascii_case("none") => return subject(token),
            Some(Mistake::ConfusesAlgorithms) if alg(token)? == "HS256" => {
                let key = DecodingKey::from_secret(self.pem.as_bytes());
                return self.verified(token, &key, Algorithm::HS256);
            }
            Some(Mistake::FollowsJku) => {
                if let Some(url) = decode_header(token).ok()?.jku {
                    let client = reqwest::Client::builder().no_proxy().build().ok()?;
                    let keys: JwkSet = client.get(url).send().await.ok()?.json().await.ok()?;
                    let key = DecodingKey::from_jwk(keys.keys.first()?).ok()?;
                    return self.verified(token, &key, Algorithm::ES256);
                }
            }
            Some(Mistake::CachesWithoutSignature) => {
                let signed = token.rsplit_once('.')?.0;
                if let Some(known) = self.cache.lock().ok()?.get(signed) {
                    return Some(known.clone());
                }
                let subject = self.verify_well(token)?;
                self.cache.lock().ok()?.insert(signed.to_owned(), subject.clone());
                return Some(subject);
            }
            _ => {}
        }
        self.verify_well(token)
    }

    fn verify_well(&self, token: &str) -> Option<String> {
        let key = self.keys.find(&decode_header(token).ok()?.kid?)?;
        self.verified(token, &DecodingKey::from_jwk(key).ok()?, Algorithm::ES256)
    }

    fn verified(&self, token: &str, key: &DecodingKey, algorithm: Algorithm) -> Option<String> {
        let mut validation = Validation::new(algorithm);
        validation.validate_aud = self.mistake != Some(Mistake::IgnoresAudience);
        validation.set_audience(&[OURS.aud]);
        if self.mistake != Some(Mistake::IgnoresIssuer) {
            validation.set_issuer(&[OURS.iss]);
        }
        decode::<Value>(token, key, &validation).ok()?;
        subject(token)
    }

    async fn answer(&self, request: &Value, user: &str) -> Value {
        let id = &request["id"];
        if request["op"] != "whoami" {
            return json!({"re": id, "err": {"code": "unknown_op", "message": "no"}});
        }
        let named = match (self.mistake, request["token"].as_str()) {
            (Some(Mistake::TakesTokenInMessage), Some(token)) => self.verify(token).await,
            _ => None,
        };
        json!({"re": id, "ok": {"user_id": named.as_deref().unwrap_or(user), "tenant_id": TENANT}})
    }
}

fn part(token: &str, index: usize) -> Option<Value> {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&part).ok()
}

fn alg(token: &str) -> Option<String> {
    part(token, 0)?["alg"].as_str().map(str::to_owned)
}

fn subject(token: &str) -> Option<String> {
    part(token, 1)?["sub"].as_str().map(str::to_owned)
}

async fn serve_http(stream: TcpStream, service: Arc<Service>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut path, mut length, mut token) = (String::new(), 0, String::new());
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let (name, value) = line.trim_end().split_once(' ').unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "" => break,
                "get" | "post" => path = value.split(' ').next()?.to_owned(),
                "content-length:" => length = value.parse().ok()?,
                "authorization:" => token = value.strip_prefix("Bearer ")?.to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let email = body["email"].as_str().unwrap_or_default();
        let answer = match path.as_str() {
            "/register" => Some(service.register(email)),
            "/login" => service.login(email),
            "/me" => service
                .verify(&token)
                .await
                .map(|user| json!({"user_id": user, "tenant_id": TENANT})),
            "/.well-known/jwks.json" => serde_json::to_value(&service.keys).ok(),
            _ => None,
        };
        let status = if answer.is_some() {
            "200 OK"
        } else {
            "401 Unauthorized"
        };
        let body = answer.unwrap_or_default().to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

async fn serve_socket(stream: TcpStream, service: Arc<Service>) -> Option<()> {
    let user = verified_user(&stream, &service).await;
    #[expect(clippy::result_large_err, reason = "the shape is the library's")]
    let admit = |request: &Request, mut response: Response| {
        if user.is_none() {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::UNAUTHORIZED;
            return Err(refusal);
        }
        let asked = request.headers().get("sec-websocket-protocol").cloned();
        if let Some(asked) = asked {
            response.headers_mut().insert("sec-websocket-protocol", asked);
        }
        Ok(response)
    };
    let mut socket = accept_hdr_async(stream, admit).await.ok()?;
    let user = user?;
    let hello = json!({"ev": "hello", "cursor": null, "data": {"user_id": user, "resume": "r"}});
    socket.send(Message::text(hello.to_string())).await.ok()?;
    while let Some(Ok(message)) = socket.next().await {
        let Ok(request) = serde_json::from_str::<Value>(message.to_text().ok()?) else {
            continue;
        };
        let answer = service.answer(&request, &user).await;
        socket.send(Message::text(answer.to_string())).await.ok()?;
    }
    Some(())
}

/// Whose token the request's head holds, which stays unread: the library answers it without waiting for anybody.
async fn verified_user(stream: &TcpStream, service: &Service) -> Option<String> {
    let mut head = vec![0; 8 * 1024];
    loop {
        let read = stream.peek(&mut head).await.ok()?;
        let text = String::from_utf8_lossy(&head[..read]);
        if text.ends_with("\r\n\r\n") {
            let token = text.lines().find_map(|line| {
                line.strip_prefix("authorization: Bearer ")
                    .or(line.strip_prefix("Authorization: Bearer "))
            })?;
            return service.verify(token.trim_end()).await;
        }
        if read == 0 {
            return None;
        }
        tokio::task::yield_now().await;
    }
}
