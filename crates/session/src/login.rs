//! From nobody to a session: register, log in, prove it, refresh, log out.

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use history::{At, Audience, Fact, Fingerprint, Identified, Interval, Replica, Role, Session, TokenKind};
use isolation::canary::{Datum, Mint, MintError};
use isolation::scan::ids::pieces_of_token;

use crate::board::Account;
use crate::codec::{Slot, Values};
use crate::http::{Call, Http, HttpAnswer, Line};
use crate::plan::{Person, Tenancy};
use crate::pointer::pick;
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
    worker: Rc<Worker>,
}

impl Desk {
    pub(crate) fn new(worker: &Rc<Worker>) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: Http::new(worker)?,
            worker: Rc::clone(worker),
        })
    }

    /// Credentials that nobody else has: e-mail and password are canaries.
    pub(crate) fn credentials(person: &Person, mint: &mut Mint) -> Result<(String, String), MintError> {
        let email = mint.mint(Audience::Tenant(person.tenant), Datum::Email)?;
        let password = mint.mint(Audience::Owner, Datum::Secret)?;
        Ok((format!("{}@crosstalk.test", email.short()), password.short()))
    }

    /// Makes the account of `person`; `None` if the service did not.
    pub(crate) async fn register(
        &self,
        line: &Line,
        person: &Person,
        tenancy: &Tenancy,
        (email, password): (String, String),
    ) -> Option<Account> {
        let values = Values::new()
            .with(Slot::Email, &email)
            .with(Slot::Password, &password)
            .with(Slot::Name, &person.name)
            .with(Slot::TenantSlug, &tenancy.slug)
            .with(Slot::TenantKey, &tenancy.key);
        let exchange = &self.worker.target.profile.http.register;
        let call = Call {
            role: Role::Register,
            exchange,
            values,
            bearer: None,
            probe: false,
        };
        let mut answer = self.http.call_again(line, call).await;
        if !answer.is_ok() {
            return None;
        }
        let user_id = answer.values.take(Slot::User)?;
        let tenant_id = answer.values.take(Slot::Tenant)?;
        self.worker.record_at(
            answer.during.to,
            Fact::Account(history::Account {
                user: person.user,
                tenant: person.tenant,
                user_id: user_id.as_str().into(),
                tenant_id: tenant_id.as_str().into(),
                email: email.as_str().into(),
            }),
        );
        Some(Account {
            user_id,
            tenant_id,
            email,
            password,
        })
    }

    /// Logs in over `line`, asking for an access token of `life_s` seconds if given; `None` if the service did not.
    pub(crate) async fn login(&self, line: Line, account: &Account, life_s: Option<u64>) -> Option<Login> {
        let http = &self.worker.target.profile.http;
        let mut values = Values::new()
            .with(Slot::Email, &account.email)
            .with(Slot::Password, &account.password);
        let exchange = match (life_s, &http.login_short) {
            (Some(life_s), Some(short)) => {
                values.set(Slot::LifeS, life_s.to_string());
                short
            }
            (Some(_), None) => return None,
            (None, _) => &http.login,
        };
        let call = Call {
            role: Role::Login,
            exchange,
            values,
            bearer: None,
            probe: false,
        };
        let answer = self.http.call_again(&line, call).await;
        let tokens = self.issued(&line, answer)?;
        Some(Login {
            line,
            tokens: RefCell::new(tokens),
        })
    }

    /// Who the service says the caller is; whether it said so.
    pub(crate) async fn me(&self, login: &Login, probe: bool) -> HttpAnswer {
        self.me_as(&login.line, Some(&login.tokens().access), probe).await
    }

    /// Who the service says whoever presents `token` is.
    pub(crate) async fn me_as(&self, line: &Line, token: Option<&str>, probe: bool) -> HttpAnswer {
        let call = Call {
            role: Role::Me,
            exchange: &self.worker.target.profile.http.me,
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
            tokens: self.issued(line, answer),
        })
    }

    /// Logs out of the session: from the request to the service's confirmation, if it confirmed.
    pub(crate) async fn logout(&self, login: &Login) -> Option<Interval> {
        let access = login.tokens().access;
        let call = Call {
            role: Role::Logout,
            exchange: self.worker.target.profile.http.logout.as_ref()?,
            values: Values::new(),
            bearer: Some(&access),
            probe: false,
        };
        let answer = self.http.call(&login.line, call).await;
        answer.is_ok().then_some(answer.during)
    }

    fn issued(&self, line: &Line, mut answer: HttpAnswer) -> Option<Tokens> {
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
        Some(Tokens {
            access,
            refresh,
            expires,
        })
    }

    fn record_token(&self, line: &Line, kind: TokenKind, token: &str, during: Interval) {
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

/// The claim `jti` of a JWT.
fn token_id(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    pick(std::str::from_utf8(&claims).ok()?, "/jti")
}

#[cfg(test)]
mod tests {
    use super::*;

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
