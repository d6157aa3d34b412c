//! The attacker's key, which is good for nothing, and the service's public key, which is no secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey};
use p256::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::BigUint;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::jwt::Jwt;

/// The attacker's private key: the same in all runs, since it opens nothing anywhere.
const SCALAR: [u8; 32] = *b"crosstalk: no key to anything :)";

/// An ES256 key pair that no service has reason to trust.
pub(crate) struct Attacker {
    private: EncodingKey,
    public: Jwk,
    key_id: String,
}

impl Attacker {
    pub(crate) fn new() -> Self {
        let secret = p256::SecretKey::from_slice(&SCALAR).expect("the scalar is within the curve's order");
        let der = secret.to_pkcs8_der().expect("a key can be encoded");
        let private = EncodingKey::from_ec_der(der.as_bytes());
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256).expect("it is an ES256 key");
        let key_id = public
            .thumbprint(ThumbprintHash::SHA256)
            .expect("the key is supported");
        public.common.key_id = Some(key_id.clone());
        Self {
            private,
            public,
            key_id,
        }
    }

    /// Thumbprint of the public key (RFC 7638).
    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public key, for a token's header.
    pub(super) fn jwk(&self) -> Value {
        json!(self.public)
    }

    /// What the attacker serves to whoever asks: a JSON Web Key Set.
    pub(crate) fn key_set(&self) -> String {
        json!({"keys": [self.public]}).to_string()
    }

    pub(super) fn sign(&self, jwt: &Jwt) -> Option<String> {
        jwt.signed_with(&self.private, Algorithm::ES256)
    }
}

/// A key of the service, as it publishes it.
pub(super) struct PublicKey<'a> {
    jwk: &'a str,
    members: Members,
}

#[derive(Deserialize)]
struct KeySet<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// Members of a JWK that matter here (RFC 7518, section 6).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Members {
    kid: Option<String>,
    kty: String,
    crv: String,
    x: String,
    y: String,
    n: String,
    e: String,
}

impl<'a> PublicKey<'a> {
    /// The key of a set that `key_id` names, or the first; `None` if there is none.
    pub(super) fn find(key_set: &'a str, key_id: Option<&str>) -> Option<Self> {
        let set: KeySet<'a> = serde_json::from_str(key_set).ok()?;
        let key = |jwk: &'a RawValue| {
            let members = serde_json::from_str(jwk.get()).ok()?;
            Some(Self {
                jwk: jwk.get(),
                members,
            })
        };
        let mut keys: Vec<_> = set.keys.into_iter().filter_map(key).collect();
        let named = keys.iter().position(|key| key.members.kid.as_deref() == key_id);
        (!keys.is_empty()).then(|| keys.swap_remove(named.unwrap_or_default()))
    }

    /// As it stands in the key set, byte for byte.
    pub(super) fn jwk(&self) -> &'a str {
        self.jwk
    }

    /// Its `SubjectPublicKeyInfo` (RFC 5280); `None` for kinds of key other than P-256 and RSA.
    pub(super) fn der(&self) -> Option<Vec<u8>> {
        match &*self.members.kty {
            "EC" => Some(self.p256()?.to_public_key_der().ok()?.into_vec()),
            "RSA" => Some(self.rsa()?.to_public_key_der().ok()?.into_vec()),
            _ => None,
        }
    }

    /// [`Self::der`] as a PEM file holds it, line ends as on Unix.
    pub(super) fn pem(&self) -> Option<Vec<u8>> {
        let pem = match &*self.members.kty {
            "EC" => self.p256()?.to_public_key_pem(LineEnding::LF),
            "RSA" => self.rsa()?.to_public_key_pem(LineEnding::LF),
            _ => return None,
        };
        Some(pem.ok()?.into_bytes())
    }

    fn p256(&self) -> Option<p256::PublicKey> {
        let Members { crv, x, y, .. } = &self.members;
        let (x, y) = (URL_SAFE_NO_PAD.decode(x).ok()?, URL_SAFE_NO_PAD.decode(y).ok()?);
        let sec1 = [&[0x04][..], &x, &y].concat();
        (crv == "P-256").then(|| p256::PublicKey::from_sec1_bytes(&sec1).ok())?
    }

    fn rsa(&self) -> Option<rsa::RsaPublicKey> {
        let number = |text: &String| Some(BigUint::from_bytes_be(&URL_SAFE_NO_PAD.decode(text).ok()?));
        rsa::RsaPublicKey::new(number(&self.members.n)?, number(&self.members.e)?).ok()
    }
}
