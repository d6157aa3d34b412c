//! What the screen says of answers alone and in company.

use isolation::State;

use super::super::model::{Company, Difference};
use super::super::units::{counted, time_us, wrap};
use super::{Screen, WIDTH, op};

impl Screen {
    /// The verdict, below those of the checks.
    pub(super) fn company(&mut self, company: &Company) {
        let state = company.state.to_string();
        let painted = match company.state {
            State::Valid => self.paint.good(&state),
            State::Violated => self.paint.bad(&state),
            State::Unknown | State::NotApplicable => self.paint.doubt(&state),
        };
        let text = wrap(&company.text, 4, WIDTH).replacen(&state, &painted, 1);
        self.line(&format!("  {text}"));
    }

    pub(super) fn difference(&mut self, letter: char, found: &Difference) {
        let what = format!("- {letter} {}: {}", found.kind, found.step);
        self.line(&format!("  {}", self.paint.bad(&wrap(&what, 5, WIDTH))));
        let facts = [
            ("op", found.op.map(op)),
            (
                "connection",
                found.connection.map(|connection| connection.to_string()),
            ),
            ("at", Some(time_us(found.at_us as f64))),
            (
                "pointer",
                Some(found.pointer.clone()).filter(|pointer| !pointer.is_empty()),
            ),
            ("differs in", Some(counted(found.count, "place"))),
            (
                "history",
                Some(format!("worker {} event {}", found.worker, found.event)),
            ),
        ];
        self.seen(found.observer, found.victim, facts);
        for (name, text) in [("alone", &found.alone), ("in company", &found.together)] {
            self.line(&format!("     {name:10} | {}", wrap(text, 18, WIDTH)));
        }
    }
}
