//! Durable sends to a hundred peers at once: one commit for all that is ready, against one commit
//! for each message, on a real redb store, in one run.
//!
//! `cargo bench --bench group_commit` prints both rates and their ratio, and fails below
//! [`ENOUGH`]. Each round measures both, so that a disk that changes its speed changes both. What is
//! saved is the disk's: where a sync costs next to nothing, as in memory, a commit costs what the
//! processor takes for it, the ratio says little, and no more than [`ENOUGH_OF_PROCESSOR`] is asked.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meshwork_protocols::identity::{
    AgentId, Card, CardBody, HybridSeeds, LiveKey, Root, Sequence, SigningPair, Validity,
};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::time::{Timestamp, WallTime};
use meshwork_router::{
    Command, Config, Event, Input, Meeting, Outgoing, Output, Policy, Request, Router, Stored,
    Ticket,
};
use meshwork_state::{Batch, FileWitness, Sealing, State, Unlock};

/// The ratio that is asked for.
const ENOUGH: f64 = 8.0;

/// The ratio that is asked for where a sync takes less than [`QUICK_SYNC`].
const ENOUGH_OF_PROCESSOR: f64 = 2.0;

/// As long as the processor takes for a commit of one message.
const QUICK_SYNC: Duration = Duration::from_micros(100);

/// What is written and synced to learn how long that takes, and how often.
const PAGE: usize = 4 << 10;
const SYNCS: usize = 101;

const PEERS: u16 = 100;
const ROUNDS: usize = 5;
/// Messages in a round, in groups and one by one: about a second each.
const IN_GROUPS: usize = 20_000;
const ONE_BY_ONE: usize = 2_000;
/// What gathers while a commit is under way: each peer is sent this many.
const EACH: usize = 5;
const BODY: usize = 256;

const NOW: Timestamp =
    Timestamp { monotonic: Duration::ZERO, wall: WallTime::from_secs(1_800_000_000) };

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let sync = sync(folder.path())?;
    let enough = if sync < QUICK_SYNC { ENOUGH_OF_PROCESSOR } else { ENOUGH };
    println!("a sync of this disk takes {:.3} ms", sync.as_secs_f64() * 1_000.0);
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        // A store of its own for each round: its size is the same in all.
        let mut bench = Bench::new(&folder.path().join(round.to_string()))?;
        let single = bench.rate(ONE_BY_ONE, 1)?;
        let grouped = bench.rate(IN_GROUPS, usize::from(PEERS) * EACH)?;
        println!(
            "one commit each {single:.0}/s, group commit {grouped:.0}/s, ratio {:.1}",
            grouped / single
        );
        ratios.push(grouped / single);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ROUNDS / 2).copied().ok_or("no round")?;
    println!(
        "ratio: {median:.1} (median of {ROUNDS} rounds; asked for: {ENOUGH}, or \
         {ENOUGH_OF_PROCESSOR} where a sync takes less than {} ms)",
        QUICK_SYNC.as_secs_f64() * 1_000.0
    );
    if median < enough { Err("group commit gives too little".into()) } else { Ok(()) }
}

/// How long a page takes to be safe on the disk, as a rule.
fn sync(folder: &Path) -> Result<Duration, Box<dyn Error>> {
    let mut file = File::create(folder.join("sync"))?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; PAGE])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times.get(SYNCS / 2).copied().ok_or_else(|| "no sync".into())
}

/// A router over a state, and its peers.
struct Bench {
    router: Router,
    state: Arc<State>,
    peers: Vec<AgentId>,
    tickets: u64,
}

impl Bench {
    fn new(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let provider: Arc<dyn Provider> = Arc::new(AwsLc);
        let unlock = Unlock::Key(meshwork_protocols::secret::Secret::new([7; 32]));
        let witness = FileWitness::in_folder(folder.join("witness"));
        let sealing = Sealing::new(Arc::clone(&provider));
        let state =
            State::create(&folder.join("state"), Box::new(witness), &unlock, sealing, NOW.wall)?;
        let state = Arc::new(state);
        let config = Config {
            own: card(&*provider)?.agent(),
            lineage: state.lineage(),
            restored: false,
            policy: Policy::default(),
            provider: Arc::clone(&provider),
            stored: Stored::None,
            fleet: None,
        };
        let rows = Box::new(Arc::clone(&state));
        let router = Router::restore(rows, config, provider.random(), NOW)?;
        let mut bench = Self { router, state, peers: Vec::new(), tickets: 0 };
        for _ in 0..PEERS {
            let card = Arc::new(card(&*provider)?);
            bench.peers.push(card.agent());
            bench.request(Request::Meet { card, meeting: Meeting::default() });
        }
        bench.commit()?;
        Ok(bench)
    }

    /// Sends `count` messages, `group` of them to a commit; returns how many a second.
    fn rate(&mut self, count: usize, group: usize) -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        for first in (0..count).step_by(group) {
            for number in first..first + group {
                let to = *self.peers.get(number % self.peers.len()).ok_or("no peer")?;
                self.request(Request::Send(message(to)));
            }
            self.commit()?;
        }
        Ok(count as f64 / start.elapsed().as_secs_f64())
    }

    fn request(&mut self, request: Request) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.router.handle(NOW, Input::Command(Command { ticket, request }));
    }

    /// Makes all that is ready durable in one transaction, as the driver does.
    fn commit(&mut self) -> Result<(), Box<dyn Error>> {
        let (mut ready, mut last) = (Batch::new(), None);
        while let Some(output) = self.router.poll() {
            match output {
                Output::Commit(id, batch) => {
                    ready.merge(batch);
                    last = Some(id);
                }
                Output::Event(Event::Answered { answer: Err(error), .. }) => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        if let Some(last) = last {
            self.state.commit(&ready)?;
            self.router.handle(NOW, Input::Committed(last));
        }
        // The answers, which are what the senders wait for.
        while self.router.poll().is_some() {}
        Ok(())
    }
}

fn message(to: AgentId) -> Outgoing {
    Outgoing {
        to,
        id: None,
        content_type: meshwork_protocols::wire::ContentType::default(),
        body: vec![7; BODY],
        lifetime: Duration::from_secs(60 * 60),
        ordered: false,
    }
}

fn card(provider: &dyn Provider) -> Result<Card, Box<dyn Error>> {
    let random = &mut *provider.random();
    let root = Root::from_seeds(provider, HybridSeeds::random(random))?;
    let signing_pair = SigningPair::from_seeds(provider, HybridSeeds::random(random))?;
    let live_key = LiveKey::generate(provider, random);
    let not_after = NOW.wall + Duration::from_secs(20 * 24 * 60 * 60);
    let validity = Validity { not_before: NOW.wall, not_after };
    let sequence = Sequence::new(NOW.wall.as_secs());
    let body = CardBody::new(sequence, validity, signing_pair.public().clone(), *live_key.public());
    Ok(root.sign_card(provider, body, random)?)
}
