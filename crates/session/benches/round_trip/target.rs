//! A target whose answer to anything is the request itself: as data, like any other.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use history::Audience;
use isolation::canary::{BLOCK_LEN, LONG_LEN};
use serde::{Deserialize, Serialize};
use session::codec::{Envelope, Framing, Slot, Template};
use session::profile::{
    Accounts, Action, Body, Company, Dialect, Exchange, Found, HttpPaths, OpShape, Profile, Success, Verb,
};

/// The phase that is measured is the third, and the numbers of its requests begin above this.
const FIRST_ID: u64 = 200_001;

/// The message that goes there and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Frame {
    /// A nonce in the short form and no more: as long as the messages of the load testers that Crosstalk is compared with.
    Nonce,
    /// What a post of a chat has: the body in the long form, and the nonce.
    Post,
}

impl Frame {
    pub(crate) const ALL: [Self; 2] = [Self::Nonce, Self::Post];

    fn template(self) -> &'static str {
        match self {
            Self::Nonce => r#"{"re":${id},"ok":{"nonce":${nonce}}}"#,
            Self::Post => r#"{"re":${id},"ok":{"body":${body},"nonce":${nonce}}}"#,
        }
    }

    /// What the bare client sends: of the same length, and with a number of its own.
    pub(crate) fn bare(self, number: u64) -> String {
        const FILL: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
        let (id, body, nonce) = (FIRST_ID + number, &FILL[..LONG_LEN], &FILL[..BLOCK_LEN]);
        match self {
            Self::Nonce => format!(r#"{{"re":"{id}","ok":{{"nonce":"{nonce}"}}}}"#),
            Self::Post => format!(r#"{{"re":"{id}","ok":{{"body":"{body}","nonce":"{nonce}"}}}}"#),
        }
    }

    /// The profile of a target that is sent this.
    pub(crate) fn profile(self) -> Result<Profile> {
        Ok(Profile {
            name: "echo".to_owned(),
            accounts: Accounts::Register { max: None },
            http: http()?,
            dialects: vec![self.dialect()?],
            tenants: true,
            revocation_grace: Duration::ZERO,
            identity_audience: Audience::Owner,
            text_channels: true,
            absent: Vec::new(),
            not_applicable: Vec::new(),
            unseen: Vec::new(),
            situations: Vec::new(),
            shared_thread_ids: false,
            audit: None,
            company: Company::default(),
        })
    }

    fn dialect(self) -> Result<Dialect> {
        let op = |frame, stores| -> Result<OpShape> {
            Ok(OpShape {
                frame: Template::parse(frame)?,
                http: None,
                before: Vec::new(),
                then: Vec::new(),
                makes: Vec::new(),
                holds: Vec::new(),
                stores,
                derives: stores,
                subscribed: false,
                silent: false,
                connects: false,
            })
        };
        Ok(Dialect {
            subprotocol: None,
            path: Template::parse("/")?,
            before: Vec::new(),
            headers: vec![(
                "Authorization".to_owned(),
                Template::parse("Bearer ${access-token}")?,
            )],
            framing: Framing::Chat(Envelope::ByMember),
            handshake: Vec::new(),
            ops: BTreeMap::from([
                (Action::WhoAmI, op(r#"{"re":${id},"ok":{}}"#, false)?),
                (Action::Post, op(self.template(), true)?),
            ]),
            heartbeat: None,
            denies_by_closing: false,
            denies_by_silence: false,
            shuts_out_within: None,
        })
    }
}

/// Accounts and tokens are what one sends.
fn http() -> Result<HttpPaths> {
    Ok(HttpPaths {
        register: Some(exchange(
            r#"{"user_id":${email},"tenant_id":${tenant-slug}}"#,
            &[(Slot::User, "/user_id"), (Slot::Tenant, "/tenant_id")],
        )?),
        login: Some(exchange(
            r#"{"access_token":${password},"refresh_token":${email}}"#,
            &[
                (Slot::AccessToken, "/access_token"),
                (Slot::RefreshToken, "/refresh_token"),
            ],
        )?),
        me: Some(Exchange {
            bearer: true,
            ..exchange("{}", &[])?
        }),
        ..HttpPaths::default()
    })
}

fn exchange(body: &str, holds: &[(Slot, &str)]) -> Result<Exchange> {
    Ok(Exchange {
        before: Vec::new(),
        verb: Verb::Post,
        path: Template::parse("/")?,
        headers: Vec::new(),
        body: Some(Body::Json(Template::parse(body)?)),
        bearer: false,
        success: Success::default(),
        holds: holds
            .iter()
            .map(|(slot, pointer)| (*slot, Found::At((*pointer).to_owned())))
            .collect(),
    })
}
