//! Watches the services as long as a run uses them: who dies, and who does not answer any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use history::{At, Fact};
use session::Clock;
use tokio::time::{Instant, timeout_at};

use crate::stack::Stack;

/// How often the services are asked whether they are well.
const EVERY: Duration = Duration::from_secs(1);
/// How long one may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Answers in a row that fail to come before a service counts as lost.
const MISSES: u32 = 2;
/// How long the guard may take to tell of a death.
const TOLD_WITHIN: Duration = Duration::from_millis(500);
/// How long a run goes on after it has lost a service: leaks that a failure lays open are worth seeing, and the rest of the
/// plan can prove nothing any more.
const AFTERMATH: Duration = Duration::from_secs(5);

/// A service that died or fell silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) at: At,
    pub(crate) name: String,
    pub(crate) detail: String,
}

impl Loss {
    /// As the history keeps it.
    pub(crate) fn fact(&self) -> Fact<'_> {
        Fact::ServiceDied {
            name: self.name.as_str().into(),
            detail: self.detail.as_str().into(),
        }
    }
}

/// What is known of the services' health.
pub(crate) struct Vigil<'a> {
    stack: &'a Stack,
    clock: Clock,
    misses: BTreeMap<&'a str, u32>,
    lost: BTreeSet<String>,
    untold: Vec<Loss>,
}

impl<'a> Vigil<'a> {
    pub(crate) fn new(stack: &'a Stack, clock: Clock) -> Self {
        Self {
            stack,
            clock,
            misses: BTreeMap::new(),
            lost: BTreeSet::new(),
            untold: Vec::new(),
        }
    }

    /// Whether the service is lost.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        self.lost.contains(name)
    }

    /// The losses that were not taken before.
    pub(crate) fn take(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.untold)
    }

    /// Watches until a service has been lost for as long as a run may go on after that.
    pub(crate) async fn any(&mut self) {
        self.watch(|lost| !lost.is_empty()).await;
        // who else is lost meanwhile is worth knowing
        let _ = tokio::time::timeout(AFTERMATH, self.watch(|_| false)).await;
    }

    /// Watches until this service is lost.
    pub(crate) async fn only(&mut self, name: &str) {
        self.watch(|lost| lost.contains(name)).await;
    }

    /// Asks everybody once more: who does not answer now is lost. One that is `blamed` for something is given the time to be told dead: a
    /// connection that was open already may answer for a moment after its server's death.
    pub(crate) async fn roll_call(&mut self, blamed: &BTreeSet<String>) {
        let mut deaths = self.stack.watch_deaths();
        self.note_deaths();
        let silent = self.stack.silent(ANSWER_WITHIN, &self.lost).await;
        // a connection breaks before a death is told, which says more
        let told = Instant::now() + TOLD_WITHIN;
        let suspects = || blamed.iter().map(String::as_str).chain(silent.iter().copied());
        while suspects().any(|name| !self.lacks(name))
            && let Ok(Ok(())) = timeout_at(told, deaths.changed()).await
        {
            self.note_deaths();
        }
        for name in silent {
            self.lose(
                name,
                format!("did not answer within {} s", ANSWER_WITHIN.as_secs()),
            );
        }
    }

    async fn watch(&mut self, enough: impl Fn(&BTreeSet<String>) -> bool) {
        let mut deaths = self.stack.watch_deaths();
        let mut next = Instant::now();
        loop {
            self.note_deaths();
            if enough(&self.lost) {
                return;
            }
            let (stack, lost) = (self.stack, &self.lost);
            let ask = async {
                tokio::time::sleep_until(next).await;
                stack.silent(ANSWER_WITHIN, lost).await
            };
            tokio::select! {
                Ok(()) = deaths.changed() => {}
                silent = ask => {
                    self.note_silence(&silent);
                    next = Instant::now() + EVERY;
                }
            }
        }
    }

    fn note_deaths(&mut self) {
        for death in self.stack.deaths() {
            self.lose(&death.name, death.exit.to_string());
        }
    }

    fn note_silence(&mut self, silent: &[&'a str]) {
        self.misses.retain(|name, _| silent.contains(name));
        for name in silent {
            let misses = self.misses.entry(name).or_default();
            *misses += 1;
            if *misses >= MISSES {
                let waited = ANSWER_WITHIN.as_secs();
                self.lose(
                    name,
                    format!("did not answer {MISSES} times in a row within {waited} s"),
                );
            }
        }
    }

    fn lose(&mut self, name: &str, what: String) {
        if self.lost.insert(name.to_owned()) {
            let at = self.clock.now();
            let seconds = at.since(At::START) as f64 / 1e9;
            self.untold.push(Loss {
                at,
                name: name.to_owned(),
                detail: format!("{what}, {seconds:.1} s into the run"),
            });
        }
    }
}
