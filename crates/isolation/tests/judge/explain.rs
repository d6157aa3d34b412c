//! Evidence: what a finding looked like, and what led to it.

use history::{Audience, Check, ProbeResult, Role, Room};
use isolation::canary::Datum;
use isolation::{Evidence, Explainer};

use crate::story::{Story, ask, conn, thread_id, token, user_id};

/// The evidence of the only finding of a check. The history is read worker by worker, the last one first.
#[track_caller]
fn evidence(story: &Story, check: Check) -> Evidence {
    let judgement = story.judge();
    let mut explainer = Explainer::new(&judgement);
    let mut events = story.events();
    events.sort_by_key(|(place, _)| (std::cmp::Reverse(place.worker), place.index));
    for (place, event) in &events {
        explainer.observe(*place, event);
    }
    let of_check = |evidence: &Evidence| judgement.findings[evidence.finding].check == check;
    let mut found: Vec<_> = explainer.finish().into_iter().filter(of_check).collect();
    assert_eq!(found.len(), 1, "{:#?}", judgement.findings);
    found.remove(0)
}

#[track_caller]
fn highlighted(evidence: &Evidence) -> &str {
    let excerpt = evidence.excerpt.as_ref().expect("an excerpt");
    &excerpt.text[excerpt.highlight.clone().expect("a highlight")]
}

#[test]
fn a_secret_is_shown_where_it_stood() {
    let mut story = Story::clean();
    let secret = story.secret(2).long();
    story.exchange(91, 93, ask(2, Role::ListThreads), "{}");
    story.exchange(
        95,
        99,
        ask(1, Role::FindThread),
        &format!(r#"{{"deep":[1,{{"er":"{secret}"}}]}}"#),
    );
    let evidence = evidence(&story, Check::Secret);
    assert_eq!(highlighted(&evidence), secret);
    assert_eq!(evidence.pointer.as_deref(), Some("/ok/deep/1/er"));
    assert_eq!(
        (evidence.observer_id, evidence.victim_id),
        (Some(user_id(1)), Some(user_id(2)))
    );
    let told = |steps: &[isolation::LastStep]| steps.iter().map(|step| step.what.clone()).collect::<Vec<_>>();
    insta::assert_snapshot!(told(&evidence.observer_steps).join("\n"), @"
    invoked Post as r1 over connection 11
    Post as r1: ok
    invoked ReadThread as r1 over connection 11
    ReadThread as r1: ok
    invoked FindThread as r1 over connection 11
    ");
    insta::assert_snapshot!(told(&evidence.victim_steps).join("\n"), @"
    Post as r1: ok
    invoked ReadThread as r1 over connection 12
    invoked ListThreads as r1 over connection 12
    ListThreads as r1: ok
    ReadThread as r1: ok
    ");
}

#[test]
fn ids_are_shown_in_their_own_spelling() {
    let mut story = Story::clean();
    let id = user_id(2).to_uppercase();
    story.push(91, conn(1), &format!(r#"{{"by":"{id}"}}"#));
    let evidence = evidence(&story, Check::UserId);
    assert_eq!(
        (highlighted(&evidence), evidence.pointer.as_deref()),
        (id.as_str(), Some("/data/by"))
    );
}

#[test]
fn thread_ids_are_shown() {
    let mut story = Story::clean();
    let id = thread_id(2).replace('-', "");
    story.push(91, conn(1), &format!(r#"{{"by":"{id}"}}"#));
    assert_eq!(highlighted(&evidence(&story, Check::Thread)), id);
}

#[test]
fn a_piece_of_a_token_is_shown() {
    let mut story = Story::clean();
    let token = token(2);
    story.push(91, conn(1), &format!(r#"{{"debug":"{token}"}}"#));
    assert!(token.contains(highlighted(&evidence(&story, Check::Token))));
}

#[test]
fn a_row_of_the_audit_is_shown() {
    let mut story = Story::clean();
    let body = story.mint(2, Audience::Room(Room(1)), Datum::RoomBody);
    story.audit_row(1, 2, &body);
    assert_eq!(highlighted(&evidence(&story, Check::Thread)), body.long());
}

#[test]
fn a_secret_in_pieces_has_no_highlight() {
    let mut story = Story::clean();
    let secret = story.secret(2).long();
    let op = story.invoke(91, ask(1, Role::FindThread));
    for (at, piece) in secret.as_bytes().chunks(16).enumerate() {
        story.delta(92 + at as u64, conn(1), op, std::str::from_utf8(piece).unwrap());
    }
    story
        .done(99, conn(1), op, "{}")
        .complete(99, op, history::Outcome::Ok);
    let excerpt = evidence(&story, Check::Secret).excerpt.unwrap();
    assert!(
        excerpt.highlight.is_none() && excerpt.text.starts_with(r#"{"re":"r1","delta""#),
        "{excerpt:?}"
    );
}

#[test]
fn a_probe_has_steps_and_no_excerpt() {
    let mut story = Story::clean();
    story.probe(Check::Token, ProbeResult::Accepted);
    let evidence = evidence(&story, Check::Token);
    assert_eq!(evidence.excerpt, None);
    assert_eq!(evidence.victim_steps.len(), 5);
}
