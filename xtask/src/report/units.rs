//! Numbers as people read them.

use perf::{Kind, Quantity};

/// A time in microseconds, as gates write it: `850us`, `4.12ms`, `1.25s`.
pub(crate) fn time_us(us: f64) -> String {
    shown(us, Kind::Duration)
}

/// A rate per second, as gates write it.
pub(crate) fn rate(per_s: f64) -> String {
    shown(per_s, Kind::Rate)
}

/// A fraction as gates write it, in percent.
pub(crate) fn share(fraction: f64) -> String {
    shown(fraction, Kind::Share)
}

fn shown(value: f64, kind: Kind) -> String {
    Quantity { value, kind }.to_string()
}

/// `48,210`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 op`, `2 ops`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// `text` in lines of at most `width` characters, a number kept with its `%`; every line after the first begins with
/// `indent` blanks. The first line is thought to begin after `indent` blanks too.
pub(crate) fn wrap(text: &str, indent: usize, width: usize) -> String {
    const GLUE: &str = "\u{a0}%";
    let room = width.saturating_sub(indent).max(1);
    let mut wrapped = String::new();
    for (index, line) in text.replace(" %", GLUE).lines().enumerate() {
        if index > 0 {
            new_line(&mut wrapped, indent);
        }
        let mut used = 0;
        for word in line.split(' ') {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > room {
                new_line(&mut wrapped, indent);
                used = 0;
            } else if used > 0 {
                wrapped.push(' ');
                used += 1;
            }
            wrapped.push_str(word);
            used += length;
        }
    }
    wrapped.replace(GLUE, " %")
}

fn new_line(text: &mut String, indent: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 48_210, 1_234_567].map(count),
            ["0", "999", "1,000", "48,210", "1,234,567"]
        );
        assert_eq!(counted(1, "op"), "1 op");
        assert_eq!(counted(0, "op"), "0 ops");
    }

    #[test]
    fn wrapping_indents_what_follows() {
        assert_eq!(wrap("one two three four", 2, 11), "one two\n  three\n  four");
        assert_eq!(wrap("unbreakable-word x", 2, 8), "unbreakable-word\n  x");
        assert_eq!(wrap("below 5 % of", 0, 8), "below\n5 % of");
        assert_eq!(wrap("kept\nlines", 4, 80), "kept\n    lines");
        assert_eq!(wrap("", 2, 10), "");
    }
}
