//! Every forgery against a strict verifier, and against the one verifier whose mistake it is made for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk as Key, JwkSet};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, crypto, decode, decode_header, encode,
};
use p256::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use serde_json::{Value, json};

use super::*;

const LURE: &str = "http://127.0.0.1:1/keys";
const KID: &str = "key-1";
const REFRESH: &str = "refresh-0123456789-0123456789-0123456789-012";

static SERVICE: LazyLock<Service> = LazyLock::new(Service::new);

/// An ES256 service, and what it issued to two users.
struct Service {
    public: p256::PublicKey,
    key_set: String,
    own: String,
    victim: String,
}

impl Service {
    fn new() -> Self {
        let secret = p256::SecretKey::from_slice(&[7; 32]).unwrap();
        let key = EncodingKey::from_ec_der(secret.to_pkcs8_der().unwrap().as_bytes());
        let mut public = Key::from_encoding_key(&key, Algorithm::ES256).unwrap();
        public.common.key_id = Some(KID.to_owned());
        let header = Header {
            kid: Some(KID.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        let issue = |sub| encode(&header, &claims(sub), &key).unwrap();
        let key_set = JwkSet { keys: vec![public] };
        Self {
            public: secret.public_key(),
            key_set: serde_json::to_string(&key_set).unwrap(),
            own: issue("attacker"),
            victim: issue("victim"),
        }
    }

    fn material(&self) -> Material<'_> {
        Material {
            own: &self.own,
            own_refresh: Some(REFRESH),
            victim: Some(&self.victim),
            key_set: Some(&self.key_set),
            lure: LURE,
        }
    }

    fn attacks(&self) -> Vec<Forged> {
        attacks(&Attacker::new(), &self.material())
    }

    /// Whom a verifier that makes no mistake takes the bearer for.
    fn strict(&self, token: &str) -> Option<String> {
        let set: JwkSet = serde_json::from_str(&self.key_set).unwrap();
        let key = set.find(&decode_header(token).ok()?.kid?)?;
        verified(token, &DecodingKey::from_jwk(key).unwrap(), Algorithm::ES256)
    }

    /// Whom a verifier with one mistake takes the bearer for.
    fn gullible(&self, mistake: Mistake, token: &str) -> Option<String> {
        let (message, signature) = token.rsplit_once('.')?;
        let header = header(token);
        let embedded = || {
            Some(DecodingKey::from_jwk(&serde_json::from_value(header.get("jwk")?.clone()).ok()?).unwrap())
        };
        let hs256 = |secret: &[u8]| verified(token, &DecodingKey::from_secret(secret), Algorithm::HS256);
        match mistake {
            Mistake::TakesNone => {
                let none = header["alg"].as_str()?.eq_ignore_ascii_case("none");
                (none && signature.is_empty()).then(|| subject(token))
            }
            Mistake::SkipsEmptySignature => signature.is_empty().then(|| subject(token)),
            Mistake::NeedsNoSignature => (token.split('.').count() == 2).then(|| subject(token)),
            Mistake::IgnoresSignature => (token.split('.').count() == 3).then(|| subject(token)),
            Mistake::PemAsSecret => hs256(self.public.to_public_key_pem(LineEnding::LF).ok()?.as_bytes()),
            Mistake::DerAsSecret => hs256(self.public.to_public_key_der().ok()?.as_bytes()),
            Mistake::JwkAsSecret => {
                let set: Value = serde_json::from_str(&self.key_set).ok()?;
                let text = self.key_set.strip_prefix(r#"{"keys":["#)?.strip_suffix("]}")?;
                assert_eq!(serde_json::from_str::<Value>(text).ok()?, set["keys"][0]);
                hs256(text.as_bytes())
            }
            Mistake::TakesAnyKeySigned => {
                let key = Attacker::new().jwk();
                let key = DecodingKey::from_jwk(&serde_json::from_value(key).ok()?).ok()?;
                (header["kid"] == KID).then(|| verified(token, &key, Algorithm::ES256))?
            }
            Mistake::TakesUnknownKey => {
                assert!(
                    crypto::verify(signature, message.as_bytes(), &attackers_key(), Algorithm::ES256).ok()?
                );
                (header["kid"] != KID && header.get("jwk").is_none()).then(|| subject(token))
            }
            Mistake::TrustsJwk => verified(token, &embedded()?, Algorithm::ES256),
            Mistake::Fetches(member) => (header.get(member)?.as_str()?.starts_with(LURE))
                .then(|| verified(token, &attackers_key(), Algorithm::ES256))?,
            Mistake::ReadsKeyFile => {
                let file = std::env::temp_dir().join(header["kid"].as_str()?);
                hs256(&std::fs::read(file).ok()?)
            }
            Mistake::AsksDatabase => {
                // select key from keys where kid = '<kid>'
                let (_, injected) = header["kid"].as_str()?.split_once("' union select '")?;
                hs256(injected.split('\'').next()?.as_bytes())
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Mistake {
    TakesNone,
    SkipsEmptySignature,
    NeedsNoSignature,
    IgnoresSignature,
    PemAsSecret,
    DerAsSecret,
    JwkAsSecret,
    TakesAnyKeySigned,
    TakesUnknownKey,
    TrustsJwk,
    Fetches(&'static str),
    ReadsKeyFile,
    AsksDatabase,
}

fn claims(sub: &str) -> Value {
    json!({"iss": "iss", "aud": "aud", "sub": sub, "jti": format!("jti-{sub}"), "exp": 32_503_680_000_u64})
}

fn attackers_key() -> DecodingKey {
    DecodingKey::from_jwk(&serde_json::from_value(Attacker::new().jwk()).unwrap()).unwrap()
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn header(token: &str) -> Value {
    part(token, 0)
}

fn subject(token: &str) -> String {
    part(token, 1)["sub"].as_str().unwrap().to_owned()
}

fn verified(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Option<String> {
    let mut validation = Validation::new(algorithm);
    validation.leeway = 0;
    validation.set_audience(&["aud"]);
    validation.set_issuer(&["iss"]);
    let claims = decode::<Value>(token, key, &validation).ok()?.claims;
    Some(claims["sub"].as_str()?.to_owned())
}

#[test]
fn no_forgery_deceives_a_strict_verifier() {
    let service = &SERVICE;
    assert_eq!(service.strict(&service.own).as_deref(), Some("attacker"));
    assert_eq!(service.strict(&service.victim).as_deref(), Some("victim"));
    for forged in service.attacks() {
        assert_ne!(forged.token, service.own, "{forged:?}");
        assert_ne!(forged.token, service.victim, "{forged:?}");
        assert_eq!(service.strict(&forged.token), None, "{forged:?}");
    }
}

#[track_caller]
fn check(name: &str, mistake: Mistake) {
    let deceived: Vec<_> = SERVICE
        .attacks()
        .into_iter()
        .filter(|forged| forged.name == name)
        .map(|forged| SERVICE.gullible(mistake, &forged.token))
        .collect();
    let both = [Some("attacker".to_owned()), Some("victim".to_owned())];
    assert_eq!(deceived, both, "{name} before a verifier that {mistake:?}");
}

#[test]
fn each_forgery_deceives_the_verifier_that_it_is_made_for() {
    for (name, _) in NONES {
        check(name, Mistake::TakesNone);
    }
    check("signature empty", Mistake::SkipsEmptySignature);
    check("signature removed", Mistake::NeedsNoSignature);
    check("signature zeroed", Mistake::IgnoresSignature);
    check("signature flipped in the middle", Mistake::IgnoresSignature);
    check("public key as PEM for HS256", Mistake::PemAsSecret);
    check("public key as DER for HS256", Mistake::DerAsSecret);
    check("public key as JWK for HS256", Mistake::JwkAsSecret);
    check("attacker's key under the same key id", Mistake::TakesAnyKeySigned);
    check("attacker's key under an unknown key id", Mistake::TakesUnknownKey);
    check("attacker's key embedded as jwk", Mistake::TrustsJwk);
    check("attacker's key set by jku", Mistake::Fetches("jku"));
    check("attacker's certificate by x5u", Mistake::Fetches("x5u"));
    check("key id traversing folders", Mistake::ReadsKeyFile);
    check("key id in SQL", Mistake::AsksDatabase);
}

#[test]
fn the_signature_stays_where_only_the_subject_changes() {
    let service = &SERVICE;
    let mut forged = service.attacks();
    forged.retain(|forged| forged.name == "subject of another under one's own signature");
    let [
        Forged {
            token,
            as_victim: true,
            ..
        },
    ] = &forged[..]
    else {
        panic!("{forged:?}")
    };
    assert_eq!(header(token), header(&service.own));
    assert_eq!(token.rsplit('.').next(), service.own.rsplit('.').next());
    let mut expect = claims("attacker");
    expect["sub"] = json!("victim");
    assert_eq!(part(token, 1), expect);
}

#[test]
fn what_is_signed_stays_where_only_the_key_changes() {
    let mut forged = SERVICE.attacks();
    forged.retain(|forged| forged.name == "attacker's key under the same key id");
    let signed = |token: &str| token.rsplit_once('.').unwrap().0.to_owned();
    let signed_by_attacker: Vec<_> = forged.iter().map(|forged| signed(&forged.token)).collect();
    assert_eq!(
        signed_by_attacker,
        [signed(&SERVICE.own), signed(&SERVICE.victim)]
    );
}

#[test]
fn one_bit_of_the_signature_is_turned() {
    let service = &SERVICE;
    let flipped = service
        .attacks()
        .into_iter()
        .find(|forged| forged.name.contains("flipped"))
        .unwrap();
    let signature = |token: &str| URL_SAFE_NO_PAD.decode(token.rsplit('.').next().unwrap()).unwrap();
    let (one, other) = (signature(&flipped.token), signature(&service.own));
    let differing: Vec<_> = (0..64).filter(|&at| one[at] != other[at]).collect();
    assert_eq!(differing, [32]);
}

/// Names of the forgeries, and whether there is one as oneself and one as the victim.
fn kinds(forged: &[Forged]) -> BTreeMap<&str, BTreeSet<bool>> {
    let mut kinds: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for forged in forged {
        assert!(
            kinds.entry(forged.name).or_default().insert(forged.as_victim),
            "{forged:?} twice"
        );
    }
    kinds
}

#[test]
fn everything_is_tried_as_oneself_and_as_the_victim() {
    let forged = SERVICE.attacks();
    let (both, one): (Vec<_>, Vec<_>) = kinds(&forged).into_iter().partition(|(_, who)| who.len() == 2);
    assert_eq!(both.len(), 18);
    let one: Vec<_> = one
        .into_iter()
        .map(|(name, who)| (name, who.contains(&true)))
        .collect();
    assert_eq!(
        one,
        [
            ("refresh token as access token", false),
            ("subject of another under one's own signature", true),
        ]
    );
}

#[test]
fn each_lure_is_of_one_forgery() {
    let forged = SERVICE.attacks();
    let lures: Vec<_> = forged
        .iter()
        .filter_map(|forged| forged.lure.as_deref())
        .collect();
    assert_eq!(
        lures,
        [
            "http://127.0.0.1:1/keys/jku",
            "http://127.0.0.1:1/keys/x5u",
            "http://127.0.0.1:1/keys/jku-as-victim",
            "http://127.0.0.1:1/keys/x5u-as-victim",
        ]
    );
    for forged in forged.iter().filter(|forged| forged.lure.is_some()) {
        let header = header(&forged.token);
        let named = header.get("jku").or(header.get("x5u")).and_then(Value::as_str);
        assert_eq!(named, forged.lure.as_deref());
    }
}

#[test]
fn what_is_missing_leaves_out_what_needs_it() {
    let service = &SERVICE;
    let with = |material: Material<'_>| attacks(&Attacker::new(), &material).len();
    let all = service.material();
    assert_eq!(with(all), 38);
    assert_eq!(with(Material { key_set: None, ..all }), 32);
    assert_eq!(
        with(Material {
            key_set: Some("no JSON"),
            ..all
        }),
        32
    );
    assert_eq!(
        with(Material {
            own_refresh: None,
            ..all
        }),
        37
    );
    assert_eq!(with(Material { victim: None, ..all }), 19);
}

#[test]
fn tokens_that_say_nothing_are_cut_changed_and_spliced() {
    let (own, victim) = ("aaaaaaaabbbbbbbb", "ccccccccdddddddd");
    let material = Material {
        own,
        own_refresh: None,
        victim: Some(victim),
        key_set: None,
        lure: LURE,
    };
    let forged = attacks(&Attacker::new(), &material);
    let tokens: Vec<_> = forged
        .iter()
        .map(|forged| (&*forged.token, forged.as_victim))
        .collect();
    assert_eq!(
        tokens,
        [
            ("aaaaaaaabbbbbbb", false),
            ("aaaaaaaaAbbbbbbb", false),
            ("ccccccccddddddd", true),
            ("ccccccccAddddddd", true),
            ("ccccccccbbbbbbbb", true),
        ]
    );
    for nothing in ["", "x", "é", "..", "a.b.c"] {
        let material = Material {
            own: nothing,
            victim: Some(nothing),
            ..material
        };
        assert!(!attacks(&Attacker::new(), &material).is_empty());
    }
}

#[test]
fn rsa_keys_are_spelt_as_files_hold_them() {
    let n = URL_SAFE_NO_PAD.encode([0xc5; 256]);
    let set = json!({"keys": [{"kty": "oct", "k": "AAAA"}, {"kty": "RSA", "kid": "r", "n": n, "e": "AQAB"}]})
        .to_string();
    let key = PublicKey::find(&set, Some("r")).unwrap();
    let pem = String::from_utf8(key.pem().unwrap()).unwrap();
    assert!(
        pem.starts_with("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxcXFxc"),
        "{pem}"
    );
    assert!(DecodingKey::from_rsa_pem(pem.as_bytes()).is_ok());
    assert_eq!(key.der().unwrap()[..2], [0x30, 0x82]);
    let symmetric = PublicKey::find(&set, None).unwrap();
    assert_eq!((symmetric.pem(), symmetric.der()), (None, None));
    assert_eq!(symmetric.jwk(), r#"{"k":"AAAA","kty":"oct"}"#);
    assert!(PublicKey::find(r#"{"keys":[]}"#, None).is_none());
}
