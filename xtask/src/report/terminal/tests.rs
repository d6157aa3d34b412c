//! What people read.

use super::super::sample;
use super::*;

fn screen(judged: &crate::judge::Judged) -> String {
    render(&sample::report(judged), Paint::PLAIN)
}

#[test]
fn a_run_without_fault() {
    insta::assert_snapshot!(screen(&sample::valid()));
}

#[test]
fn a_run_with_a_leak() {
    insta::assert_snapshot!(screen(&sample::violated()));
}

#[test]
fn a_run_in_which_nothing_happened() {
    insta::assert_snapshot!(screen(&sample::empty()));
}

#[test]
fn an_answer_that_differs_is_shown_from_both_sides() {
    let screen = screen(&sample::interfered());
    let found = screen
        .split("\nFindings\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next());
    insta::assert_snapshot!(found.unwrap_or_default(), @r"
    - N another answer in company than alone: step 17, ListThreads over connection 2
       observer user 12, victim not known, op 2097170.17, connection 2097170, at 2.20s, pointer
       /ok/total, differs in 3 places, history worker 2 event 900
       alone      | 2
       in company | 31
    ");
    let headline = screen.lines().next().unwrap_or_default();
    assert!(headline.contains("non-interference violated"), "{headline}");
}

#[test]
fn lines_end_where_words_allow() {
    for judged in [
        sample::valid(),
        sample::violated(),
        sample::interfered(),
        sample::empty(),
    ] {
        let screen = screen(&judged);
        let long: Vec<_> = screen
            .lines()
            .filter(|line| line.chars().count() > WIDTH)
            .collect();
        assert!(long.is_empty(), "{long:#?}");
    }
}

#[test]
fn a_loosened_floor_is_in_the_headline() {
    let mut judged = sample::valid();
    judged.header.gates = vec!["total < 60s".into()];
    let headline = headline(&sample::report(&judged));
    assert!(
        headline.ends_with("loosened: total < 60s (floor 30s)"),
        "{headline}"
    );
}
