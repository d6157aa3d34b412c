//! What it is worth that an upgrade was accepted: everything, or nothing yet.

use std::rc::Rc;

use futures_util::future::OptionFuture;
use history::{Check, Outcome, ProbeResult, User};

use crate::answer::Answer;
use crate::codec::{Slot, Values};
use crate::socket::{Request, Socket, Welcome};
use crate::user::VirtualUser;

impl VirtualUser {
    /// Whether somebody who should not have been let in, as `check` has it, is served.
    pub(super) async fn served(
        &self,
        check: Check,
        socket: &Rc<Socket>,
        caller: &Values,
    ) -> (ProbeResult, String) {
        let within = self.worker.limits.op_min;
        let proven = tokio::time::timeout(within, prove(socket, caller)).await;
        let (welcome, answer) = proven.unwrap_or((Welcome::Nothing, None));
        let unasked = welcome == Welcome::In && socket.dialect().proof().is_none();
        if unasked && socket.dialect().greets_by_proof() {
            return self.merely_let_in(check, "let in by the handshake");
        }
        if unasked && socket.dialect().connects_to_owned() && socket.shut_out().await.is_none() {
            return self.merely_let_in(check, "connected to what is its user's");
        }
        match answer.as_ref().map(|answer| (&answer.outcome, answer)) {
            Some((Outcome::Ok, answer)) => (
                ProbeResult::Accepted,
                self.let_in_as(answer.values.get(Slot::User)),
            ),
            Some((Outcome::Fail(code), _)) => (ProbeResult::Refused, format!("let in and told {code}")),
            _ => match socket.shut_out().await {
                Some(how) => (ProbeResult::Refused, how.to_owned()),
                None => (ProbeResult::Lost, "let in and not answered".to_owned()),
            },
        }
    }

    /// All that is known is how one was let in, which is allowed where the check is said not to apply.
    pub(super) fn merely_let_in(&self, check: Check, how: &str) -> (ProbeResult, String) {
        let result = match self.worker.target.profile.excuses(check) {
            true => ProbeResult::Lost,
            false => ProbeResult::Accepted,
        };
        (result, how.to_owned())
    }

    pub(super) fn let_in_as(&self, seen: Option<&str>) -> String {
        let is = |user: User| seen.is_some() && self.worker.board.user_id(user) == seen;
        let people = self.plan().people.iter().map(|person| person.user);
        match people.into_iter().find(|user| is(*user)) {
            Some(user) => format!("let in as user {}", user.0),
            None => "let in as nobody that is known".to_owned(),
        }
    }
}

/// Goes through the handshake as `caller` and asks, however that went; `None` if there is nothing to ask.
pub(super) async fn prove(socket: &Rc<Socket>, caller: &Values) -> (Welcome, Option<Answer>) {
    let proof = socket.dialect().proof().map(|proof| Request::new(proof).probe());
    let welcome = socket.shake_hands(caller).await;
    let answer = OptionFuture::from(proof.map(|proof| socket.call(proof))).await;
    (welcome, answer)
}
