//! The grammar of gates: what is read can be written and read again; an error says where, within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perf::{Gate, GateSet};

/// No message is longer than this many times the expression's limit.
const MESSAGE_MAX: usize = 4096;

fuzz_target!(|text: &str| {
    let mut gates = Vec::new();
    for line in text.lines() {
        match Gate::parse(line) {
            Ok(gate) => {
                let again = Gate::parse(&gate.to_string()).expect("its own spelling");
                assert_eq!(again.to_string(), gate.to_string());
                assert_eq!((again.metric, again.comparison), (gate.metric, gate.comparison));
                assert_eq!(again.bound.base().to_bits(), gate.bound.base().to_bits());
                assert!(gate.bound.base() >= 0.0);
                gates.push(gate);
            }
            Err(error) => {
                assert!(error.place.start <= error.place.end && error.place.end <= line.len());
                let said = error.to_string();
                assert!(said.len() <= MESSAGE_MAX && said.lines().count() == 3, "{said}");
            }
        }
    }
    let Ok(set) = GateSet::with(&gates) else { return };
    assert!(set.gates().len() >= GateSet::floors().gates().len().min(gates.len()));
});
