//! Access tokens: their claims, the key that signs them, and the strict check of a foreign one.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse, ThumbprintHash,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use p256::elliptic_curve::rand_core::OsRng;
use p256::pkcs8::{EncodePrivateKey, LineEnding};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest token looked at, in bytes; ours are about 500.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// What an access token says. All claims are required, and times are whole seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The user.
    pub sub: Uuid,
    /// The user's tenant.
    pub tenant: Uuid,
    /// The session it was issued in.
    pub sid: Uuid,
    /// This token.
    pub jti: Uuid,
    /// When it was issued.
    pub iat: u64,
    /// From when on it is not accepted.
    pub exp: u64,
}

/// A signing key could not be made or used, or a key set is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A new private key could not be encoded.
    #[error("cannot encode a new signing key")]
    Encode(#[source] p256::pkcs8::Error),
    /// The key is no P-256 private key in PKCS#8.
    #[error("not a P-256 private key in PKCS#8")]
    Private(#[source] jsonwebtoken::errors::Error),
    /// Signing failed.
    #[error("cannot sign a token")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// A key of the set cannot be used.
    #[error("key {kid:?} of the key set is not usable")]
    Public {
        /// Its id.
        kid: String,
        /// What is wrong with it.
        source: jsonwebtoken::errors::Error,
    },
    /// The set has no ES256 key with an id.
    #[error("the key set holds no ES256 signature key with a key id")]
    Empty,
}

/// Why a token is refused. The text never quotes the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Too long, not three parts, not base64url, or a header or payload that is not what we issue.
    #[error("malformed token")]
    Malformed,
    /// The header names another algorithm than ES256.
    #[error("token algorithm is not ES256")]
    Algorithm,
    /// The key id is not in the key set (which may be out of date).
    #[error("token key is unknown")]
    UnknownKey,
    /// The signature does not fit.
    #[error("token signature is wrong")]
    Signature,
    /// Issued by somebody else.
    #[error("token issuer is wrong")]
    Issuer,
    /// Meant for somebody else.
    #[error("token audience is wrong")]
    Audience,
    /// Its time is over.
    #[error("token expired")]
    Expired,
}

/// The header as issued. Anything more (`jku`, `jwk`, `x5u`, `crit`, ...) makes a token malformed: keys come from the key set alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuedHeader {
    typ: String,
    alg: String,
    kid: String,
}

/// An ES256 key pair; its key id is the RFC 7638 thumbprint of the public half.
pub struct SigningKey {
    header: Header,
    private: EncodingKey,
    public: Jwk,
}

impl SigningKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`KeyError`] when the key cannot be encoded.
    pub fn generate() -> Result<Self, KeyError> {
        let secret = p256::SecretKey::random(&mut OsRng);
        let der = secret.to_pkcs8_der().map_err(KeyError::Encode)?;
        Self::new(EncodingKey::from_ec_der(der.as_bytes()))
    }

    /// A new random key as a PEM file holds it, for [`Self::from_pem`].
    ///
    /// # Errors
    /// [`KeyError`] when the key cannot be encoded.
    pub fn new_pem() -> Result<String, KeyError> {
        let secret = p256::SecretKey::random(&mut OsRng);
        let pem = secret.to_pkcs8_pem(LineEnding::LF).map_err(KeyError::Encode)?;
        Ok(pem.as_str().to_owned())
    }

    /// The key in a PEM file (`-----BEGIN PRIVATE KEY-----`, PKCS#8, P-256).
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        Self::new(EncodingKey::from_ec_pem(pem).map_err(KeyError::Private)?)
    }

    fn new(private: EncodingKey) -> Result<Self, KeyError> {
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256).map_err(KeyError::Private)?;
        let kid = public
            .thumbprint(ThumbprintHash::SHA256)
            .map_err(KeyError::Private)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let header = Header {
            kid: Some(kid),
            ..Header::new(Algorithm::ES256)
        };
        Ok(Self {
            header,
            private,
            public,
        })
    }

    /// Signs a token.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    pub fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        jsonwebtoken::encode(&self.header, claims, &self.private).map_err(KeyError::Sign)
    }

    /// The public half, as a key set.
    #[must_use]
    pub fn key_set(&self) -> JwkSet {
        JwkSet {
            keys: vec![self.public.clone()],
        }
    }
}

/// Checks tokens against a key set, an issuer and an audience, without leeway.
///
/// It verifies and nothing else: whether the session still lives, and any cache, is the caller's.
///
/// ```
/// use reference::token::{Claims, SigningKey, TokenError, Verifier};
/// # use uuid::Uuid;
///
/// let key = SigningKey::generate()?;
/// let verifier = Verifier::new(&key.key_set(), "https://auth.example", "chat")?;
/// let claims = Claims {
///     iss: "https://auth.example".into(), aud: "chat".into(),
///     sub: Uuid::new_v4(), tenant: Uuid::new_v4(), sid: Uuid::new_v4(), jti: Uuid::new_v4(),
///     iat: 1_000, exp: 1_060,
/// };
/// let token = key.sign(&claims)?;
/// assert_eq!(verifier.verify_at(&token, 1_059), Ok(claims));
/// assert_eq!(verifier.verify_at(&token, 1_060), Err(TokenError::Expired));
/// # Ok::<(), reference::token::KeyError>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
    issuer: String,
    audience: String,
}

impl Verifier {
    /// A verifier that trusts the ES256 keys of `key_set`; keys of other kinds are left out.
    ///
    /// # Errors
    /// [`KeyError::Public`] for an ES256 key that is broken, [`KeyError::Empty`] when none is left.
    pub fn new(key_set: &JwkSet, issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let mut keys = HashMap::new();
        for jwk in &key_set.keys {
            let Some(kid) = es256_kid(jwk) else { continue };
            let key = DecodingKey::from_jwk(jwk).map_err(|source| KeyError::Public {
                kid: kid.to_owned(),
                source,
            })?;
            keys.insert(kid.to_owned(), key);
        }
        if keys.is_empty() {
            return Err(KeyError::Empty);
        }
        Ok(Self {
            keys,
            validation: signature_only(),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
        })
    }

    /// Checks `token` now.
    ///
    /// # Errors
    /// [`TokenError`]; [`TokenError::UnknownKey`] is worth one look at a newer key set.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        self.verify_at(token, jsonwebtoken::get_current_timestamp())
    }

    /// Checks `token` at `now_s`, in seconds since the Unix epoch.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn verify_at(&self, token: &str, now_s: u64) -> Result<Claims, TokenError> {
        let key = self.key_of(token)?;
        let claims: Claims = jsonwebtoken::decode(token, key, &self.validation)
            .map_err(refusal)?
            .claims;
        if claims.iss != self.issuer {
            return Err(TokenError::Issuer);
        }
        if claims.aud != self.audience {
            return Err(TokenError::Audience);
        }
        // RFC 7519, 4.1.4: not accepted "on or after" exp
        if claims.exp <= now_s {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    fn key_of(&self, token: &str) -> Result<&DecodingKey, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let header = URL_SAFE_NO_PAD
            .decode(header)
            .map_err(|_| TokenError::Malformed)?;
        let header: IssuedHeader = serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
        if header.typ != "JWT" {
            return Err(TokenError::Malformed);
        }
        if header.alg != "ES256" {
            return Err(TokenError::Algorithm);
        }
        self.keys.get(&header.kid).ok_or(TokenError::UnknownKey)
    }
}

fn es256_kid(jwk: &Jwk) -> Option<&str> {
    let curve = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(parameters) => &parameters.curve,
        _ => return None,
    };
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let es256 = matches!(jwk.common.key_algorithm, None | Some(KeyAlgorithm::ES256));
    if *curve == EllipticCurve::P256 && signs && es256 {
        jwk.common.key_id.as_deref()
    } else {
        None
    }
}

/// Signature and shape are the library's; the claims are compared here, exactly and against a clock that tests can set.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.leeway = 0;
    validation
}

fn refusal(error: jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}

#[cfg(test)]
mod tests;
