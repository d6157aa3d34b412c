//! K: forged tokens, tokens of sessions that ended, and another's token inside a message.

use std::rc::Rc;

use futures_util::StreamExt;
use futures_util::future::{OptionFuture, join};
use futures_util::stream;
use history::{At, Check, Conn, Interval, ProbeResult, Replica, Session, User};

use super::forge::{Attacker, Forged, Material, attacks};
use super::lure::Lure;
use super::served::prove;
use super::{Ask, PROBERS, Tried, is_telling};
use crate::clock::nanoseconds;
use crate::codec::Slot;
use crate::login::Login;
use crate::plan::SessionEnd;
use crate::profile::{Action, Dialect};
use crate::socket::{Knock, Request, Socket, Welcome};
use crate::user::VirtualUser;

/// Forged tokens that one user presents at once.
const FORGERIES_AT_ONCE: usize = 4;

/// A user's share of the forgeries at one door: every `of`-th, from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    first: usize,
    of: usize,
}

/// What one user's forgeries are made from and judged by.
struct Forgery {
    /// Its session, as it is: shows that a door lets anybody in at all.
    main: Rc<Login>,
    /// Sessions that nobody has used yet, so that no door can have seen their tokens.
    own: Login,
    victim: Option<Login>,
    forged: Vec<Forged>,
    lure: Lure,
}

/// What is presented at one door.
struct Hand<'a> {
    forgery: &'a Forgery,
    door: Replica,
    forged: Vec<&'a Forged>,
}

/// What became of a token that was presented.
struct Presented {
    conn: Conn,
    result: ProbeResult,
    detail: String,
    during: Interval,
}

impl VirtualUser {
    /// Puts the stranger's token into a message: the answer must name oneself all the same.
    pub(super) async fn probe_token_in_message(&self, socket: &Rc<Socket>, stranger: User) {
        let board = &self.worker.board;
        let (Some(token), Some(their_id)) =
            (board.user(stranger).access_token.get(), board.user_id(stranger))
        else {
            return;
        };
        if !is_telling(their_id) {
            return;
        }
        let ask = Ask {
            check: Check::Token,
            name: "another's token inside a message",
            victim: stranger,
            control: Request::new(Action::WhoAmI),
            attack: Request::new(Action::WhoAmIWith).with(Slot::AccessToken, token),
            betrayed_by: Some(their_id.to_owned()),
        };
        self.ask(socket, ask).await;
    }

    /// Presents its share of the forged tokens: all users together present each at every door (upgrade at each gateway,
    /// HTTP at the authentication service), before the token that it was made from was ever seen there and right after.
    pub(super) async fn probe_tokens(&self) {
        let shares = self.shares();
        let Some(main) = self.main.login() else { return };
        self.probe_ended_token(&main).await;
        if shares.is_empty() {
            return;
        }
        let forgery = match self.forgery(main).await {
            Ok(forgery) => forgery,
            Err(why) => return self.not_forged(why),
        };
        for (door, share) in shares {
            self.probe_door(&forgery, door, share).await;
        }
        for login in [Some(&forgery.own), forgery.victim.as_ref()]
            .into_iter()
            .flatten()
        {
            self.desk.http.close(&login.line);
        }
    }

    /// The doors at which this user forges, and its share there.
    fn shares(&self) -> Vec<(Replica, Share)> {
        let (scale, profile) = (&self.plan().scale, &self.worker.target.profile);
        let (prober, probers) = (self.person.user.0 as usize, scale.users.min(PROBERS) as usize);
        if !profile.has_tokens() {
            return Vec::new();
        }
        // a door that does not tell whom it lets in is none to try
        let me = profile.http.me.as_ref().filter(|me| me.presents_token());
        let over_http = me.map(|_| Replica::AUTH);
        let tells = |dialect: &Dialect| dialect.proof().is_some() || dialect.connects_to_owned();
        let telling = profile.dialects.iter().all(tells);
        let gateways = (0..scale.replicas).map(Replica).filter(|_| telling);
        let replicas: Vec<_> = gateways.chain(over_http).collect();
        let doors = replicas.len();
        let share = |(door, replica)| Some((replica, Share::of(prober, probers, door, doors)?));
        (0..).zip(replicas).filter_map(share).collect()
    }

    /// Logs in anew, as oneself and as the victim, and forges.
    async fn forgery(&self, main: Rc<Login>) -> Result<Forgery, String> {
        let attacker = Attacker::new();
        let lure = Lure::lay(attacker.key_set())
            .await
            .map_err(|error| format!("cannot listen on loopback: {error}"))?;
        let victim = self.victims().next();
        let as_victim = OptionFuture::from(victim.map(|victim| self.log_in_as(victim)));
        let of_own = self.strange_tokens(self.person.user, false);
        let of_victim = OptionFuture::from(victim.map(|victim| self.strange_tokens(victim, true)));
        let (own, as_victim, of_own, of_victim) =
            tokio::join!(self.log_in_as(self.person.user), as_victim, of_own, of_victim);
        let (own, victim) = (own?, as_victim.transpose()?);
        let key_set = self.desk.key_set(&own.line).await;
        let (tokens, theirs) = (own.tokens(), victim.as_ref().map(Login::tokens));
        let material = Material {
            own: &tokens.access,
            own_refresh: tokens.refresh.as_deref(),
            victim: theirs.as_ref().map(|tokens| tokens.access.as_str()),
            key_set: key_set.as_deref(),
            lure: lure.url(),
        };
        let mut forged = attacks(&attacker, &material);
        forged.extend(of_own?);
        forged.extend(of_victim.transpose()?.into_iter().flatten());
        Ok(Forgery {
            main,
            forged,
            own,
            victim,
            lure,
        })
    }

    /// Tokens of `user` that the target's strangers issue, each with a good signature and for a living session.
    async fn strange_tokens(&self, user: User, as_victim: bool) -> Result<Vec<Forged>, String> {
        let mut tokens = Vec::new();
        for (index, stranger) in self.worker.target.strangers.iter().enumerate() {
            let login = self.log_in_to(Some(index), user).await?;
            tokens.push(Forged {
                name: stranger.name,
                token: login.tokens().access,
                as_victim,
                lure: None,
            });
            self.desk.http.close(&login.line);
        }
        Ok(tokens)
    }

    /// Without forgeries the check is not proven, and nothing else is the worse for it.
    fn not_forged(&self, why: String) {
        let now = self.worker.clock.now();
        self.tried(Tried {
            check: Check::Token,
            name: "forged tokens",
            victim: None,
            replica: Replica::AUTH,
            conn: None,
            controls: (false, false),
            result: ProbeResult::Lost,
            detail: why,
            during: Interval { from: now, to: now },
        });
    }

    async fn log_in_as(&self, user: User) -> Result<Login, String> {
        self.log_in_to(None, user).await
    }

    async fn log_in_to(&self, stranger: Option<usize>, user: User) -> Result<Login, String> {
        let refused = || format!("user {} could not log in once more", user.0);
        let account = self.worker.board.user(user).account.get().ok_or_else(refused)?;
        let line = self.desk.http.line_to(stranger, user);
        self.desk.login(line, account, None).await.ok_or_else(refused)
    }

    /// A good token, the forgeries, the tokens that these were made from, the forgeries again, and the tokens again.
    async fn probe_door(&self, forgery: &Forgery, door: Replica, share: Share) {
        let forged = forgery.forged.iter().skip(share.first).step_by(share.of);
        let hand = Hand {
            forgery,
            door,
            forged: forged.collect(),
        };
        let before = self.enters(&forgery.main, door).await;
        let between = self.play_hand(&hand, before, "unseen there before").await;
        self.play_hand(&hand, between, "right after the good one").await;
    }

    /// Presents all of a hand, then the tokens that it was made from; whether these were accepted.
    async fn play_hand(&self, hand: &Hand<'_>, before: bool, when: &str) -> bool {
        let Hand {
            forgery,
            door,
            forged,
        } = hand;
        let presented = forged.iter().map(|forged| async {
            let user = match (&forgery.victim, forged.as_victim) {
                (Some(victim), true) => victim.line.user,
                _ => self.person.user,
            };
            self.present(&forgery.own, &forged.token, user, *door).await
        });
        let presented: Vec<_> = stream::iter(presented)
            .buffered(FORGERIES_AT_ONCE)
            .collect()
            .await;
        let after = self.both_enter(forgery, *door).await;
        let visits = forgery.lure.take_visits();
        for (forged, mut presented) in forged.iter().zip(presented) {
            if let Some(url) = forged.lure.as_ref().filter(|url| visits.contains(*url)) {
                presented.result = ProbeResult::Accepted;
                presented.detail.push_str(&format!("; {url} was fetched"));
            }
            let victim = forgery.victim.as_ref().filter(|_| forged.as_victim);
            let class = match *door {
                Replica::AUTH => "a forged token over HTTP",
                _ => "a forged token at the upgrade",
            };
            let tried = Tried {
                check: Check::Token,
                name: forged.name,
                victim: victim.map(|victim| victim.line.user),
                replica: *door,
                conn: Some(presented.conn),
                controls: (before, after),
                result: presented.result,
                detail: format!("{when}: {}", presented.detail),
                during: presented.during,
            };
            self.tried_as(class, tried);
        }
        after
    }

    async fn both_enter(&self, forgery: &Forgery, door: Replica) -> bool {
        let victim = async {
            match &forgery.victim {
                Some(victim) => self.enters(victim, door).await,
                None => true,
            }
        };
        let (own, victim) = join(self.enters(&forgery.own, door), victim).await;
        own && victim
    }

    /// Whether a good token is accepted, and as that of its user.
    async fn enters(&self, login: &Login, door: Replica) -> bool {
        let (user, token) = (login.line.user, login.tokens().access);
        let Some(user_id) = self.worker.board.user_id(user) else {
            return false;
        };
        if door == Replica::AUTH {
            let answer = self.desk.me_as(&login.line, Some(&token), true).await;
            return answer.values.get(Slot::User) == Some(user_id);
        }
        let Some(caller) = self.caller(user, Some(&token), true) else {
            return false;
        };
        let knock = Knock {
            user,
            session: Some(login.session()),
            replica: door,
            dialect: self.person.dialect,
            caller: &caller,
            expect_refusal: false,
        };
        let Ok(socket) = Socket::open(&self.worker, knock).await else {
            return false;
        };
        let (welcome, answer) = prove(&socket, &caller).await;
        let names = socket.dialect().can(Action::WhoAmI);
        let connected = socket.is_open() && welcome == Welcome::In;
        socket.close().await;
        match answer {
            Some(answer) => answer.is_ok() && (!names || answer.values.get(Slot::User) == Some(user_id)),
            // to be connected to what is one's own is all there is
            None => connected,
        }
    }

    /// Presents a token that must be refused and claims to be `claimed`'s; what comes is recorded as of the session of
    /// `login`.
    async fn present(&self, login: &Login, token: &str, claimed: User, door: Replica) -> Presented {
        self.worker.tracer.hide(token, "<another token>");
        let from = self.worker.clock.now();
        let (conn, result, detail) = if door == Replica::AUTH {
            self.present_over_http(login, token).await
        } else {
            self.present_at_gateway(login.session(), token, claimed, door)
                .await
        };
        let to = self.worker.clock.now();
        Presented {
            conn,
            result,
            detail,
            during: Interval { from, to },
        }
    }

    async fn present_over_http(&self, login: &Login, token: &str) -> (Conn, ProbeResult, String) {
        let answer = self.desk.me_as(&login.line, Some(token), true).await;
        let seen = answer.values.get(Slot::User);
        match answer.is_ok() {
            true => (login.line.conn, ProbeResult::Accepted, self.let_in_as(seen)),
            false => (
                login.line.conn,
                refusal(answer.status),
                answer.reason().to_owned(),
            ),
        }
    }

    async fn present_at_gateway(
        &self,
        session: Session,
        token: &str,
        claimed: User,
        door: Replica,
    ) -> (Conn, ProbeResult, String) {
        let caller = self.caller(claimed, Some(token), false).unwrap_or_default();
        // where everybody is let in at first, that is nothing that a session was served
        let session = Some(session).filter(|_| !self.speaks().admits_by_handshake());
        let knock = Knock {
            user: self.person.user,
            session,
            replica: door,
            dialect: self.person.dialect,
            caller: &caller,
            expect_refusal: true,
        };
        let socket = match Socket::open(&self.worker, knock).await {
            Ok(socket) => socket,
            Err(refused) => return (refused.conn, refusal(refused.status), refused.reason),
        };
        let (result, detail) = self.served(Check::Token, &socket, &caller).await;
        socket.close().await;
        (socket.holder().conn, result, detail)
    }

    /// Presents the token of the session that ended at the gateway that never saw it, if its grace is over.
    async fn probe_ended_token(&self, main: &Login) {
        let (Some(end), Some(ended), Some(old)) =
            (self.second_ends(), self.second_end.get(), self.second.login())
        else {
            return;
        };
        if self.speaks().proof().is_none() && !self.speaks().connects_to_owned() {
            return;
        }
        let late = ended.0 + nanoseconds(self.worker.target.profile.revocation_grace);
        if self.worker.clock.now() <= At(late) {
            return;
        }
        let (replica, token) = (self.person.replica, old.tokens().access);
        let before = self.enters(main, replica).await;
        let presented = self.present(&old, &token, self.person.user, replica).await;
        let after = self.enters(main, replica).await;
        self.tried(Tried {
            check: Check::Token,
            name: match end {
                SessionEnd::Logout => "token of a session that was logged out",
                SessionEnd::Expiry => "token that has expired",
                SessionEnd::Revocation => "token of a session that was revoked",
            },
            victim: None,
            replica,
            conn: Some(presented.conn),
            controls: (before, after),
            result: presented.result,
            detail: presented.detail,
            during: presented.during,
        });
    }
}

/// What an answer that does not let in is worth: one that says that the service is busy or broken says nothing of the token.
fn refusal(status: Option<u16>) -> ProbeResult {
    match status {
        Some(408 | 429) => ProbeResult::Lost,
        Some(200..500) => ProbeResult::Refused,
        _ => ProbeResult::Lost,
    }
}

impl Share {
    /// The share of one of `probers` at one of `doors`: each prober stands at one door, or at several if there are more
    /// doors than probers; those who stand at the same door share the forgeries out.
    fn of(prober: usize, probers: usize, door: usize, doors: usize) -> Option<Self> {
        if prober >= probers {
            return None;
        }
        if probers < doors {
            return (door % probers == prober).then_some(Self { first: 0, of: 1 });
        }
        (prober % doors == door).then_some(Self {
            first: prober / doors,
            of: (probers - 1 - door) / doors + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_together_try_each_forgery_once_at_every_door(
            probers in 1_usize..60, beyond in 0_usize..9, doors in 1_usize..9, forgeries in 0_usize..60,
        ) {
            for door in 0..doors {
                let mut tried: Vec<usize> = (0..probers + beyond)
                    .filter_map(|prober| Share::of(prober, probers, door, doors))
                    .flat_map(|share| (0..forgeries).skip(share.first).step_by(share.of))
                    .collect();
                tried.sort_unstable();
                prop_assert_eq!(tried, (0..forgeries).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_default_run_shares_out_evenly() {
        let shares: Vec<_> = (0..12)
            .flat_map(|prober| (0..3).filter_map(move |door| Share::of(prober, 12, door, 3)))
            .collect();
        assert_eq!(shares.len(), 12);
        assert!(shares.iter().all(|share| share.of == 4));
    }

    #[test]
    fn only_a_no_is_a_no() {
        for (status, expect) in [
            (Some(401), ProbeResult::Refused),
            (Some(403), ProbeResult::Refused),
            (Some(400), ProbeResult::Refused),
            (Some(302), ProbeResult::Refused),
            (Some(200), ProbeResult::Refused),
            (Some(429), ProbeResult::Lost),
            (Some(408), ProbeResult::Lost),
            (Some(500), ProbeResult::Lost),
            (Some(503), ProbeResult::Lost),
            (None, ProbeResult::Lost),
        ] {
            assert_eq!(refusal(status), expect, "{status:?}");
        }
    }
}
