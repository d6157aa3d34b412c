use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn plan(seed: u64, users: u32, tenants: u32) -> Plan {
    Plan::new(Scale {
        seed,
        users,
        tenants,
        replicas: 2,
        dialects: 2,
        ..Scale::default()
    })
    .unwrap()
}

fn scales() -> impl Strategy<Value = Scale> {
    (any::<u64>(), 1_u32..60, 1_u32..9, 1_u16..5, 1_u8..4, 1_u8..3).prop_map(
        |(seed, users, tenants, rounds, replicas, dialects)| Scale {
            seed,
            users,
            tenants: tenants.min(users),
            rounds,
            replicas,
            dialects,
            ..Scale::default()
        },
    )
}

proptest! {
    #[test]
    fn one_seed_is_one_workload(scale in scales()) {
        let (a, b) = (Plan::new(scale.clone()).unwrap(), Plan::new(scale).unwrap());
        prop_assert_eq!(&a, &b);
        for person in &a.people {
            let steps = |plan: &Plan| plan.steps(person.user, Round(1)).take(50).collect::<Vec<_>>();
            prop_assert_eq!(steps(&a), steps(&b));
        }
    }

    #[test]
    fn rooms_are_shared_by_two_of_one_tenant(scale in scales()) {
        let plan = Plan::new(scale).unwrap();
        for room in &plan.rooms {
            let members: Vec<_> = plan.people.iter().filter(|p| p.room == Some(room.room)).collect();
            let of_tenant = plan.people.iter().filter(|p| p.tenant == room.tenant).count();
            prop_assert_eq!(members.len(), of_tenant.min(2));
            prop_assert!(members.iter().all(|p| p.tenant == room.tenant));
            prop_assert!(members.iter().all(|p| p.user == room.owner || Some(p.user) == room.member));
            prop_assert_eq!(room.guest.is_some(), of_tenant > 2);
        }
    }

    #[test]
    fn peers_are_others_of_the_same_tenant(scale in scales()) {
        let plan = Plan::new(scale).unwrap();
        for person in &plan.people {
            let of_tenant = plan.people.iter().filter(|p| p.tenant == person.tenant).count();
            match plan.peer(person) {
                None => prop_assert_eq!(of_tenant, 1),
                Some(peer) => {
                    prop_assert_ne!(peer, person.user);
                    prop_assert_eq!(plan.people[peer.0 as usize].tenant, person.tenant);
                }
            }
        }
    }

    #[test]
    fn tenants_have_names_of_their_own(scale in scales()) {
        let plan = Plan::new(scale).unwrap();
        let slugs: HashSet<_> = plan.tenants.iter().map(|t| &t.slug).collect();
        prop_assert_eq!(slugs.len(), plan.tenants.len());
    }
}

#[test]
fn ops_of_all_users_together_come_at_the_rate() {
    let scale = Scale {
        rate: Some(1_200.0),
        duration: Duration::from_secs(10),
        ..Scale::default()
    };
    let plan = Plan::new(scale).unwrap();
    let from = At(5_000_000_000);
    let starts: Vec<At> = plan
        .people
        .iter()
        .flat_map(|person| plan.starts(person.user, Round(1), from).unwrap())
        .collect();
    assert!(starts.iter().all(|at| (from..At(15_000_000_000)).contains(at)));
    // 12,000 of a Poisson process; five standard deviations are 548
    assert!((11_452..12_548).contains(&starts.len()), "{}", starts.len());
}

#[test]
fn a_closed_loop_has_no_schedule() {
    assert!(plan(1, 12, 3).starts(User(0), Round(1), At::START).is_none());
}

#[test]
fn seeds_differ() {
    let steps = |seed| {
        plan(seed, 12, 3)
            .steps(User(0), Round(1))
            .take(50)
            .collect::<Vec<_>>()
    };
    assert_ne!(steps(1), steps(2));
    assert_ne!(plan(1, 12, 3).tenants, plan(2, 12, 3).tenants);
}

#[test]
fn members_of_a_tenant_alternate_between_gateways() {
    let plan = plan(1, 12, 3);
    for tenant in 0..3 {
        let replicas: Vec<_> = plan
            .people
            .iter()
            .filter(|p| p.tenant.0 == tenant)
            .map(|p| p.replica.0)
            .collect();
        assert!(replicas.windows(2).all(|pair| pair[0] != pair[1]), "{replicas:?}");
    }
}

#[test]
fn everybody_begins_a_round_with_a_post_and_does_everything() {
    let plan = plan(1, 12, 3);
    let steps: Vec<_> = plan.steps(User(0), Round(2)).take(2_000).collect();
    assert_eq!(steps[0], Step::Post);
    let kinds: HashSet<_> = steps.iter().collect();
    assert_eq!(kinds.len(), 12);
    let posts = steps.iter().filter(|step| **step == Step::Post).count();
    assert!(posts > 1_000, "posts are the majority: {posts}");
}

#[test]
fn every_way_to_end_a_session_and_every_dialect_occurs() {
    let plan = plan(1, 12, 3);
    let ends: HashSet<_> = plan.people.iter().filter_map(|p| p.second).collect();
    assert_eq!(ends.len(), 3);
    let dialects: HashSet<_> = plan.people.iter().map(|p| p.dialect).collect();
    assert_eq!(dialects, HashSet::from([0, 1]));
    assert!(plan.people.iter().any(|p| p.resumes));
}

#[test]
fn phases_are_numbered_and_only_rounds_are_measured() {
    let plan = plan(1, 12, 3);
    assert!(
        plan.phases
            .iter()
            .enumerate()
            .all(|(index, phase)| index == usize::from(phase.number))
    );
    let rounds: Vec<_> = plan
        .phases
        .iter()
        .filter(|phase| phase.measured)
        .map(|phase| phase.round.0)
        .collect();
    assert_eq!(rounds, [1, 2, 3]);
}

#[track_caller]
fn refuse(scale: Scale, message: &str) {
    assert_eq!(Plan::new(scale).unwrap_err().to_string(), message);
}

#[test]
fn numbers_that_will_not_do_are_named() {
    let good = Scale::default;
    refuse(
        Scale { users: 0, ..good() },
        "number of users is 0, must be 1 to 1048576",
    );
    refuse(
        Scale {
            tenants: 13,
            ..good()
        },
        "number of tenants is 13, must be 1 to 12",
    );
    refuse(
        Scale { rounds: 0, ..good() },
        "number of rounds is 0, must be 1 to 1000",
    );
    refuse(
        Scale { workers: 0, ..good() },
        "number of workers is 0, must be 1 to 1000",
    );
    refuse(
        Scale {
            rate: Some(0.0),
            ..good()
        },
        "rate is 0, must be a number of ops per second above 0",
    );
    refuse(
        Scale {
            rate: Some(f64::NAN),
            ..good()
        },
        "rate is NaN, must be a number of ops per second above 0",
    );
    refuse(
        Scale {
            duration: Duration::ZERO,
            ..good()
        },
        "duration of a round is 0, must be above",
    );
    refuse(
        Scale {
            without: vec![PhaseKind::Solo, PhaseKind::Login],
            ..good()
        },
        "phase login cannot be left out",
    );
}

#[test]
fn phases_are_left_out_and_the_others_numbered_on() {
    let kinds = |plan: &Plan| -> Vec<_> {
        assert!(
            plan.phases
                .iter()
                .zip(0..)
                .all(|(phase, number)| phase.number == number)
        );
        plan.phases.iter().map(|phase| phase.kind).collect()
    };
    let whole = kinds(&plan(7, 12, 3));
    for without in PhaseKind::optional() {
        let scale = Scale {
            without: vec![without],
            ..Scale::default()
        };
        let mut expect = whole.clone();
        expect.retain(|kind| *kind != without);
        assert_eq!(kinds(&Plan::new(scale).unwrap()), expect);
        assert_eq!(expect.len(), whole.len() - 1);
    }
}

#[test]
fn a_script_is_the_same_in_all_takes_and_its_users_are_not() {
    let scale = Scale {
        seed: 7,
        replicas: 2,
        dialects: 2,
        scripts: 2,
        ..Scale::default()
    };
    let together = Plan::new(scale).unwrap();
    let takes = [
        Some(together.clone()),
        together.alone(Take::Alone),
        together.alone(Take::AloneAgain),
        together.alone(Take::Together),
    ];
    let [Some(together), Some(alone), Some(again), None] = takes else {
        panic!("together is no take alone");
    };
    let all = [&together, &alone, &again];
    let mut users: Vec<User> = all.iter().flat_map(|plan| plan.users()).collect();
    assert_eq!(users.len(), 12 + 3 * 2);
    users.sort_unstable();
    users.dedup();
    assert_eq!(users.len(), 12 + 3 * 2, "nobody is there twice");
    let mut phases: Vec<u16> = all
        .iter()
        .flat_map(|plan| plan.phases.iter().map(|phase| phase.number))
        .collect();
    phases.dedup();
    assert_eq!(phases.len(), together.phases.len() + 2 * 2);
    for plan in [&alone, &again] {
        assert_eq!(plan.parts(), together.parts());
        assert_eq!(plan.phase(plan.first_phase()).kind, PhaseKind::Alone);
        for (subject, other) in plan.subjects.iter().zip(&together.subjects) {
            let what = |subject: &SubjectPlan| {
                let Person {
                    name,
                    replica,
                    dialect,
                    ..
                } = subject.person.clone();
                (name, replica, dialect, plan.deeds(subject.script, Round(2)))
            };
            assert_eq!(what(subject), what(other));
            assert_ne!(subject.person.tenant, other.person.tenant);
        }
    }
    let [one, other] = &together.subjects[..] else {
        panic!()
    };
    assert_ne!(one.person.replica, other.person.replica);
    assert_ne!(one.person.dialect, other.person.dialect);
    let deeds = |script, round| together.deeds(script, Round(round));
    assert_eq!(deeds(0, 1)[0], Deed::Post);
    assert_ne!(deeds(0, 1), deeds(1, 1));
    assert_ne!(deeds(0, 1), deeds(0, 2));
}
