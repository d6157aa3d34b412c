//! What is said after the upgrade, before anything else: who comes, and whether they are let in.

use std::time::Duration;

use tokio::sync::oneshot;

use super::Socket;
use crate::codec::{Slot, Values};

/// What came of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Welcome {
    /// All that was expected has come.
    In,
    /// The service has said no, or closed the connection.
    TurnedAway,
    /// It has said nothing, or there was nothing to say to it.
    Nothing,
}

impl Socket {
    /// Goes through the handshake of the dialect: says what is to be said, waits for what has to come.
    pub(crate) async fn shake_hands(&self, caller: &Values) -> Welcome {
        for (number, step) in self.dialect().handshake.iter().enumerate() {
            if let Some(send) = &step.send {
                let mut values = caller.clone();
                values.extend(self.kept());
                for slot in [Slot::AccessToken, Slot::Password] {
                    if values.get(slot).is_none() {
                        // whoever has none presents an empty one
                        values.set(slot, "");
                    }
                }
                let frame = self.codec.borrow().encode(send, &values);
                let Ok(frame) = frame else {
                    return Welcome::Nothing;
                };
                self.send_wire(frame);
            }
            if step.expect.is_none() {
                continue;
            }
            match self.hear(number).await {
                Welcome::In => {}
                other => return other,
            }
        }
        Welcome::In
    }

    /// What the greetings said that may be said again.
    pub(super) fn kept(&self) -> Values {
        let greeting = self.greeting.borrow();
        let said = [Slot::Session, Slot::Ticket]
            .into_iter()
            .filter_map(|slot| Some((slot, greeting.get(slot)?)));
        said.fold(Values::new(), |kept, (slot, value)| kept.with(slot, value))
    }

    /// How long the service may take to shut out whom it does not let in.
    pub(super) fn shuts_out_within(&self) -> Duration {
        self.dialect()
            .shuts_out_within
            .unwrap_or(self.worker.limits.op_min)
    }

    /// Waits a while for the service to say no, or to close the connection; how it did, if so.
    pub(crate) async fn shut_out(&self) -> Option<&'static str> {
        let out = || self.turned_away.get() || !self.is_open();
        if !out() {
            let (told, wait) = oneshot::channel();
            *self.told.borrow_mut() = Some(told);
            // whatever comes of it is seen below
            let _ = tokio::time::timeout(self.shuts_out_within(), wait).await;
            self.worker.trays.take();
        }
        match self.is_open() {
            true => self.turned_away.get().then_some("let in and turned away"),
            false => Some("let in and shut out again"),
        }
    }

    /// Waits until what is expected in this step of the handshake has come.
    async fn hear(&self, number: usize) -> Welcome {
        if self.heard.get() <= number && !self.turned_away.get() && self.is_open() {
            let (told, wait) = oneshot::channel();
            *self.told.borrow_mut() = Some(told);
            // whatever comes of it is seen below
            let _ = tokio::time::timeout(self.worker.limits.connect, wait).await;
            self.worker.trays.take();
        }
        match () {
            // a fence may be answered all the same
            () if self.turned_away.get() => Welcome::TurnedAway,
            () if self.heard.get() > number => Welcome::In,
            () if !self.is_open() => Welcome::TurnedAway,
            () => Welcome::Nothing,
        }
    }
}
