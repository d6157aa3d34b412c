//! Numbers as people read them.

/// Microseconds in the unit that fits: `850 us`, `4.12 ms`, `1.25 s`.
pub(crate) fn time_us(us: f64) -> String {
    match us {
        us if us < 999.5 => format!("{us:.0} us"),
        us if us < 99_950.0 => format!("{:.2} ms", us / 1e3),
        us if us < 999_500.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// Milliseconds in the unit that fits.
pub(crate) fn time_ms(ms: u64) -> String {
    time_us(ms as f64 * 1e3)
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

/// `text` in lines of at most `width` characters; every line after the first begins with `indent` blanks. The first line
/// is thought to begin after `indent` blanks too.
pub(crate) fn wrap(text: &str, indent: usize, width: usize) -> String {
    let room = width.saturating_sub(indent).max(1);
    let mut wrapped = String::new();
    for (index, line) in text.lines().enumerate() {
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
    wrapped
}

fn new_line(text: &mut String, indent: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_or_so() {
        let shown = [
            0.0,
            850.0,
            999.6,
            4_120.0,
            99_960.0,
            250_000.0,
            999_600.0,
            1_250_000.0,
        ]
        .map(time_us);
        assert_eq!(
            shown,
            [
                "0 us", "850 us", "1.00 ms", "4.12 ms", "100 ms", "250 ms", "1.00 s", "1.25 s"
            ]
        );
        assert_eq!(time_ms(4_310), "4.31 s");
    }

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
        assert_eq!(wrap("kept\nlines", 4, 80), "kept\n    lines");
        assert_eq!(wrap("", 2, 10), "");
    }
}
