//! The states of a connection and what leads from one to the next.

use history::CloseCause;

/// Where a connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The TCP connection or the upgrade is under way.
    Connecting,
    /// Frames go both ways.
    Open,
    /// We have sent a close frame and wait for the answer.
    Closing,
    /// It ended.
    Closed {
        /// How.
        cause: CloseCause,
        /// Code of the service's close frame, if one came.
        code: Option<u16>,
    },
    /// It never opened.
    Failed {
        /// What the service or the network said.
        reason: String,
    },
}

/// What happens to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The upgrade was accepted.
    Accepted,
    /// The upgrade was refused, or there was nothing to talk to.
    Refused(String),
    /// We begin to close in order.
    WeClose,
    /// A close frame of the service came, with its code.
    TheyClose(Option<u16>),
    /// The stream ended or broke.
    StreamEnds,
    /// The service broke a limit or the protocol, and we give up on it.
    LimitBroken,
    /// We drop the stream without a close frame.
    WeDrop,
}

impl State {
    /// The next state. What cannot happen in a state leaves it as it is: the first end of a connection is the one that counts.
    #[must_use]
    pub fn after(self, happening: Happening) -> Self {
        use Happening::{Accepted, LimitBroken, Refused, StreamEnds, TheyClose, WeClose, WeDrop};
        let closed = |cause, code| Self::Closed { cause, code };
        match (self, happening) {
            (Self::Connecting, Accepted) => Self::Open,
            (Self::Connecting, Refused(reason)) => Self::Failed { reason },
            (Self::Open, WeClose) => Self::Closing,
            (Self::Open, TheyClose(code)) => closed(CloseCause::ByService, code),
            (Self::Open, StreamEnds) => closed(CloseCause::Lost, None),
            (Self::Open, LimitBroken) => closed(CloseCause::ByLimit, None),
            (Self::Open, WeDrop) => closed(CloseCause::ByPlan, None),
            (Self::Closing, TheyClose(code)) => closed(CloseCause::ByPlan, code),
            (Self::Closing, StreamEnds | LimitBroken | WeDrop) => closed(CloseCause::ByPlan, None),
            (state, _) => state,
        }
    }

    /// Whether requests can be written.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::Open
    }

    /// Whether nothing will come any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Failed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happenings() -> Vec<Happening> {
        vec![
            Happening::Accepted,
            Happening::Refused("no".to_owned()),
            Happening::WeClose,
            Happening::TheyClose(Some(4403)),
            Happening::StreamEnds,
            Happening::LimitBroken,
            Happening::WeDrop,
        ]
    }

    #[track_caller]
    fn check(path: &[Happening], expect: State) {
        let end = path.iter().cloned().fold(State::Connecting, State::after);
        assert_eq!(end, expect);
        assert_eq!(end.is_open(), end == State::Open);
    }

    fn closed(cause: CloseCause, code: Option<u16>) -> State {
        State::Closed { cause, code }
    }

    #[test]
    fn paths_lead_where_they_should() {
        use Happening::{Accepted, LimitBroken, Refused, StreamEnds, TheyClose, WeClose, WeDrop};
        check(&[], State::Connecting);
        check(&[Accepted], State::Open);
        check(
            &[Refused("401".to_owned())],
            State::Failed {
                reason: "401".to_owned(),
            },
        );
        check(
            &[Accepted, TheyClose(Some(4401))],
            closed(CloseCause::ByService, Some(4401)),
        );
        check(&[Accepted, StreamEnds], closed(CloseCause::Lost, None));
        check(&[Accepted, LimitBroken], closed(CloseCause::ByLimit, None));
        check(&[Accepted, WeDrop], closed(CloseCause::ByPlan, None));
        check(&[Accepted, WeClose], State::Closing);
        check(
            &[Accepted, WeClose, TheyClose(Some(1000))],
            closed(CloseCause::ByPlan, Some(1000)),
        );
        check(&[Accepted, WeClose, StreamEnds], closed(CloseCause::ByPlan, None));
    }

    #[test]
    fn the_first_end_counts() {
        for first in happenings() {
            let end = State::Open.after(first);
            if !end.is_over() {
                continue;
            }
            for second in happenings() {
                assert_eq!(end.clone().after(second), end);
            }
        }
    }

    #[test]
    fn nothing_opens_twice_or_late() {
        assert_eq!(State::Connecting.after(Happening::StreamEnds), State::Connecting);
        assert_eq!(State::Closing.after(Happening::Accepted), State::Closing);
    }
}
