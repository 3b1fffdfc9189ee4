//! CPU time of this thread, for several contenders in turn.
//!
//! The machine is shared and its clock wanders, so contenders take turns within each round, a round
//! gives one ratio, and the median of the rounds is what counts. Knows nothing of what runs.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Failure;

/// Something to measure: a name, and one unit of work.
pub struct Contender<'a> {
    name: &'static str,
    work: Box<dyn FnMut() -> Result<(), Failure> + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender.
    pub fn new(name: &'static str, work: impl FnMut() -> Result<(), Failure> + 'a) -> Self {
        Self { name, work: Box::new(work) }
    }
}

/// How often.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Ratios are taken of each round.
    pub rounds: usize,
    /// Turns of each contender in a round.
    pub turns: usize,
}

/// What was measured: for each contender the time of a unit in each round, in seconds.
pub struct Times {
    names: Vec<&'static str>,
    rounds: Vec<Vec<f64>>,
}

impl Times {
    /// Lets all contenders run in turns, after one round that counts for nothing.
    pub fn measure(plan: Plan, mut contenders: Vec<Contender<'_>>) -> Result<Self, Failure> {
        round(plan.turns, &mut contenders)?;
        let rounds = (0..plan.rounds)
            .map(|_| round(plan.turns, &mut contenders))
            .collect::<Result<_, _>>()?;
        Ok(Self { names: contenders.iter().map(|contender| contender.name).collect(), rounds })
    }

    /// The median over the rounds of what `figure` makes of the times of one.
    pub fn median(&self, figure: impl Fn(&[f64]) -> f64) -> f64 {
        let mut figures: Vec<_> = self.rounds.iter().map(|round| figure(round)).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    }

    /// The median time of a unit of each contender, by name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.names.iter().enumerate().map(|(at, name)| (*name, self.median(|round| round[at])))
    }
}

fn round(turns: usize, contenders: &mut [Contender<'_>]) -> Result<Vec<f64>, Failure> {
    let mut spent = vec![Duration::ZERO; contenders.len()];
    for _ in 0..turns {
        for (contender, spent) in contenders.iter_mut().zip(&mut spent) {
            let start = cpu_time();
            (contender.work)()?;
            *spent += cpu_time() - start;
        }
    }
    Ok(spent.into_iter().map(|spent| spent.as_secs_f64() / turns as f64).collect())
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}
