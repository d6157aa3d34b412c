//! What a client sends to the gateway: the head of an upgrade, then requests in both dialects.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reference::gateway::fuzzing::{Parsed, asked, parse};

fuzz_target!(|data: &[u8]| {
    if let Some(token) = asked(data) {
        assert!(!token.is_empty() && data.windows(token.len()).any(|window| window == token.as_bytes()));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    for legacy in [false, true] {
        let Parsed { id, op, code } = parse(text, legacy);
        assert_eq!(op.is_some(), code.is_none(), "a request or a refusal");
        assert!(op.is_none() || id.is_some());
        if let Some(id) = id {
            assert!((1..=64).contains(&id.chars().count()));
            let tree: serde_json::Value = serde_json::from_str(text).expect("an id is read from JSON alone");
            assert_eq!(tree["id"].as_str(), Some(&*id));
            let key = if legacy { "type" } else { "op" };
            assert!(op.is_none_or(|op| tree[key] == op));
        }
    }
});
