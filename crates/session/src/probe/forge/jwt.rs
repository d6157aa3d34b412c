//! A signed JWT (RFC 7519) taken apart, whoever issued it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Map, Value};

/// Header, claims and signature.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Jwt {
    header: Map<String, Value>,
    /// The encoded header, as it came or as it was changed.
    header_text: String,
    claims: Map<String, Value>,
    claims_text: String,
    signature: Vec<u8>,
}

impl Jwt {
    /// `None` if the token is no JWT.
    pub(super) fn parse(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let object = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        Some(Self {
            header: object(header)?,
            header_text: header.to_owned(),
            claims: object(claims)?,
            claims_text: claims.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.get("kid")?.as_str()
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What a signature is made over, and nothing after it.
    pub(super) fn message(&self) -> String {
        format!("{}.{}", self.header_text, self.claims_text)
    }

    /// As it is, with other members in its header; byte for byte as it came, if they are none other.
    pub(super) fn with_header<'m>(&self, members: impl IntoIterator<Item = &'m (&'m str, Value)>) -> Self {
        let mut header = self.header.clone();
        for (name, value) in members {
            header.insert((*name).to_owned(), value.clone());
        }
        if header == self.header {
            return self.clone();
        }
        Self {
            header_text: encode(&header),
            header,
            ..self.clone()
        }
    }

    /// The token under `signature`.
    pub(super) fn signed(&self, signature: &[u8]) -> String {
        format!("{}.{}", self.message(), URL_SAFE_NO_PAD.encode(signature))
    }

    /// The token under the signature that `secret` makes; `None` if it makes none.
    pub(super) fn signed_hs256(&self, secret: &[u8]) -> Option<String> {
        self.signed_with(&EncodingKey::from_secret(secret), Algorithm::HS256)
    }

    /// The token under the signature that `key` makes; `None` if it makes none.
    pub(super) fn signed_with(&self, key: &EncodingKey, algorithm: Algorithm) -> Option<String> {
        let message = self.message();
        let signature = crypto::sign(message.as_bytes(), key, algorithm).ok()?;
        Some(format!("{message}.{signature}"))
    }

    /// The signature with one bit in its middle turned: the last characters may hold bits that nobody looks at. `None`
    /// if there is no signature.
    pub(super) fn signature_flipped(&self) -> Option<Vec<u8>> {
        let mut signature = self.signature.clone();
        let middle = signature.len() / 2;
        *signature.get_mut(middle)? ^= 1;
        Some(signature)
    }

    /// The token as it is, but for the subject, which is that of `other`; `None` where there is none or the same.
    pub(super) fn with_subject_of(&self, other: &Self) -> Option<String> {
        let (own, others) = (self.claims.get("sub")?, other.claims.get("sub")?);
        let mut claims = self.claims.clone();
        claims.insert("sub".to_owned(), others.clone());
        let changed = Self {
            claims_text: encode(&claims),
            ..self.clone()
        };
        (own != others).then(|| changed.signed(&self.signature))
    }
}

fn encode(object: &Map<String, Value>) -> String {
    URL_SAFE_NO_PAD.encode(Value::from(object.clone()).to_string())
}
