//! Groups on published primitives: a few seeds hold, see what they are about, and are one run each.
//! `--scenario fleets` runs more.

use meshwork_simulator::checker::FleetCounts;
use meshwork_simulator::{Options, Outcome, Scenario, run};

fn outcome(seed: u64) -> Outcome {
    run(Scenario::Fleets, seed, Options::default())
}

/// Among them one with twenty members.
#[test]
fn some_seeds_of_fleets_hold_and_see_what_they_are_about() {
    let (mut sum, mut crashes, mut crowds) = (FleetCounts::default(), 0, 0);
    for seed in (0..6).chain([A_CROWD]) {
        let Outcome { violation, counts, .. } = outcome(seed);
        assert_eq!(violation, None, "seed {seed}");
        let FleetCounts { commits, races, delivered, heard, .. } = counts.fleets;
        crowds += counts.fleets.crowds;
        crashes += counts.crashes;
        sum.commits += commits;
        sum.races += races;
        sum.delivered += delivered;
        sum.heard += heard;
        sum.moves += counts.fleets.moves;
        sum.put_backs += counts.fleets.put_backs;
        sum.longest_healing = sum.longest_healing.max(counts.fleets.longest_healing);
    }
    println!("{sum:?}, {crowds} crowds, {crashes} crashes");
    assert!(sum.put_backs > 1 && sum.longest_healing > 0);
    assert!(crashes > 20 && crowds > 10);
    assert!(sum.commits > 20 && sum.races > 10 && sum.delivered > 30 && sum.heard > 10);
    assert!(sum.moves > 0);
}

#[test]
fn one_seed_of_a_fleet_is_one_run() {
    let [first, again] = [0, 1].map(|_| outcome(3));
    assert_eq!((first.trace, first.ended), (again.trace, again.ended));
    assert_ne!(first.trace, outcome(4).trace);
}

/// The first seed with twenty members.
const A_CROWD: u64 = 12;
