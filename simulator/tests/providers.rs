//! The simulator's primitives change nothing but the time that a run takes: the same promises hold
//! on the real ones, and the routers decide alike. `--provider both` runs more.

use meshwork_simulator::campaign::run_on_both;
use meshwork_simulator::{Options, Primitives, Scenario, run};

#[test]
fn routers_decide_alike_whatever_the_primitives() {
    for scenario in Scenario::DEALT {
        for seed in 0..3 {
            let outcome = run_on_both(scenario, seed, Options::default());
            assert_eq!(outcome.violation, None, "seed {seed} of {scenario}");
        }
    }
}

#[test]
fn other_primitives_make_other_bytes() {
    let traces = [Primitives::Simulated, Primitives::Pure].map(|primitives| {
        run(Scenario::Live, 0, Options { primitives, ..Options::default() }).trace
    });
    assert_ne!(traces[0], traces[1]);
}
