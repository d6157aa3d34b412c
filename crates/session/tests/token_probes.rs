//! The probes of tokens against a small service that verifies well, and against the same service with one mistake.

mod issuer;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use history::Check;
use isolation::Judgement;
use issuer::{Issuer, Mistake};
use session::plan::{Plan, Scale};
use session::profile::Profile;
use session::{Drive, Limits, Progress, Target, Tls, drive};
use tokio::sync::watch;

const RUN: u32 = 78;

fn against(mistake: Option<Mistake>) -> Judgement {
    let issuer = Issuer::start(mistake);
    let folder = tempfile::tempdir().expect("a folder");
    let scale = Scale {
        users: 3,
        rounds: 1,
        workers: 1,
        duration: Duration::from_millis(10),
        ..Scale::default()
    };
    let mut profile = Profile::reference();
    profile.dialects.truncate(1);
    let (_raise, interrupt) = watch::channel(false);
    let drive_it = Drive {
        plan: Plan::new(scale).expect("a plan"),
        target: Target {
            auth: issuer.auth.clone(),
            gateways: vec![format!("ws://{}", issuer.gateway)],
            tls: Tls::default(),
            profile,
            strangers: issuer.strangers.clone(),
        },
        run_dir: folder.path().to_owned(),
        run: RUN,
        leader: session::LEADER,
        epoch: Instant::now(),
        limits: Limits {
            drain_quiet: Duration::from_millis(20),
            ..Limits::default()
        },
        progress: watch::channel(Progress::default()).0,
        interrupt,
    };
    drive(drive_it).expect("the harness did its work").judge.finish()
}

/// Names of the probes of tokens that were accepted, and whether so as somebody else.
fn accepted(judgement: &Judgement) -> BTreeSet<(String, bool)> {
    let findings = judgement
        .findings
        .iter()
        .filter(|finding| finding.check == Check::Token);
    findings
        .filter_map(|finding| {
            let name = finding.kind.strip_prefix("probe accepted: ")?;
            Some((name.to_owned(), finding.victim.is_some()))
        })
        .collect()
}

#[track_caller]
fn check(mistake: Mistake, expect: &[&str]) {
    let judgement = against(Some(mistake));
    let both = expect
        .iter()
        .flat_map(|name| [false, true].map(|victim| ((*name).to_owned(), victim)));
    assert_eq!(accepted(&judgement), both.collect(), "{mistake:?}");
    let taken = |finding: &&isolation::Finding| finding.kind == "taken for another user";
    assert!(
        judgement.findings.iter().any(|finding| taken(&finding)),
        "{mistake:?}"
    );
}

#[test]
fn a_good_verifier_refuses_all() {
    let judgement = against(None);
    let probes = judgement.verdict(Check::Token).probes;
    assert_eq!(accepted(&judgement), BTreeSet::new());
    // 38 forgeries and 4 tokens of strangers, cold and warm, at two doors; three tokens inside a message
    assert_eq!((probes.refused, probes.total), (42 * 2 * 2 + 3, 42 * 2 * 2 + 3));
}

#[test]
fn no_algorithm() {
    let nones = ["none", "None", "NONE", "nOnE"].map(|none| format!("algorithm {none}"));
    check(Mistake::TakesNone, &nones.each_ref().map(String::as_str));
}

#[test]
fn the_public_key_as_secret() {
    check(Mistake::ConfusesAlgorithms, &["public key as PEM for HS256"]);
}

#[test]
fn keys_from_wherever_the_token_says() {
    check(Mistake::FollowsJku, &["attacker's key set by jku"]);
}

#[test]
fn tokens_for_others() {
    check(Mistake::IgnoresAudience, &["token for another audience"]);
    check(Mistake::IgnoresIssuer, &["token of another issuer"]);
}

#[test]
fn a_cache_that_leaves_the_signature_out() {
    let judgement = against(Some(Mistake::CachesWithoutSignature));
    let details: Vec<_> = judgement
        .findings
        .iter()
        .filter(|finding| finding.kind.starts_with("probe accepted: signature"))
        .map(|finding| finding.detail.as_str())
        .collect();
    assert!(!details.is_empty());
    assert!(
        details
            .iter()
            .all(|detail| detail.starts_with("right after the good one")),
        "only what is warm deceives it: {details:#?}"
    );
}

#[test]
fn a_token_inside_a_message() {
    let judgement = against(Some(Mistake::TakesTokenInMessage));
    let name = "another's token inside a message".to_owned();
    assert_eq!(accepted(&judgement), BTreeSet::from([(name, true)]));
}
