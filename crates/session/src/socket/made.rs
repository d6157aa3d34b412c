//! What is made for one request: who asks, an id, the time.

use chrono::{DateTime, SecondsFormat, Utc};
use history::{Fingerprint, Op};

use crate::codec::{Slot, Slots, Values};
use crate::profile::OpShape;

/// What an op may say of who asks, of what is known of whoever it is.
pub(crate) fn me(known: &Values) -> Values {
    let named = [(Slot::User, Slot::Me), (Slot::Handle, Slot::MyHandle)];
    let named = named
        .into_iter()
        .filter_map(|(of, my)| Some((my, known.get(of)?)));
    named.fold(Values::new(), |me, (my, value)| me.with(my, value))
}

/// Adds what an op makes rather than finds, and gives it back.
pub(crate) fn make(shape: &OpShape, values: &mut Values) -> Result<Values, String> {
    let mut made = Values::new();
    for (slot, template) in &shape.makes {
        let value = template.text(values, str::to_owned);
        let value = value.map_err(|missing| missing.to_string())?;
        values.set(*slot, &value);
        made.set(*slot, value);
    }
    Ok(made)
}

/// Adds what is `said` in the request of an op beside what is asked: who asks, `me`, and what is made for it alone.
pub(crate) fn fill(said: Slots, me: &Values, (run, op): (u32, Op), values: &mut Values) {
    if said.has(Slot::Me) || said.has(Slot::MyHandle) {
        values.extend(me.clone());
    }
    if said.has(Slot::Uuid) {
        values.set(Slot::Uuid, uuid(run, op));
    }
    if said.has(Slot::NowIso) || said.has(Slot::NowS) {
        let now = Utc::now();
        values.set(Slot::NowIso, iso(now));
        values.set(Slot::NowS, now.timestamp().to_string());
    }
}

/// A UUID (RFC 9562, version 8) that is an attempt's alone, in this run and in others.
fn uuid(run: u32, op: Op) -> String {
    let half = |which: u8| Fingerprint::of(format!("{which} {run} {}", op.0).as_bytes()).0;
    let bits = u128::from(half(0)) << 64 | u128::from(half(1));
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | 8 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times() {
        let [first, second] = [uuid(1, Op(7)), uuid(1, Op(8))];
        assert_ne!(first, second);
        assert_eq!(first, uuid(1, Op(7)));
        let pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";
        let pattern = regex::Regex::new(pattern).unwrap();
        assert!(pattern.is_match(&first), "{first}");
        let at = DateTime::from_timestamp_millis(1_714_979_289_010).unwrap();
        assert_eq!(iso(at), "2024-05-06T07:08:09.010Z");
    }
}
