//! A service over TLS, from a profile: log-in, readiness and WebSockets.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something unexpected happens"
)]

mod driven;

use driven::{Run, notes, run, served_by};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// The tiny service's profile, where `secure.py` serves it.
fn secure() -> String {
    served_by("secure.py", "CERT = \"cert.pem\", KEY = \"key.pem\"")
        .replace("http://127.0.0.1", "https://localhost")
        .replace("ws://127.0.0.1", "wss://localhost")
        .replace("[reach]", "[tls]\nca = \"ca.pem\"\n\n[reach]")
}

/// A CA's certificate, and what it has signed for `name`: certificate and key, all as PEM.
fn signed(name: &str) -> [String; 3] {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "a CA of the tests");
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let ca = params.self_signed(&ca_key).unwrap();
    let server = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let server = server.signed_by(&key, &Issuer::new(params, ca_key)).unwrap();
    [ca.pem(), server.pem(), key.serialize_pem()]
}

fn served([ca, cert, key]: [&str; 3], profile: &str, leaky: bool) -> Run {
    let files = [("ca.pem", ca), ("cert.pem", cert), ("key.pem", key)];
    run(profile, &files, leaky)
}

#[test]
fn a_service_over_tls_is_proven_apart() {
    let [ca, cert, key] = signed("localhost");
    let run = served([&ca, &cert, &key], &secure(), false);
    run.is_valid();
}

#[test]
fn a_leak_over_tls_is_caught() {
    let [ca, cert, key] = signed("localhost");
    let run = served([&ca, &cert, &key], &secure(), true);
    run.finds("Secret", "secret of another user");
}

/// The run never begins, and says why.
#[track_caller]
fn never_begins(run: &Run, why: &str) {
    run.ends(13);
    run.says(why);
}

#[test]
fn whom_nobody_vouches_for_is_not_spoken_with() {
    let ([_, cert, key], [other, ..]) = (signed("localhost"), signed("localhost"));
    // of a service whose readiness is not asked over TLS, the first connection tells
    let ready = r#"ready = { http = "https://localhost:${port:notes}/health" }"#;
    let listens = r#"ready = { tcp = "127.0.0.1:${port:notes}" }"#;
    let profile = secure();
    assert!(profile.contains(ready));
    let unknown = "no TLS with localhost: its certificate is of nobody whom ca.pem holds (`[tls] ca`); take the CA that has signed it";
    never_begins(
        &served([&other, &cert, &key], &profile.replace(ready, listens), false),
        unknown,
    );
    never_begins(&served([&other, &cert, &key], &profile, false), unknown);
    let [ca, cert, key] = signed("chat.test");
    let elsewhere = "no TLS with localhost: its certificate is for chat.test; reach it by that";
    never_begins(
        &served([&ca, &cert, &key], &profile.replace(ready, listens), false),
        elsewhere,
    );
}

#[test]
fn a_plain_service_behind_wss_is_told() {
    let [ca, ..] = signed("localhost");
    let plain = notes()
        .replace(
            "web-sockets = [\"ws://127.0.0.1",
            "web-sockets = [\"wss://localhost",
        )
        .replace("[reach]", "[tls]\nca = \"ca.pem\"\n\n[reach]");
    let run = run(&plain, &[("ca.pem", &ca)], false);
    // it waits for the rest of a request
    never_begins(
        &run,
        "no TLS handshake within 5s; without TLS it is `ws://` and `http://`",
    );
}
