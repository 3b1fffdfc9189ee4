//! Many seeds, on all cores: what each scenario came to, and the first promise that was not kept.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::checker::{Counts, FleetCounts, Violation};
use crate::scenario::Scenario;
use crate::world::{Options, Outcome, Primitives, run};

/// Many seeds.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// The scenario of all of them; else they are dealt over the scenarios, one after the other.
    pub scenario: Option<Scenario>,
    /// How each is run.
    pub options: Options,
    /// Whether each is run on both kinds of primitives, to see that the routers decide alike.
    pub compared: bool,
}

/// What many seeds came to.
#[derive(Debug, Default)]
pub struct Tally {
    scenarios: BTreeMap<Scenario, Sum>,
    /// Of the promises that were not kept, that of the lowest seed.
    pub failure: Option<Failure>,
}

/// A promise that was not kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// In which run.
    pub seed: u64,
    /// Of which scenario.
    pub scenario: Scenario,
    /// Which.
    pub violation: Violation,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    seeds: u64,
    counts: Counts,
    took: Duration,
}

impl Campaign {
    /// Runs all seeds, or until a promise was not kept.
    pub fn run(&self) -> Tally {
        let (next, failed) = (AtomicU64::new(self.seeds.start), AtomicBool::new(false));
        let tally = Mutex::new(Tally::default());
        let work = || {
            while !failed.load(Ordering::Relaxed) {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if !self.seeds.contains(&seed) {
                    return;
                }
                let scenario = self.scenario.unwrap_or_else(|| Scenario::of(seed));
                let begun = Instant::now();
                let outcome = self.run_one(scenario, seed);
                failed.fetch_or(outcome.violation.is_some(), Ordering::Relaxed);
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                tally.add(scenario, seed, &outcome, begun.elapsed());
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get) {
                scope.spawn(work);
            }
        });
        tally.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_one(&self, scenario: Scenario, seed: u64) -> Outcome {
        if self.compared {
            run_on_both(scenario, seed, self.options)
        } else {
            run(scenario, seed, self.options)
        }
    }
}

/// Runs one seed on both kinds of primitives, whose routers must decide alike where that can be
/// compared. Bits that the network turns are left out: a turned bit of a key is refused at another
/// step by another provider, and no router decides that.
pub fn run_on_both(scenario: Scenario, seed: u64, options: Options) -> Outcome {
    let [simulated, mut pure] = [Primitives::Simulated, Primitives::Pure].map(|primitives| {
        run(scenario, seed, Options { primitives, without_corruption: true, ..options })
    });
    let alike = simulated.decisions == pure.decisions && simulated.counts == pure.counts;
    let differ = (scenario.is_comparable() && !alike).then_some(Violation::DecidedDifferently);
    pure.violation = simulated.violation.or(pure.violation).or(differ);
    pure
}

impl Tally {
    /// What happened in groups.
    pub fn fleets(&self) -> FleetCounts {
        let sum = self.scenarios.get(&Scenario::Fleets);
        sum.map(|sum| sum.counts.fleets).unwrap_or_default()
    }

    fn add(&mut self, scenario: Scenario, seed: u64, outcome: &Outcome, took: Duration) {
        let sum = self.scenarios.entry(scenario).or_default();
        sum.seeds += 1;
        sum.took += took;
        sum.counts.add(&outcome.counts);
        let earlier = self.failure.as_ref().is_some_and(|failure| failure.seed < seed);
        if let Some(violation) = outcome.violation.clone().filter(|_| !earlier) {
            self.failure = Some(Failure { seed, scenario, violation });
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = ["seeds", "crashes", "put back", "accepted", "in inbox", "ended", "commits"];
        write!(f, "{:10}", "scenario")?;
        titles.iter().try_for_each(|title| write!(f, "{title:>10}"))?;
        writeln!(f, "{:>12}", "ms a seed")?;
        let mut all = Sum::default();
        for (scenario, sum) in &self.scenarios {
            writeln!(f, "{scenario:10}{sum}")?;
            all.seeds += sum.seeds;
            all.took += sum.took;
            all.counts.add(&sum.counts);
        }
        writeln!(f, "{:10}{all}", "all")
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { crashes, restores, accepted, delivered, ended, commits, .. } = self.counts;
        for number in [self.seeds, crashes, restores, accepted, delivered, ended, commits] {
            write!(f, "{number:>10}")?;
        }
        let seeds = u32::try_from(self.seeds).unwrap_or(u32::MAX).max(1);
        write!(f, "{:>12.1}", (self.took / seeds).as_secs_f64() * 1_000.0)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, scenario, violation } = self;
        writeln!(f, "seed {seed} of {scenario}: {violation}")?;
        write!(f, "to replay: cargo run --release -p meshwork-simulator -- --seed {seed}")?;
        let is_dealt = *scenario == Scenario::of(*seed);
        if is_dealt { Ok(()) } else { write!(f, " --scenario {scenario}") }
    }
}
