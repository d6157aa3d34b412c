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
fn lines_end_where_words_allow() {
    for judged in [sample::valid(), sample::violated(), sample::empty()] {
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
