//! Fleets of a thousand: what members spend on what they do, beside plain openmls with its own
//! provider and store in memory, in the same suite, and beside `mls-rs` on aws-lc, whose X-Wing is
//! one of its own.
//!
//! Each side builds the same group: a member of each four adds the next four with a commit of its
//! own, so that the tree is as full as after the updates that follow a mass addition. Proofs of entry
//! are what only we have, and are shown beside.

mod mls_rs;
mod ours;
mod plain;

use std::cell::RefCell;
use std::time::Instant;

use crate::Failure;
use crate::bar::Bar;
use crate::stopwatch::{Contender, Plan, Times};

/// Members of the group.
const SIZE: usize = 1_000;

/// How many each commit adds while the group is built: one of so many members commits.
const ADDED: usize = 4;

/// What is sealed.
const PAYLOAD: [u8; 1024] = [0x5a; 1024];

/// One implementation, with two members of a full group, an admin that adds all at once, and one
/// whom it added.
trait Side: Sized {
    /// Builds all of it.
    fn build(size: usize) -> Result<Self, Failure>;

    /// One member draws new keys, and merges its commit, which is kept.
    fn update(&mut self) -> Result<(), Failure>;

    /// The other member processes the next of these commits and merges it.
    fn follow(&mut self) -> Result<(), Failure>;

    /// All are added at once, in a commit that is then given up.
    fn mass_add(&mut self) -> Result<(), Failure>;

    /// Joins by the Welcome of such a commit, and forgets it.
    fn join(&mut self) -> Result<(), Failure>;

    /// Reads the group from the store.
    fn load(&mut self) -> Result<(), Failure>;

    /// Seals a message.
    fn seal(&mut self) -> Result<(), Failure>;
}

/// Runs the comparison.
pub fn compare() -> Result<Vec<Bar>, Failure> {
    let own = RefCell::new(built::<ours::Ours>("ours")?);
    let plain = RefCell::new(built::<plain::Plain>("plain openmls")?);
    let other = RefCell::new(built::<mls_rs::MlsRs>("mls-rs")?);
    let measure = |what, plan, step: Step| {
        let times = Times::measure(
            plan,
            vec![
                Contender::new("ours", || step.ours(&mut own.borrow_mut())),
                Contender::new("plain openmls", || step.plain(&mut plain.borrow_mut())),
                Contender::new("mls-rs, aws-lc", || step.mls_rs(&mut other.borrow_mut())),
            ],
        )?;
        for (name, time) in times.each() {
            println!("  {:<64} {:>8.3} ms", format!("{what}: {name}"), time * 1e3);
        }
        Ok::<_, Failure>(times)
    };
    let ratio = |times: &Times| times.median(|round| round[0] / round[1]);
    let mut bars = Vec::new();
    for (what, plan, step) in STEPS {
        let times = measure(what, plan, step)?;
        bars.push(match step {
            Step::Seal => {
                Bar::at_most(0.1, "seal a message of 1 KiB, ms", times.median(|t| t[0] * 1e3))
            }
            _ => Bar::at_most(1.1, what, ratio(&times)),
        });
    }
    bars.extend(own.borrow_mut().proofs()?);
    Ok(bars)
}

fn built<S: Side>(name: &str) -> Result<S, Failure> {
    let start = Instant::now();
    let side = S::build(SIZE)?;
    println!("  {:<64} {:>8.1} s", format!("{name}: built"), start.elapsed().as_secs_f64());
    Ok(side)
}

#[derive(Clone, Copy)]
enum Step {
    Update,
    Follow,
    MassAdd,
    Join,
    Load,
    Seal,
}

impl Step {
    fn ours(self, side: &mut ours::Ours) -> Result<(), Failure> {
        self.run(side)
    }

    fn plain(self, side: &mut plain::Plain) -> Result<(), Failure> {
        self.run(side)
    }

    fn mls_rs(self, side: &mut mls_rs::MlsRs) -> Result<(), Failure> {
        self.run(side)
    }

    fn run(self, side: &mut impl Side) -> Result<(), Failure> {
        match self {
            Self::Update => side.update(),
            Self::Follow => side.follow(),
            Self::MassAdd => side.mass_add(),
            Self::Join => side.join(),
            Self::Load => side.load(),
            Self::Seal => side.seal(),
        }
    }
}

/// As many updates as are then followed.
const UPDATES: Plan = Plan { rounds: 7, turns: 3 };

const STEPS: [(&str, Plan, Step); 6] = [
    ("self-update, create and merge / plain openmls", UPDATES, Step::Update),
    ("process and merge / plain openmls", UPDATES, Step::Follow),
    ("add 999 at once / plain openmls", Plan { rounds: 3, turns: 1 }, Step::MassAdd),
    ("join / plain openmls", Plan { rounds: 7, turns: 1 }, Step::Join),
    ("load / plain openmls", Plan { rounds: 7, turns: 1 }, Step::Load),
    ("seal", Plan { rounds: 11, turns: 100 }, Step::Seal),
];
