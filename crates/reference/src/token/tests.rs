//! Attacks on the verifier, one a line: RFC 8725 and what was found in real libraries.

use jsonwebtoken::crypto;
use serde_json::{Value, json};

use super::*;

const NOW_S: u64 = 1_800_000_000;

/// A key pair as an attacker sees it: everything but the private half.
struct Issuer {
    key: SigningKey,
    kid: String,
    verifier: Verifier,
}

impl Issuer {
    fn new() -> Self {
        let key = SigningKey::generate().unwrap();
        let kid = key.header.kid.clone().unwrap();
        let verifier = Verifier::new(&key.key_set(), "iss", "aud").unwrap();
        Self { key, kid, verifier }
    }

    fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": "ES256", "kid": self.kid})
    }

    /// Signs whatever header and payload, truly.
    fn sign(&self, header: &str, payload: &str) -> String {
        signed(header, payload, &self.key.private, Algorithm::ES256)
    }

    #[track_caller]
    fn check(&self, what: &str, token: &str, expect: TokenError) {
        assert_eq!(self.verifier.verify_at(token, NOW_S), Err(expect), "{what}");
    }

    /// A token of ours whose header was changed before signing.
    #[track_caller]
    fn check_header(&self, what: &str, change: Value, expect: TokenError) {
        let token = self.sign(&changed(self.header(), change), &claims().to_string());
        self.check(what, &token, expect);
    }

    /// A token of ours whose claims were changed before signing.
    #[track_caller]
    fn check_claims(&self, what: &str, change: Value, expect: TokenError) {
        let token = self.sign(&self.header().to_string(), &changed(claims(), change));
        self.check(what, &token, expect);
    }
}

fn claims() -> Value {
    let id = "6f1c1a5e-6d0e-4b0c-9a3e-0d5c8f7b2a10";
    json!({
        "iss": "iss", "aud": "aud", "sub": id, "tenant": id, "sid": id, "jti": id, "iat": NOW_S - 10, "exp": NOW_S + 1,
    })
}

/// `object` with the fields of `change`; a null takes a field away.
fn changed(mut object: Value, change: Value) -> String {
    let fields = object.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        fields.remove(name);
        if !value.is_null() {
            fields.insert(name.clone(), value.clone());
        }
    }
    object.to_string()
}

fn message(header: &str, payload: &str) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    )
}

fn signed(header: &str, payload: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = message(header, payload);
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// `text` with one bit of its base64url bytes turned.
fn flipped(text: &str, at: usize) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
    bytes[at] ^= 1;
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_good_token_is_accepted_until_it_expires() {
    let issuer = Issuer::new();
    let token = issuer.sign(&issuer.header().to_string(), &claims().to_string());
    assert!(issuer.verifier.verify_at(&token, NOW_S).is_ok());
    assert_eq!(
        issuer.verifier.verify_at(&token, NOW_S + 1),
        Err(TokenError::Expired),
        "no leeway at all"
    );
    assert_eq!(
        issuer.verifier.verify(&token).is_ok(),
        jsonwebtoken::get_current_timestamp() <= NOW_S
    );
}

#[test]
fn no_signature_is_no_token() {
    let issuer = Issuer::new();
    let payload = claims().to_string();
    for alg in ["none", "None", "NONE", "nOnE", " none", ""] {
        let header = changed(issuer.header(), json!({"alg": alg}));
        let message = message(&header, &payload);
        issuer.check(alg, &format!("{message}."), TokenError::Algorithm);
        issuer.check(alg, &format!("{message}.AAAA"), TokenError::Algorithm);
        issuer.check(alg, &message, TokenError::Malformed);
    }
    let good = issuer.sign(&issuer.header().to_string(), &payload);
    let (message, _) = good.rsplit_once('.').unwrap();
    issuer.check("stripped", message, TokenError::Malformed);
    issuer.check("empty", &format!("{message}."), TokenError::Signature);
    let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
    issuer.check(
        "r and s zero",
        &format!("{message}.{zeros}"),
        TokenError::Signature,
    );
    let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let orders = URL_SAFE_NO_PAD.encode([order.clone(), order].concat());
    issuer.check(
        "r and s the order",
        &format!("{message}.{orders}"),
        TokenError::Signature,
    );
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn every_part_is_signed() {
    let issuer = Issuer::new();
    let good = issuer.sign(&issuer.header().to_string(), &claims().to_string());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("three parts")
    };
    for at in [0, 31, 32, 63] {
        let token = format!("{header}.{payload}.{}", flipped(signature, at));
        issuer.check("signature", &token, TokenError::Signature);
    }
    let raised = URL_SAFE_NO_PAD.encode(changed(claims(), json!({"exp": NOW_S + 1_000_000})));
    issuer.check(
        "payload",
        &format!("{header}.{raised}.{signature}"),
        TokenError::Signature,
    );
    let respelt = URL_SAFE_NO_PAD.encode(format!("{} ", issuer.header()));
    issuer.check(
        "header",
        &format!("{respelt}.{payload}.{signature}"),
        TokenError::Signature,
    );
    let other = issuer.sign(
        &issuer.header().to_string(),
        &changed(claims(), json!({"sub": Uuid::new_v4()})),
    );
    let foreign = other.rsplit_once('.').unwrap().1;
    issuer.check(
        "signature of another token",
        &format!("{header}.{payload}.{foreign}"),
        TokenError::Signature,
    );
}

#[test]
fn the_public_key_is_no_shared_secret() {
    let issuer = Issuer::new();
    let jwk = &issuer.key.public;
    let AlgorithmParameters::EllipticCurve(point) = &jwk.algorithm else {
        panic!("an EC key")
    };
    let (x, y) = (
        URL_SAFE_NO_PAD.decode(&point.x).unwrap(),
        URL_SAFE_NO_PAD.decode(&point.y).unwrap(),
    );
    let secrets = [
        serde_json::to_vec(jwk).unwrap(),
        [&[4][..], &x, &y].concat(),
        x.clone(),
        point.x.clone().into_bytes(),
    ];
    for secret in secrets {
        for alg in ["HS256", "hs256", "ES256"] {
            let header = changed(issuer.header(), json!({"alg": alg}));
            let key = EncodingKey::from_secret(&secret);
            let token = signed(&header, &claims().to_string(), &key, Algorithm::HS256);
            let expect = if alg == "ES256" {
                TokenError::Signature
            } else {
                TokenError::Algorithm
            };
            issuer.check(alg, &token, expect);
        }
    }
}

#[test]
fn only_the_named_algorithm_counts() {
    let issuer = Issuer::new();
    for alg in ["ES384", "es256", "ES256 ", "RS256", "PS256", "EdDSA", "ES256K"] {
        issuer.check_header(alg, json!({"alg": alg}), TokenError::Algorithm);
    }
    issuer.check_header("alg missing", json!({"alg": null}), TokenError::Malformed);
    issuer.check_header("alg a list", json!({"alg": ["ES256"]}), TokenError::Malformed);
}

#[test]
fn keys_come_from_the_key_set_alone() {
    let (issuer, attacker) = (Issuer::new(), Issuer::new());
    issuer.check_header("unknown kid", json!({"kid": "other"}), TokenError::UnknownKey);
    issuer.check_header("empty kid", json!({"kid": ""}), TokenError::UnknownKey);
    issuer.check_header(
        "path as kid",
        json!({"kid": "../../dev/null"}),
        TokenError::UnknownKey,
    );
    issuer.check_header("kid missing", json!({"kid": null}), TokenError::Malformed);
    issuer.check_header("kid a number", json!({"kid": 0}), TokenError::Malformed);

    let payload = claims().to_string();
    let own = attacker.sign(&attacker.header().to_string(), &payload);
    issuer.check("attacker's key and kid", &own, TokenError::UnknownKey);
    let borrowed = attacker.sign(&issuer.header().to_string(), &payload);
    issuer.check("attacker's key, our kid", &borrowed, TokenError::Signature);
    for kid in [&issuer.kid, &attacker.kid] {
        for extra in [
            json!({"jwk": attacker.key.public}),
            json!({"jku": "https://attacker.example/jwks.json"}),
            json!({"x5u": "https://attacker.example/cert.pem"}),
            json!({"x5c": ["AAAA"]}),
        ] {
            let mut header: Value = serde_json::from_str(&changed(issuer.header(), extra.clone())).unwrap();
            header["kid"] = json!(kid);
            let token = attacker.sign(&header.to_string(), &payload);
            issuer.check(&extra.to_string(), &token, TokenError::Malformed);
        }
    }
}

#[test]
fn the_header_is_the_one_we_issue() {
    let issuer = Issuer::new();
    let extras = [
        json!({"crit": ["exp"]}),
        json!({"b64": false}),
        json!({"zip": "DEF"}),
        json!({"cty": "JWT"}),
    ];
    for extra in extras {
        issuer.check_header(&extra.to_string(), extra, TokenError::Malformed);
    }
    for typ in [json!(null), json!("at+jwt"), json!("jwt"), json!("JWE")] {
        issuer.check_header(&typ.to_string(), json!({"typ": typ}), TokenError::Malformed);
    }
    let doubled = format!(
        r#"{{"typ":"JWT","alg":"none","alg":"ES256","kid":"{}"}}"#,
        issuer.kid
    );
    issuer.check(
        "alg twice",
        &issuer.sign(&doubled, &claims().to_string()),
        TokenError::Malformed,
    );
}

#[test]
fn every_claim_is_required_and_exact() {
    let issuer = Issuer::new();
    for claim in ["iss", "aud", "sub", "tenant", "sid", "jti", "iat", "exp"] {
        issuer.check_claims(claim, json!({claim: null}), TokenError::Malformed);
        issuer.check_claims(claim, json!({claim: ["x"]}), TokenError::Malformed);
        issuer.check_claims(claim, json!({claim: {}}), TokenError::Malformed);
    }
    for iss in ["", "ISS", "iss ", "iss/", "https://iss"] {
        issuer.check_claims(iss, json!({"iss": iss}), TokenError::Issuer);
    }
    for aud in ["", "AUD", "other", "aud,other"] {
        issuer.check_claims(aud, json!({"aud": aud}), TokenError::Audience);
    }
    issuer.check_claims(
        "aud a list with ours",
        json!({"aud": ["aud", "other"]}),
        TokenError::Malformed,
    );
    issuer.check_claims("sub no UUID", json!({"sub": "admin"}), TokenError::Malformed);
    for exp in [0, 1, NOW_S - 60, NOW_S - 1, NOW_S] {
        issuer.check_claims("expired", json!({"exp": exp}), TokenError::Expired);
    }
    for exp in [json!("9999999999"), json!(-1), json!(1e30), json!(true)] {
        issuer.check_claims("exp no whole number", json!({"exp": exp}), TokenError::Malformed);
    }
    let payload = claims().to_string();
    let doubled = format!(
        "{},\"exp\":{}}}",
        payload.trim_end_matches('}'),
        NOW_S + 1_000_000
    );
    let token = issuer.sign(&issuer.header().to_string(), &doubled);
    issuer.check("exp twice", &token, TokenError::Malformed);
}

#[test]
fn the_spelling_is_exact() {
    let issuer = Issuer::new();
    let good = issuer.sign(&issuer.header().to_string(), &claims().to_string());
    let long = format!("{good}{}", "A".repeat(TOKEN_BYTES_MAX));
    for (what, token) in [
        ("nothing", String::new()),
        ("dots", "..".into()),
        ("a fourth part", format!("{good}.")),
        ("five parts", format!("{good}.AAAA.AAAA")),
        ("a space before", format!(" {good}")),
        ("too long", long),
        (
            "header no JSON",
            format!("AAAA{}", &good[good.find('.').unwrap()..]),
        ),
    ] {
        issuer.check(what, &token, TokenError::Malformed);
    }
    for (what, token) in [
        ("padding", format!("{good}==")),
        ("a line break", format!("{good}\n")),
        ("a space after", format!("{good} ")),
        ("a longer signature", format!("{good}AAAA")),
    ] {
        let refused = issuer.verifier.verify_at(&token, NOW_S);
        assert!(
            matches!(refused, Err(TokenError::Malformed | TokenError::Signature)),
            "{what}: {refused:?}"
        );
    }
}

#[test]
fn a_key_set_without_a_usable_key_is_refused() {
    let key = SigningKey::generate().unwrap();
    #[track_caller]
    fn check(key_set: &JwkSet, expect: &str) {
        let refused = Verifier::new(key_set, "iss", "aud").err().unwrap();
        assert_eq!(refused.to_string(), expect);
    }
    let empty = "the key set holds no ES256 signature key with a key id";
    check(&JwkSet { keys: vec![] }, empty);
    let mut nameless = key.key_set();
    nameless.keys[0].common.key_id = None;
    check(&nameless, empty);
    let mut encrypts = key.key_set();
    encrypts.keys[0].common.public_key_use = Some(PublicKeyUse::Encryption);
    check(&encrypts, empty);
    let symmetric = json!({"keys": [{"kty": "oct", "k": "AAAA", "alg": "HS256", "kid": "a"}]});
    check(&serde_json::from_value(symmetric).unwrap(), empty);
}

#[test]
fn a_key_keeps_its_id_in_a_file() {
    let secret = p256::SecretKey::random(&mut OsRng);
    let pem = secret.to_pkcs8_pem(p256::pkcs8::LineEnding::LF).unwrap();
    let (one, two) = (
        SigningKey::from_pem(pem.as_bytes()).unwrap(),
        SigningKey::from_pem(pem.as_bytes()).unwrap(),
    );
    assert_eq!(one.key_set(), two.key_set());
    assert!(SigningKey::from_pem(b"no key").is_err());
}
