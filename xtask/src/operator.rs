//! The operator ports of the services: which situations arose, and how the services' own pools fared.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use history::{PoolFigures, Replica};

/// How long a scrape may take.
const SCRAPE_WITHIN: Duration = Duration::from_secs(3);

/// The operator port of one process.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    /// As the process was launched.
    pub(crate) name: String,
    /// What users know it as; `None` if they never talk to it.
    pub(crate) replica: Option<Replica>,
    pub(crate) address: SocketAddr,
}

/// What one process counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counted {
    /// Situations by name.
    pub(crate) situations: BTreeMap<String, u64>,
    /// Pools by the process's name and their own.
    pub(crate) pools: Vec<PoolFigures>,
}

impl Operator {
    /// Whether the process answers in time. It is asked for its metrics, as its health depends on that of others.
    pub(crate) async fn answers(&self, http: &reqwest::Client, within: Duration) -> bool {
        http.get(self.url()).timeout(within).send().await.is_ok()
    }

    fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Reads the process's metrics; `up` is for how long it has been up.
    pub(crate) async fn scrape(&self, http: &reqwest::Client, up: Duration) -> Result<Counted> {
        let answer = http
            .get(self.url())
            .timeout(SCRAPE_WITHIN)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        let text = match answer {
            Ok(answer) => answer.text().await,
            Err(error) => Err(error),
        };
        let text = text.with_context(|| format!("cannot read the operator port of {}", self.name))?;
        Ok(Counted::read(&self.name, &text, up))
    }
}

impl Counted {
    fn read(process: &str, text: &str, up: Duration) -> Self {
        let samples: Vec<Sample<'_>> = text.lines().filter_map(Sample::read).collect();
        let situations = samples
            .iter()
            .filter(|sample| sample.name == "situation_total")
            .filter_map(|sample| Some((sample.label("name")?.to_owned(), sample.value as u64)))
            .collect();
        let pools = samples
            .iter()
            .filter(|sample| sample.name == "pool_size")
            .filter_map(|sample| Some(pool(process, sample.label("pool")?, &samples, up)))
            .collect();
        Self { situations, pools }
    }
}

fn pool(process: &str, name: &str, samples: &[Sample<'_>], up: Duration) -> PoolFigures {
    let value = |family: &str| {
        let of_pool = |sample: &&Sample<'_>| sample.name == family && sample.label("pool") == Some(name);
        samples.iter().find(of_pool).map_or(0.0, |sample| sample.value)
    };
    let size = value("pool_size");
    PoolFigures {
        label: format!("{process} {name}"),
        stress: false,
        size: size as u32,
        in_flight_max: value("pool_in_use_max") as u32,
        ok: value("pool_hold_seconds_count") as u64,
        failed: value("pool_timeouts_total") as u64,
        timeouts: value("pool_timeouts_total") as u64,
        wait_us: quantiles_us(samples, "pool_wait_seconds_bucket", name),
        hold_us: quantiles_us(samples, "pool_hold_seconds_bucket", name),
        used_us: (value("pool_used_seconds_total") * 1e6) as u64,
        available_us: (size * up.as_secs_f64() * 1e6) as u64,
        hygiene_checked: 0,
        hygiene_findings: Vec::new(),
    }
}

/// p50, p99 and max: for each the upper bound of the bucket that holds it, and the last finite bound for what lies
/// above all of them. `None` if nothing was observed.
fn quantiles_us(samples: &[Sample<'_>], family: &str, pool: &str) -> Option<[u64; 3]> {
    let mut buckets: Vec<(f64, f64)> = samples
        .iter()
        .filter(|sample| sample.name == family && sample.label("pool") == Some(pool))
        .filter_map(|sample| {
            Some((
                sample.label("le")?.replace("+Inf", "inf").parse().ok()?,
                sample.value,
            ))
        })
        .collect();
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    let count = buckets.last()?.1;
    let greatest = buckets
        .iter()
        .rev()
        .map(|bucket| bucket.0)
        .find(|bound| bound.is_finite())?;
    let quantile = |share: f64| {
        let bound = buckets.iter().find(|bucket| bucket.1 >= count * share)?.0;
        Some((bound.min(greatest) * 1e6).round() as u64)
    };
    (count > 0.0)
        .then(|| Some([quantile(0.5)?, quantile(0.99)?, quantile(1.0)?]))
        .flatten()
}

/// One line of Prometheus text.
#[derive(Debug, PartialEq)]
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    value: f64,
}

impl<'a> Sample<'a> {
    /// `None` for comments and for what is no sample. Label values with escapes or commas are not ours.
    fn read(line: &'a str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (head, value) = line.rsplit_once(' ')?;
        let (name, labels) = head.split_once('{').unwrap_or((head, ""));
        let labels = labels
            .trim_end_matches('}')
            .split(',')
            .filter_map(|label| label.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim_matches('"')))
            .collect();
        Some(Self {
            name,
            labels,
            value: value.parse().ok()?,
        })
    }

    fn label(&self, name: &str) -> Option<&'a str> {
        self.labels
            .iter()
            .find(|label| label.0 == name)
            .map(|label| label.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP situation_total situations that arose
# TYPE situation_total counter
situation_total{name="create_overlap"} 12
situation_total{name="resumed"} 0
pool_size{pool="db"} 8
pool_in_use_max{pool="db"} 5
pool_wait_seconds_bucket{pool="db",le="0.001"} 90
pool_wait_seconds_bucket{pool="db",le="0.005"} 99
pool_wait_seconds_bucket{pool="db",le="+Inf"} 100
pool_wait_seconds_count{pool="db"} 100
pool_hold_seconds_bucket{pool="db",le="+Inf"} 0
pool_timeouts_total{pool="db"} 1
pool_used_seconds_total{pool="db"} 2.5
pool_hold_seconds_count{pool="db"} 100
"#;

    #[test]
    fn situations_and_pools_are_read() {
        let counted = Counted::read("gateway-0", TEXT, Duration::from_secs(10));
        assert_eq!(
            counted.situations,
            BTreeMap::from([("create_overlap".into(), 12), ("resumed".into(), 0)])
        );
        let [pool] = &counted.pools[..] else {
            panic!("{:?}", counted.pools)
        };
        assert_eq!(
            (pool.label.as_str(), pool.size, pool.in_flight_max),
            ("gateway-0 db", 8, 5)
        );
        assert_eq!((pool.ok, pool.failed, pool.timeouts), (100, 1, 1));
        assert_eq!(
            pool.wait_us,
            Some([1_000, 5_000, 5_000]),
            "above the last bound is at least that"
        );
        assert_eq!(pool.hold_us, None, "no sample is not 0");
        assert_eq!((pool.used_us, pool.available_us), (2_500_000, 80_000_000));
    }

    #[test]
    fn what_is_no_sample_is_skipped() {
        assert_eq!(
            Counted::read("x", "nonsense\n# a comment\n{}\n\n", Duration::ZERO),
            Counted::default()
        );
    }
}
