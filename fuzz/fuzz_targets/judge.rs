//! Judge, meter and explainer on any history: events that no driver would write, in any order.
#![no_main]

use history::{Event, Place};
use isolation::{Explainer, Judge};
use libfuzzer_sys::fuzz_target;
use perf::Meter;

const RUN: u32 = 7;

fuzz_target!(|data: &[u8]| {
    let mut events = Vec::new();
    let mut rest = data;
    while let Ok((event, after)) = postcard::take_from_bytes::<Event<'_>>(rest) {
        events.push(event);
        rest = after;
    }
    let mut judges = [Judge::new(RUN), Judge::new(RUN)];
    let mut meters = [Meter::new(), Meter::new()];
    for (index, event) in events.iter().enumerate() {
        let worker = index % 2;
        let place = Place { worker: worker as u16, index: index as u64 };
        judges[worker].observe(place, event);
        meters[worker].observe(event);
    }
    let [one, other] = judges;
    let judgement = one.merge(other).finish();
    let mut explainer = Explainer::new(&judgement);
    for (index, event) in events.iter().enumerate() {
        let place = Place { worker: (index % 2) as u16, index: index as u64 };
        explainer.observe(place, event);
    }
    assert_eq!(explainer.finish().len(), judgement.findings.len());
    let [one, other] = meters;
    let _ = one.merge(other).finish();
});
