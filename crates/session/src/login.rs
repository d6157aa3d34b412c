//! From nobody to a session: register, log in, prove it, refresh, log out.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use history::{At, Audience, Fact, Fingerprint, Identified, Interval, Replica, Role, Session, TokenKind};
use isolation::canary::{Datum, Mint, MintError};
use isolation::scan::ids::pieces_of_token;
use jsonwebtoken::EncodingKey;

use crate::answer::Answer;
use crate::asker::REDACTED;
use crate::board::Account;
use crate::codec::{Slot, Values};
use crate::http::{Call, Http, Line};
use crate::plan::{Person, Tenancy};
use crate::pointer::pick;
use crate::profile::{Accounts, Algorithm, Signing};
use crate::worker::Worker;

/// One login and all that came of it.
pub(crate) struct Login {
    pub(crate) line: Line,
    tokens: RefCell<Tokens>,
}

/// The tokens of a session, as they are now.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    /// When the access token expires at the latest.
    pub(crate) expires: Option<At>,
}

impl Tokens {
    /// Where nobody has any.
    fn none() -> Self {
        Self {
            access: String::new(),
            refresh: None,
            expires: None,
        }
    }
}

impl Login {
    pub(crate) fn session(&self) -> Session {
        self.line.session
    }

    pub(crate) fn tokens(&self) -> Tokens {
        self.tokens.borrow().clone()
    }
}

/// Registers and logs in the users of one worker.
pub(crate) struct Desk {
    pub(crate) http: Http,
    pub(crate) worker: Rc<Worker>,
}

impl Desk {
    pub(crate) fn new(worker: &Rc<Worker>) -> Self {
        Self {
            http: Http::new(worker),
            worker: Rc::clone(worker),
        }
    }

    /// Credentials that nobody else has: e-mail and password are canaries.
    fn credentials(person: &Person, mint: &mut Mint) -> Result<(String, String), MintError> {
        let email = mint.mint(Audience::Tenant(person.tenant), Datum::Email)?;
        let password = mint.mint(Audience::Owner, Datum::Secret)?;
        Ok((format!("{}@crosstalk.test", email.short()), password.short()))
    }

    /// What `person` logs in with, once it has an account: one that it makes, or one that is listed. `None` if the service did
    /// not make it.
    pub(crate) async fn enrol(
        &self,
        line: &Line,
        person: &Person,
        tenancy: &Tenancy,
        mint: &RefCell<Mint>,
    ) -> Option<Values> {
        let register = match &self.worker.target.profile.accounts {
            Accounts::List(listed) => {
                let values = listed.get(person.user.0 as usize)?.values.clone();
                let password = values.get(Slot::Password).unwrap_or_default();
                self.worker.tracer.hide(password, "<password>");
                return Some(values);
            }
            Accounts::Register { .. } => Some(self.worker.target.profile.http.register.as_ref()?),
            Accounts::Unregistered { .. } => None,
        };
        let credentials = Self::credentials(person, &mut mint.borrow_mut()).map_err(|error| {
            let what = error.to_string().into();
            self.worker.record(Fact::LimitHit { what });
        });
        let (email, password) = credentials.ok()?;
        let mut known = Values::new()
            .with(Slot::Email, &email)
            .with(Slot::Handle, email.split('@').next().unwrap_or_default())
            .with(Slot::Password, &password)
            .with(Slot::Name, &person.name)
            .with(Slot::TenantSlug, &tenancy.slug)
            .with(Slot::TenantKey, &tenancy.key);
        self.worker.tracer.hide(&password, "<password>");
        let Some(register) = register else {
            let handle = known.get(Slot::Handle).unwrap_or_default().to_owned();
            return Some(known.with(Slot::User, handle));
        };
        let call = Call {
            role: Role::Register,
            exchange: register,
            values: known.clone(),
            bearer: None,
            probe: false,
        };
        let _turn = self.worker.logins.acquire().await;
        let answer = self.http.call_again(line, call).await;
        if !answer.is_ok() {
            return None;
        }
        known.extend(answer.values);
        Some(known)
    }

    /// The account of whom the service has said who it is, on registering or on logging in; `None` if it has not.
    pub(crate) fn account(&self, person: &Person, known: Values, at: At) -> Option<Account> {
        let user_id = known.get(Slot::User)?.to_owned();
        let tenant_id = match (known.get(Slot::Tenant), self.worker.target.profile.tenants) {
            (Some(tenant_id), true) => tenant_id,
            (None, true) => return None,
            (_, false) => "",
        };
        self.worker.record_at(
            at,
            Fact::Account(history::Account {
                user: person.user,
                tenant: person.tenant,
                user_id: user_id.as_str().into(),
                tenant_id: tenant_id.into(),
                email: known.get(Slot::Email).unwrap_or_default().into(),
            }),
        );
        Some(Account { user_id, known })
    }

    /// Logs in over `line` with what is `known`, asking for an access token of `life_s` seconds if given; also what the
    /// service said of the account. `None` if there is no token.
    pub(crate) async fn log_in(
        &self,
        line: Line,
        known: &Values,
        life_s: Option<u64>,
    ) -> Option<(Login, Values)> {
        let http = &self.worker.target.profile.http;
        let mut values = known.clone();
        let (tokens, said) = match (&http.signing, &http.login) {
            (Some(signing), _) => (self.signed(&line, signing, known, life_s)?, Values::new()),
            (None, None) if !self.worker.target.profile.has_tokens() => (Tokens::none(), Values::new()),
            (None, None) => (self.listed(&line, known)?, Values::new()),
            (None, Some(login)) => {
                let exchange = match life_s {
                    Some(life_s) => {
                        values.set(Slot::LifeS, life_s.to_string());
                        http.login_short.as_ref()?
                    }
                    None => login,
                };
                let call = Call {
                    role: Role::Login,
                    exchange,
                    values,
                    bearer: None,
                    probe: false,
                };
                let _turn = self.worker.logins.acquire().await;
                self.issued(&line, self.http.call_again(&line, call).await)?
            }
        };
        let tokens = RefCell::new(tokens);
        Some((Login { line, tokens }, said))
    }

    /// As [`Self::log_in`], for an account that is known.
    pub(crate) async fn login(&self, line: Line, account: &Account, life_s: Option<u64>) -> Option<Login> {
        let logged_in = self.log_in(line, &account.known, life_s).await;
        logged_in.map(|(login, _)| login)
    }

    /// A token that is signed here.
    fn signed(&self, line: &Line, signing: &Signing, known: &Values, life_s: Option<u64>) -> Option<Tokens> {
        let now = self.worker.clock.now();
        let signed = sign(
            signing,
            known,
            life_s.unwrap_or(signing.life_s),
            SystemTime::now(),
        );
        let signed = signed.map_err(|why| {
            let what = format!("no token could be signed: {why}");
            self.worker.record(Fact::LimitHit { what: what.into() });
        });
        let (access, life_s) = signed.ok()?;
        self.record_token(line, TokenKind::Access, &access, Interval { from: now, to: now });
        Some(Tokens {
            access,
            refresh: None,
            expires: Some(At(now.0 + life_s * 1_000_000_000)),
        })
    }

    /// A token that is listed.
    fn listed(&self, line: &Line, known: &Values) -> Option<Tokens> {
        let (access, now) = (known.get(Slot::AccessToken)?.to_owned(), self.worker.clock.now());
        self.record_token(line, TokenKind::Access, &access, Interval { from: now, to: now });
        Some(Tokens {
            access,
            refresh: None,
            expires: None,
        })
    }

    /// Who the service says the caller is; whether it said so.
    pub(crate) async fn me(&self, login: &Login, probe: bool) -> Answer {
        self.me_as(&login.line, Some(&login.tokens().access), probe).await
    }

    /// Who the service says whoever presents `token` is.
    pub(crate) async fn me_as(&self, line: &Line, token: Option<&str>, probe: bool) -> Answer {
        let Some(me) = &self.worker.target.profile.http.me else {
            return self.http.not_made("the target has no such exchange".to_owned());
        };
        let call = Call {
            role: Role::Me,
            exchange: me,
            values: Values::new(),
            bearer: token,
            probe,
        };
        let answer = self.http.call(line, call).await;
        if let (true, Some(seen)) = (answer.is_ok(), answer.values.get(Slot::User)) {
            let Line {
                conn, user, session, ..
            } = *line;
            let (replica, seen) = (Replica::AUTH, seen.into());
            let identified = Identified {
                user,
                session,
                conn,
                replica,
                seen,
                during: answer.during,
            };
            self.worker
                .record_at(answer.during.to, Fact::Identified(identified));
        }
        answer
    }

    /// The public keys of access tokens, as JSON; `None` if the service has not said.
    pub(crate) async fn key_set(&self, line: &Line) -> Option<String> {
        let call = Call {
            role: Role::Other,
            exchange: self.worker.target.profile.http.key_set.as_ref()?,
            values: Values::new(),
            bearer: None,
            probe: true,
        };
        self.http.call(line, call).await.values.take(Slot::KeySet)
    }

    /// Exchanges the refresh token of `login` for new tokens, which are its own from then on; whether that worked.
    pub(crate) async fn renew(&self, login: &Login) -> bool {
        let Some(old) = login.tokens().refresh else {
            return false;
        };
        let renewed = self.refresh(&login.line, &old, false).await;
        let Some(tokens) = renewed.and_then(|renewed| renewed.tokens) else {
            return false;
        };
        *login.tokens.borrow_mut() = tokens;
        true
    }

    /// Exchanges `refresh` for new tokens; `None` if the target has no such thing.
    pub(crate) async fn refresh(&self, line: &Line, refresh: &str, probe: bool) -> Option<Refreshed> {
        let exchange = self.worker.target.profile.http.refresh.as_ref()?;
        let values = Values::new().with(Slot::RefreshToken, refresh);
        let call = Call {
            role: Role::Refresh,
            exchange,
            values,
            bearer: None,
            probe,
        };
        let answer = self.http.call(line, call).await;
        Some(Refreshed {
            during: answer.during,
            refused: answer.is_refused(),
            reason: answer.reason().to_owned(),
            tokens: self.issued(line, answer).map(|(tokens, _)| tokens),
        })
    }

    /// Logs out of the session: from the request to the service's confirmation, if it confirmed.
    pub(crate) async fn logout(&self, login: &Login) -> Option<Interval> {
        let access = login.tokens().access;
        let refresh = login.tokens().refresh;
        let values = Values::new();
        let call = Call {
            role: Role::Logout,
            exchange: self.worker.target.profile.http.logout.as_ref()?,
            values: match &refresh {
                Some(refresh) => values.with(Slot::RefreshToken, refresh),
                None => values,
            },
            bearer: Some(&access),
            probe: false,
        };
        let answer = self.http.call(&login.line, call).await;
        answer.is_ok().then_some(answer.during)
    }

    /// The tokens of an answer, and what else it says.
    fn issued(&self, line: &Line, mut answer: Answer) -> Option<(Tokens, Values)> {
        if !answer.is_ok() {
            return None;
        }
        let access = answer.values.take(Slot::AccessToken)?;
        let refresh = answer.values.take(Slot::RefreshToken);
        self.record_token(line, TokenKind::Access, &access, answer.during);
        if let Some(refresh) = &refresh {
            self.record_token(line, TokenKind::Refresh, refresh, answer.during);
        }
        let life_s = answer
            .values
            .get(Slot::LifeS)
            .and_then(|life| life.parse::<u64>().ok());
        let expires = life_s.map(|life| At(answer.during.to.0 + life * 1_000_000_000));
        let tokens = Tokens {
            access,
            refresh,
            expires,
        };
        Some((tokens, answer.values))
    }

    fn record_token(&self, line: &Line, kind: TokenKind, token: &str, during: Interval) {
        self.worker.tracer.hide(token, REDACTED);
        let token = history::Token {
            user: line.user,
            session: line.session,
            kind,
            whole: Fingerprint::of(token.as_bytes()),
            token_id: token_id(token).map(|id| Fingerprint::of(id.as_bytes())),
            pieces: pieces_of_token(token),
            during,
        };
        self.worker.record_at(during.to, Fact::Token(token));
    }
}

/// What came of a refresh.
pub(crate) struct Refreshed {
    pub(crate) tokens: Option<Tokens>,
    pub(crate) during: Interval,
    /// The service said no.
    pub(crate) refused: bool,
    /// What it said; empty if it said yes.
    pub(crate) reason: String,
}

/// A token of `life_s` seconds, at least what of them is to come when seconds are counted whole, and that life.
fn sign(signing: &Signing, known: &Values, life_s: u64, now: SystemTime) -> Result<(String, u64), String> {
    let now_s = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let values = known
        .clone()
        .with(Slot::NowS, now_s.to_string())
        .with(Slot::ExpiresS, (now_s + life_s).to_string());
    let claims = signing
        .claims
        .json(&values)
        .map_err(|missing| missing.to_string())?;
    let claims: serde_json::Value = serde_json::from_str(&claims).map_err(|error| error.to_string())?;
    let (algorithm, key) = match signing.algorithm {
        Algorithm::Hs256 => (
            jsonwebtoken::Algorithm::HS256,
            Ok(EncodingKey::from_secret(&signing.key)),
        ),
        Algorithm::Rs256 => (
            jsonwebtoken::Algorithm::RS256,
            EncodingKey::from_rsa_pem(&signing.key),
        ),
        Algorithm::Es256 => (
            jsonwebtoken::Algorithm::ES256,
            EncodingKey::from_ec_pem(&signing.key),
        ),
        Algorithm::EdDsa => (
            jsonwebtoken::Algorithm::EdDSA,
            EncodingKey::from_ed_pem(&signing.key),
        ),
    };
    let key = key.map_err(|error| error.to_string())?;
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::new(algorithm), &claims, &key);
    Ok((token.map_err(|error| error.to_string())?, life_s))
}

/// The claim `jti` of a JWT.
fn token_id(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    pick(std::str::from_utf8(&claims).ok()?, "/jti")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Template;

    #[test]
    fn tokens_are_signed_with_the_claims_of_their_user() {
        let signing = Signing {
            algorithm: Algorithm::Hs256,
            key: b"a secret of many letters, enough for HS256".to_vec(),
            claims: Template::parse(r#"{"sub":${handle},"exp":${expires-s}}"#).unwrap(),
            life_s: 60,
            short: true,
        };
        let known = Values::new().with(Slot::Handle, "ann");
        let (token, life_s) = sign(&signing, &known, 2, SystemTime::now()).unwrap();
        let key = jsonwebtoken::DecodingKey::from_secret(&signing.key);
        let rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
        let read = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &rules).unwrap();
        assert_eq!((read.claims["sub"].as_str(), life_s), (Some("ann"), 2));
        let missing = sign(&signing, &Values::new(), 2, SystemTime::now()).unwrap_err();
        assert_eq!(missing, r#"no value for slot "handle" of the frame"#);
    }

    #[test]
    fn token_ids_are_read_from_the_claims() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(
            token_id(&token(r#"{"sub":"u","jti":"j-1"}"#)).as_deref(),
            Some("j-1")
        );
        assert_eq!(token_id(&token(r#"{"sub":"u"}"#)), None);
        assert_eq!(token_id("opaque"), None);
        assert_eq!(token_id("a.%.c"), None);
    }
}
