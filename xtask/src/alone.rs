//! The takes alone: each on services of its own that nobody has used, with one subject there after the other.

use std::time::Instant;

use anyhow::{Context as _, Result};
use history::Take;
use services::Guard;
use session::plan::Plan;
use session::profile::Profile;
use session::{Driven, LEADER};
use tokio::sync::watch;

use crate::log::Log;
use crate::stack::{Chat, Stack};
use crate::trial::Trial;

/// The takes, and what their services are called.
const TAKES: [(Take, &str); 2] = [(Take::Alone, "alone-"), (Take::AloneAgain, "alone-again-")];

/// What takes are made with.
#[derive(Clone, Copy)]
pub(crate) struct Bench<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) guard: &'a Guard,
    pub(crate) profile: &'a Profile,
    pub(crate) epoch: Instant,
}

impl Trial<'_> {
    /// Drives the subjects alone, twice; what could not be done is trouble.
    pub(crate) async fn alone(self, bench: Bench<'_>, log: &mut Log) -> Vec<Driven> {
        let mut all = Vec::new();
        if !self.settings.differential {
            return all;
        }
        for (number, (take, prefix)) in (1..).zip(TAKES) {
            if self.interrupt.seen().is_some() {
                break;
            }
            self.progress.stage("driving the subjects alone");
            let driven = self.alone_once(bench, number, (take, prefix), log).await;
            all.extend(log.survive("driving the subjects alone", driven));
        }
        all
    }

    async fn alone_once(
        self,
        bench: Bench<'_>,
        number: u16,
        (take, prefix): (Take, &str),
        log: &mut Log,
    ) -> Result<Driven> {
        let Bench { stack, guard, .. } = bench;
        let together = self.plan(bench.profile)?;
        let plan = together.alone(take).context("there is no such take alone")?;
        let from = log.clock.now();
        let chat = stack.beside(guard, self.wanted(), prefix).await?;
        log.stage("start", from);
        // above the numbers of all who drive together, and of those who drove alone before
        let leader = LEADER + (1 + together.scale.workers) + (number - 1) * (1 + plan.scale.workers);
        let driven = self.driven_alone(bench, &chat, plan, leader).await;
        let from = log.clock.now();
        let stopped = chat.stop().await;
        log.stage("stop", from);
        log.survive("stopping the services of a take alone", stopped);
        driven
    }

    async fn driven_alone(self, bench: Bench<'_>, chat: &Chat, plan: Plan, leader: u16) -> Result<Driven> {
        let (call_off, interrupt) = watch::channel(false);
        let progress = watch::channel(session::Progress::default()).0;
        let target = chat.target(bench.profile.clone());
        let drive = self.drive_of(plan, target, leader, bench.epoch, (progress, interrupt));
        let mut driving = tokio::task::spawn_blocking(move || session::drive(drive));
        let mut raised = self.interrupt.flag();
        loop {
            tokio::select! {
                driven = &mut driving => return Ok(driven.context("the drive broke")??),
                Ok(_) = raised.wait_for(|raised| *raised), if !*call_off.borrow() => {
                    call_off.send_replace(true);
                }
            }
        }
    }
}
