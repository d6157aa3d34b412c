//! The reference service that Crosstalk ships (`crates/reference/PROTOCOL.md`), from its own profile.

use std::path::Path;

use super::{Profile, TargetFile};

const FILE: &str = "reference.toml";
const TEXT: &str = include_str!("reference.toml");

impl Profile {
    /// The reference service.
    #[must_use]
    pub fn reference() -> Self {
        let target = TargetFile::parse(FILE, TEXT, Path::new(""));
        target.expect("a test reads this very text").profile
    }

    /// The text that [`Self::reference`] is read from, as an example.
    #[must_use]
    pub fn reference_text() -> &'static str {
        TEXT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Slot, Values};
    use crate::profile::{Action, Capability, Dialect};

    #[track_caller]
    fn check(dialect: &Dialect, action: Action, values: Values, expect: &str) {
        let values = values.with(Slot::Id, "1");
        let frame = &dialect.ops[&action].frame;
        assert_eq!(
            dialect.framing.codec().encode(frame, &values).unwrap().shown(),
            expect
        );
    }

    #[test]
    fn frames_are_those_of_the_protocol() {
        let [current, legacy] = &Profile::reference().dialects[..] else {
            panic!("two dialects");
        };
        check(
            current,
            Action::WhoAmI,
            Values::new(),
            r#"{"id":"1","op":"whoami"}"#,
        );
        check(
            legacy,
            Action::WhoAmI,
            Values::new(),
            r#"{"id":"1","type":"whoami"}"#,
        );
        let post = Values::new()
            .with(Slot::Thread, "t")
            .with(Slot::Body, "b\"")
            .with(Slot::Nonce, "n");
        check(
            current,
            Action::Post,
            post,
            r#"{"id":"1","op":"message.post","thread_id":"t","body":"b\"","nonce":"n"}"#,
        );
        let read = Values::new().with(Slot::Thread, "t").with(Slot::After, "0");
        check(
            legacy,
            Action::ReadThread,
            read,
            r#"{"id":"1","type":"thread.read","thread_id":"t","after":0}"#,
        );
    }

    #[test]
    fn it_can_do_everything() {
        let profile = Profile::reference();
        let actions = Capability::ALL
            .iter()
            .flat_map(|(capability, _)| capability.actions());
        let probes = [
            Action::Post,
            Action::PostHastily,
            Action::ListThreadsOf,
            Action::SubscribeRoomAs,
            Action::WhoAmIWith,
        ];
        let all: Vec<_> = actions.chain(&probes).collect();
        for dialect in &profile.dialects {
            assert!(all.iter().all(|action| dialect.can(**action)));
            assert_eq!(dialect.ops.len(), all.len());
        }
        assert!(profile.absent.is_empty() && profile.not_applicable.is_empty());
    }
}
