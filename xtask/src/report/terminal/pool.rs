//! A connection pool in one line.

use std::fmt::Write as _;

use history::PoolFigures;

use super::super::units::{count, counted, share, time_us};

/// Its figures, as far as there are any.
pub(super) fn pool(pool: &PoolFigures) -> String {
    let three = |figures: Option<[u64; 3]>| match figures {
        Some(figures) => {
            let [p50, p99, max] = figures.map(|us| time_us(us as f64));
            format!("p50 {p50}, p99 {p99}, max {max}")
        }
        None => "no sample".to_owned(),
    };
    let connections = counted(pool.size.into(), "connection");
    let mut text = format!(
        "{} at once over {connections}; {} ok, ",
        pool.in_flight_max,
        count(pool.ok)
    );
    let _ = write!(
        text,
        "{} failed, {}; ",
        count(pool.failed),
        counted(pool.timeouts, "timeout")
    );
    let _ = write!(text, "wait {}; hold {}", three(pool.wait_us), three(pool.hold_us));
    if pool.available_us > 0 {
        let _ = write!(
            text,
            "; efficiency {}",
            share(pool.used_us as f64 / pool.available_us as f64)
        );
    }
    if pool.stress {
        let left = pool.hygiene_findings.len() as u64;
        let _ = write!(
            text,
            "; {} examined, {} left over",
            counted(pool.hygiene_checked, "checkout"),
            count(left)
        );
    } else {
        text.push_str(" (the service's own, not gated)");
    }
    text
}
