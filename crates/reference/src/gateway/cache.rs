//! The response cache: a user's own answers for a short while, computed once for all who wait for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use uuid::Uuid;

use super::identity::Identity;
use super::limits::{CACHED_RESPONSE_BYTES_MAX, CACHED_RESPONSES_MAX};
use super::protocol::{Failure, Json, Op};
use crate::metrics::{Metrics, Situation};

/// What was asked, apart from who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) op: Op,
    pub(crate) arguments: String,
}

/// Answers of `thread.list`, `thread.find`, `thread.read` and `snapshot`, by question and asker.
///
/// An answer is computed once however many of the asker's requests wait for it, lives for the time given, and is forgotten
/// when the asker writes: whoever asks after a write was acknowledged gets an answer computed after it. A snapshot lives no
/// longer than it is being computed; an answer that is too large is not kept at all.
pub(crate) struct ResponseCache {
    lifetime: Duration,
    answers: Mutex<Answers>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Answers {
    by_question: HashMap<Question, HashMap<Uuid, Answer>>,
    count: usize,
}

#[derive(Clone)]
struct Answer {
    /// Whose question it was computed for.
    asker: Uuid,
    tenant_id: Uuid,
    expires: Instant,
    /// Empty while it is being computed.
    computed: Arc<OnceCell<Computed>>,
}

struct Computed {
    #[cfg(feature = "mutants")]
    asker: Uuid,
    body: Json,
}

/// An answer for somebody else to the question that is asked.
#[cfg(feature = "mutants")]
pub(crate) struct Lying<'a> {
    pub(crate) place: Uuid,
    pub(crate) tenant_id: Uuid,
    /// `None` while it is being computed.
    pub(crate) body: Option<&'a str>,
}

impl ResponseCache {
    /// An empty cache whose answers live for `lifetime`.
    pub(crate) fn new(lifetime: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            lifetime,
            answers: Mutex::default(),
            metrics,
        }
    }

    /// The answer to `asker`'s `question`: a live one, one that is being computed, or what `compute` makes now.
    ///
    /// # Errors
    /// Those of `compute`; a failure is not kept, and the next one who waits tries again.
    pub(crate) async fn answer<F>(
        &self,
        asker: &Identity,
        question: Question,
        compute: impl FnOnce() -> F,
    ) -> Result<Json, Failure>
    where
        F: Future<Output = Result<Json, Failure>>,
    {
        let answer = self.look_up(asker, question.clone());
        #[cfg(feature = "mutants")]
        let asker_id = asker.user_id;
        let compute = async || {
            Ok::<_, Failure>(Computed {
                #[cfg(feature = "mutants")]
                asker: asker_id,
                body: compute().await?,
            })
        };
        let computed = answer.computed.get_or_try_init(compute).await?;
        #[cfg(feature = "mutants")]
        crate::mutant::answered(question.op, asker_id, computed.asker, computed.body.get());
        if computed.body.get().len() > CACHED_RESPONSE_BYTES_MAX {
            self.answers()
                .retain(|other| !Arc::ptr_eq(&other.computed, &answer.computed));
        }
        Ok(Arc::clone(&computed.body))
    }

    /// Forgets what was answered to `asker`, also what is still being computed; to be called when they wrote.
    pub(crate) fn forget(&self, asker: Uuid) {
        let mut answers = self.answers();
        answers.retain(|answer| answer.asker != asker);
    }

    fn look_up(&self, asker: &Identity, question: Question) -> Answer {
        let now = Instant::now();
        let mut answers = self.answers();
        if answers.count >= CACHED_RESPONSES_MAX {
            answers.retain(|answer| answer.expires > now || !answer.computed.initialized());
        }
        let op = question.op;
        // under themselves alone
        let place = asker.user_id;
        let is_full = answers.count >= CACHED_RESPONSES_MAX;
        let fresh = || Answer {
            asker: asker.user_id,
            tenant_id: asker.tenant_id,
            expires: now
                + if op == Op::Snapshot {
                    Duration::ZERO
                } else {
                    self.lifetime
                },
            computed: Arc::default(),
        };
        let Some(askers) = answers.by_question.get_mut(&question) else {
            let answer = fresh();
            if !is_full {
                answers
                    .by_question
                    .insert(question, HashMap::from([(place, answer.clone())]));
                answers.count += 1;
            }
            return answer;
        };
        let mut others = askers
            .values()
            .filter(|other| other.asker != asker.user_id && other.is_live(op, now));
        let situation = match op {
            Op::ThreadRead => Situation::ReadWarmOtherUser,
            Op::Snapshot => Situation::SnapshotOverlap,
            _ => Situation::CacheEqualArguments,
        };
        if others.any(|other| op != Op::Snapshot || other.tenant_id == asker.tenant_id) {
            self.metrics.situation(situation).inc();
        }
        #[cfg(feature = "mutants")]
        let place = {
            let live = askers.iter().filter(|(_, other)| other.is_live(op, now));
            let others = live.filter(|(_, other)| other.asker != asker.user_id);
            crate::mutant::cache_place(op, asker, others.map(|(place, other)| other.lying_at(*place)))
                .unwrap_or(place)
        };
        if let Some(answer) = askers.get(&place).filter(|answer| answer.is_live(op, now)) {
            if !answer.computed.initialized() {
                self.metrics.situation(Situation::SingleFlightShared).inc();
            }
            return answer.clone();
        }
        let answer = fresh();
        if !is_full {
            let added = askers.insert(place, answer.clone()).is_none();
            answers.count += usize::from(added);
        }
        answer
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    #[cfg(feature = "mutants")]
    fn lying_at(&self, place: Uuid) -> Lying<'_> {
        Lying {
            place,
            tenant_id: self.tenant_id,
            body: self.computed.get().map(|computed| computed.body.get()),
        }
    }

    /// Whether it may be given (again). A snapshot may while it is being made.
    fn is_live(&self, op: Op, now: Instant) -> bool {
        self.expires > now || (op == Op::Snapshot && !self.computed.initialized())
    }
}

impl Answers {
    fn retain(&mut self, mut keep: impl FnMut(&Answer) -> bool) {
        self.by_question.retain(|_, askers| {
            askers.retain(|_, answer| keep(answer));
            !askers.is_empty()
        });
        self.count = self.by_question.values().map(HashMap::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;
    use crate::gateway::protocol::json;

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);
    const LONG: Duration = Duration::from_secs(3600);

    fn cache(lifetime: Duration) -> (ResponseCache, Arc<Metrics>) {
        let metrics = Metrics::new();
        (ResponseCache::new(lifetime, Arc::clone(&metrics)), metrics)
    }

    fn user(user_id: Uuid) -> Identity {
        let (tenant_id, session_id) = (Uuid::nil(), user_id);
        Identity {
            user_id,
            tenant_id,
            session_id,
        }
    }

    fn question() -> Question {
        Question {
            op: Op::ThreadFind,
            arguments: "same".to_owned(),
        }
    }

    async fn ask(cache: &ResponseCache, asker: Uuid, answer: u32) -> String {
        let answered = cache
            .answer(&user(asker), question(), async || json(&answer))
            .await;
        answered.expect("an answer").get().to_owned()
    }

    #[tokio::test]
    async fn an_answer_lives_until_its_asker_writes_and_is_nobody_elses() {
        let (cache, metrics) = cache(LONG);
        assert_eq!(ask(&cache, ONE, 1).await, "1");
        assert_eq!(ask(&cache, ONE, 2).await, "1");
        assert_eq!(metrics.situation(Situation::CacheEqualArguments).get(), 0);
        assert_eq!(ask(&cache, TWO, 3).await, "3");
        assert_eq!(metrics.situation(Situation::CacheEqualArguments).get(), 1);
        cache.forget(TWO);
        assert_eq!(ask(&cache, ONE, 4).await, "1");
        cache.forget(ONE);
        assert_eq!(ask(&cache, ONE, 5).await, "5");
    }

    #[tokio::test]
    async fn an_answer_expires() {
        let (cache, _) = cache(Duration::ZERO);
        assert_eq!(ask(&cache, ONE, 1).await, "1");
        assert_eq!(ask(&cache, ONE, 2).await, "2");
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let (cache, _) = cache(LONG);
        let failed = cache
            .answer(&user(ONE), question(), async || Err(Failure::INTERNAL))
            .await;
        assert_eq!(
            failed.map(|answer| answer.get().to_owned()),
            Err(Failure::INTERNAL)
        );
        assert_eq!(ask(&cache, ONE, 1).await, "1");
    }

    #[tokio::test]
    async fn who_waits_shares_one_computation_but_not_one_begun_before_a_write() {
        let (cache, metrics) = cache(LONG);
        let (one, computed, gate) = (user(ONE), AtomicU32::new(0), Notify::new());
        let slow = || async {
            computed.fetch_add(1, Ordering::Relaxed);
            gate.notified().await;
            json(&"before")
        };
        let write_and_ask = async {
            cache.forget(ONE);
            let answer = ask(&cache, ONE, 7).await;
            gate.notify_one();
            answer
        };
        let (first, second, after) = tokio::join!(
            biased;
            cache.answer(&one, question(), slow),
            cache.answer(&one, question(), slow),
            write_and_ask,
        );
        for answer in [first, second] {
            assert_eq!(answer.expect("an answer").get(), "\"before\"");
        }
        assert_eq!(after, "7");
        assert_eq!(computed.into_inner(), 1);
        assert_eq!(metrics.situation(Situation::SingleFlightShared).get(), 1);
        // what was begun before the write is not kept
        assert_eq!(ask(&cache, ONE, 8).await, "7");
    }
}
