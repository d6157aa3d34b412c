//! Servers that the predecessor of this tool passed: a run against each ends in bounded time and proves nothing.

mod driving;
mod servers;

use std::time::{Duration, Instant};

use driving::{BOUND, against, one, proves_nothing, quick, reference, run, run_on};
use history::{Check, Fact};
use isolation::State;
use servers::{Manner, Servers};
use session::plan::{Plan, Scale};
use session::profile::{Action, Profile};
use session::{Drive, DriveError, Progress, drive};
use tokio::sync::watch;

#[test]
fn nothing_listens() {
    let nowhere = Servers::nowhere();
    let (_raise, interrupt) = watch::channel(false);
    let run = run(
        format!("http://{nowhere}"),
        nowhere.to_string(),
        Duration::from_millis(50),
        interrupt,
    );
    proves_nothing(&run.judgement, "start barrier: 12 users");
}

#[test]
fn silent() {
    proves_nothing(&against(Manner::Silent), "start barrier: 12 users");
}

#[test]
fn closes() {
    proves_nothing(&against(Manner::Closes), "start barrier: 12 users");
}

#[test]
fn errors() {
    proves_nothing(&against(Manner::Errors), "start barrier: 12 users");
}

/// How many users had something end as cancelled that they had not cancelled, where all does.
fn ended_as_cancelled(profile: Profile) -> usize {
    let servers = Servers::start(Manner::Cancels);
    let services = (servers.auth.clone(), servers.gateway.clone());
    let (_raise, interrupt) = watch::channel(false);
    let scale = Scale {
        rounds: 1,
        ..Scale::default()
    };
    let judgement = run_on(profile, scale, quick(), services, interrupt).judgement;
    proves_nothing(&judgement, "start barrier: 12 users");
    let found = judgement.findings.iter();
    found
        .filter(|found| found.detail.ends_with(" ended as cancelled"))
        .count()
}

#[test]
fn cancels() {
    assert_eq!(ended_as_cancelled(reference()), 12);
}

#[test]
fn cancels_where_that_may_mean_anything() {
    let mut profile = reference();
    for dialect in &mut profile.dialects {
        dialect.ops.remove(&Action::Cancel);
    }
    assert_eq!(ended_as_cancelled(profile), 0);
}

#[test]
fn same_for_all() {
    let judgement = against(Manner::SameForAll);
    proves_nothing(&judgement, "");
    assert_eq!(judgement.overall(), State::Violated);
    assert_eq!(judgement.verdict(Check::Thread).state, State::Violated);
}

#[test]
fn one_by_one() {
    proves_nothing(&against(Manner::OneByOne), "start barrier: 11 users");
}

#[test]
fn dies_in_mid_run() {
    let servers = Servers::start(Manner::SameForAll);
    let (_raise, interrupt) = watch::channel(false);
    let (auth, gateway) = (servers.auth.clone(), servers.gateway.clone());
    let driving = std::thread::spawn(move || run(auth, gateway, Duration::from_secs(2), interrupt));
    servers.wait_for_posts(100);
    drop(servers);
    let run = driving.join().expect("no panic");
    proves_nothing(&run.judgement, "");
}

/// A person of a tenant that the plan does not have breaks the task that plays it.
#[test]
fn a_panic_ends_the_run_and_what_was_seen_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let servers = Servers::start(Manner::SameForAll);
    let mut plan = Plan::new(Scale::default()).expect("a plan");
    plan.people[3].tenant = history::Tenant(99);
    let broken = plan.people[3].worker + session::LEADER + 1;
    let workers = usize::from(plan.scale.workers);
    let (progress, reached) = watch::channel(Progress::default());
    let services = (servers.auth.clone(), servers.gateway.clone());
    let driven = drive(Drive {
        progress,
        ..one(plan, reference(), services, folder.path())
    })
    .expect("it began");
    let [DriveError::Panicked { worker }] = driven.broken[..] else {
        panic!("{:?}", driven.broken)
    };
    assert_eq!(worker, broken);
    assert_eq!(driven.seals.len(), workers + 1, "every history is whole");
    assert_eq!(reached.borrow().phase, "login", "no phase is begun after that");
    assert!(!driven.interrupted);
}

#[test]
fn an_interrupt_ends_it_in_order() {
    let servers = Servers::start(Manner::SameForAll);
    let (raise, interrupt) = watch::channel(false);
    let (auth, gateway) = (servers.auth.clone(), servers.gateway.clone());
    let began = Instant::now();
    let driving = std::thread::spawn(move || run(auth, gateway, BOUND, interrupt));
    servers.wait_for_posts(100);
    raise.send_replace(true);
    let run = driving.join().expect("no panic");
    assert!(run.interrupted);
    assert!(began.elapsed() < BOUND, "the round was not waited for");
}

#[test]
fn what_a_dying_connection_had_begun_to_say_is_judged() {
    let folder = tempfile::tempdir().expect("a folder");
    let servers = Servers::start(Manner::CutsOff);
    let scale = Scale {
        users: 1,
        tenants: 1,
        rounds: 1,
        workers: 1,
        duration: Duration::from_millis(1),
        ..Scale::default()
    };
    let (plan, services) = (
        Plan::new(scale).expect("a plan"),
        (servers.auth.clone(), servers.gateway.clone()),
    );
    drive(one(plan, reference(), services, folder.path())).expect("the harness did its work");
    let file = std::fs::File::open(folder.path().join("history/worker-2.events")).expect("a history");
    let mut reader = history::SegmentReader::open(file).expect("a segment");
    let mut partial = None;
    while let Some((_, event)) = reader.next().expect("an event") {
        if let Fact::Inbound(inbound) = event.fact
            && inbound.source == history::Source::Partial
        {
            partial = Some(inbound.bytes.into_owned());
        }
    }
    assert_eq!(partial.as_deref(), Some(&br#"{"ev":"cut o"#[..]));
}
