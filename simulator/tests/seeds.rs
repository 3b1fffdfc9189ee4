//! Twenty seeds of each scenario hold, and a seed is all that a run depends on.

use meshwork_simulator::campaign::Campaign;
use meshwork_simulator::{Options, Scenario, run};

fn twenty_seeds_hold(scenario: Scenario) {
    let options = Options::default();
    let tally = Campaign { seeds: 0..20, scenario: Some(scenario), options, compared: false }.run();
    assert_eq!(tally.failure.map(|failure| failure.to_string()), None);
}

#[test]
fn twenty_seeds_of_live_hold() {
    twenty_seeds_hold(Scenario::Live);
}

#[test]
fn twenty_seeds_of_datagram_hold() {
    twenty_seeds_hold(Scenario::Datagram);
}

#[test]
fn twenty_seeds_of_stored_hold() {
    twenty_seeds_hold(Scenario::Stored);
}

#[test]
fn twenty_seeds_of_mixed_hold() {
    twenty_seeds_hold(Scenario::Mixed);
}

#[test]
fn twenty_seeds_of_ordered_hold() {
    twenty_seeds_hold(Scenario::Ordered);
}

#[test]
fn twenty_seeds_of_strangers_hold() {
    twenty_seeds_hold(Scenario::Strangers);
}

#[test]
fn twenty_seeds_of_disk_hold() {
    twenty_seeds_hold(Scenario::Disk);
}

#[test]
fn twenty_seeds_of_deferred_hold() {
    twenty_seeds_hold(Scenario::Deferred);
}

#[test]
fn twenty_seeds_of_relays_hold() {
    twenty_seeds_hold(Scenario::Relays);
}

#[test]
fn one_seed_is_one_run_and_another_seed_another() {
    for scenario in Scenario::DEALT {
        let [first, again] = [false, true].map(|told| {
            let outcome = run(scenario, 5, Options { told, ..Options::default() });
            assert_eq!(outcome.lines.is_empty(), !told);
            (outcome.trace, outcome.decisions, outcome.ended)
        });
        assert_eq!(first, again, "{scenario}");
        assert_ne!(first.0, run(scenario, 6, Options::default()).trace, "{scenario}");
    }
}

/// A storm that does nothing shows nothing: over some seeds each kind of accident happens.
#[test]
fn every_scenario_sees_crashes_and_failed_commits_and_what_it_is_about() {
    for scenario in Scenario::DEALT {
        let outcomes: Vec<_> =
            (0..20).map(|seed| run(scenario, seed, Options::default())).collect();
        let sum = |count: fn(&meshwork_simulator::checker::Counts) -> u64| {
            outcomes.iter().map(|outcome| count(&outcome.counts)).sum::<u64>()
        };
        assert!(sum(|counts| counts.crashes) > 20, "{scenario}");
        assert!(sum(|counts| counts.failed_commits) > 5, "{scenario}");
        assert!(sum(|counts| counts.delivered) > 100, "{scenario}");
        let expires = matches!(scenario, Scenario::Ordered | Scenario::Strangers);
        let may_expire = expires || scenario == Scenario::Relays;
        assert!(sum(|counts| counts.ended) == 0 || may_expire, "{scenario}");
        assert!(sum(|counts| counts.ended) > 0 || !expires, "{scenario}");
        let through_relays = sum(|counts| counts.relays.deposits.min(counts.relays.keys));
        assert_eq!(through_relays > 50, scenario == Scenario::Relays, "{scenario}");
        let restores = sum(|counts| counts.restores) > 0;
        let is_put_back = matches!(scenario, Scenario::Stored | Scenario::Deferred);
        assert!(restores || !is_put_back, "{scenario}");
    }
}
