//! The simulator's primitives change nothing but the time that a run takes: the same promises hold
//! on the real ones, and the routers decide alike.

use meshwork_simulator::{Options, Primitives, Scenario, run};

/// Bits that the network turns are left out: a turned bit of a key is refused at another step by
/// another provider, and no router decides that.
fn decide_alike(seeds: std::ops::Range<u64>) {
    for scenario in Scenario::ALL {
        for seed in seeds.clone() {
            let [simulated, pure] = [Primitives::Simulated, Primitives::Pure].map(|primitives| {
                let without_corruption = true;
                let options = Options { primitives, without_corruption, ..Options::default() };
                run(scenario, seed, options)
            });
            assert_eq!(simulated.violation, None, "seed {seed} of {scenario}");
            assert_eq!(pure.violation, None, "seed {seed} of {scenario}, pure");
            assert_eq!(simulated.counts, pure.counts, "seed {seed} of {scenario}");
            assert_eq!(simulated.decisions, pure.decisions, "seed {seed} of {scenario}");
            assert_ne!(simulated.trace, pure.trace, "the bytes differ");
        }
    }
}

#[test]
fn routers_decide_alike_whatever_the_primitives() {
    decide_alike(0..3);
}

#[test]
#[ignore = "takes a minute or two; `.ci/nightly` runs it"]
fn routers_decide_alike_over_a_hundred_seeds_of_each_scenario() {
    decide_alike(0..100);
}
