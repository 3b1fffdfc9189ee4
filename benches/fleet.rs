//! Messages to a group of a thousand: sealed, and made durable sixteen in one commit, on a real redb
//! store.
//!
//! `cargo bench --bench fleet` prints what one of them takes of the clock, and fails above
//! [`ENOUGH`].
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use meshwork_protocols::fleet::{
    Charter, FleetKey, Group, GroupError, Local, Offer, Plan, RowChange, Rows, Step, StoreError,
    Suite, Surroundings,
};
use meshwork_protocols::identity::{
    Card, CardBody, HybridSeeds, LiveKey, Root, Sequence, SigningPair, Validity,
};
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::{FleetProvider, Provider};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::WallTime;
use meshwork_state::{Batch, Change, FileWitness, Namespace, Rows as _, Sealing, State, Unlock};

/// Milliseconds that are asked for.
const ENOUGH: f64 = 0.3;

const MEMBERS: usize = 1_000;
const ROUNDS: usize = 200;
/// Messages in one commit.
const TOGETHER: usize = 16;
const PAYLOAD: [u8; 1_024] = [0x5a; 1_024];

const PROVIDER: &dyn FleetProvider = &AwsLc;
const NOW: WallTime = WallTime::from_secs(1_800_000_000);
const VALIDITY: Duration = Duration::from_secs(20 * 24 * 60 * 60);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (agent, mut rows) = (Agent::new()?, Pending::new(folder.path())?);
    let mut group = agent.found(&mut rows)?;
    rows.commit()?;
    let (mut sealed, mut durable) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for number in 0..TOGETHER {
            agent.send(&mut group, &mut rows, number)?;
        }
        sealed.push(start.elapsed());
        rows.commit()?;
        durable.push(start.elapsed());
    }
    let [sealed, durable] = [sealed, durable].map(median);
    println!("a message of 1 KiB to {MEMBERS} members, {TOGETHER} in one commit:");
    println!("sealed {sealed:.3} ms; sealed and durable {durable:.3} ms (asked for: {ENOUGH})");
    if durable > ENOUGH { Err("a durable message takes too long".into()) } else { Ok(()) }
}

/// Of each message, in milliseconds.
fn median(mut rounds: Vec<Duration>) -> f64 {
    rounds.sort_unstable();
    let middle = rounds.get(rounds.len() / 2).copied().unwrap_or_default();
    middle.as_secs_f64() * 1e3 / TOGETHER as f64
}

struct Agent {
    card: Card,
    key: FleetKey,
    pair: SigningPair,
}

impl Agent {
    fn new() -> Result<Self, Box<dyn Error>> {
        let provider: &dyn Provider = PROVIDER;
        let random = &mut *provider.random();
        let root = Root::from_seeds(provider, HybridSeeds::random(random))?;
        let pair = SigningPair::from_seeds(provider, HybridSeeds::random(random))?;
        let key = FleetKey::generate(provider, random)?;
        let live = LiveKey::generate(provider, random);
        let validity = Validity { not_before: NOW, not_after: NOW + VALIDITY };
        let sequence = Sequence::new(NOW.as_secs());
        let mut body = CardBody::new(sequence, validity, pair.public().clone(), *live.public());
        body.fleet_key = Some(key.public().to_vec());
        Ok(Self { card: root.sign_card(provider, body, random)?, key, pair })
    }

    const fn local(&self) -> Local<'_> {
        Local { card: &self.card, key: &self.key, pair: &self.pair }
    }

    /// What others add it with. Its own rows are of no use here.
    fn offer(&self, rows: &Pending) -> Result<Offer, Box<dyn Error>> {
        let random = &mut *PROVIDER.random();
        Ok(Offer::make(&mut around(rows, random), &self.local(), NOW + VALIDITY, false)?.output)
    }

    /// A group to which all others were added at once.
    fn found(&self, rows: &mut Pending) -> Result<Group, Box<dyn Error>> {
        let others: Vec<_> = (1..MEMBERS).map(|_| Self::new()).collect::<Result<_, _>>()?;
        let offers = others.iter().map(|other| other.offer(rows)).collect::<Result<Vec<_>, _>>()?;
        let charter = Charter::of_founder(self.card.agent());
        let mut group = rows.run(|around| Group::create(around, &self.local(), &charter))?;
        let plan = Plan { add: &offers, rotate: true, ..Plan::default() };
        rows.run(|around| group.commit(around, &self.local(), &plan))?;
        rows.run(|around| group.merge(around))?;
        Ok(group)
    }

    /// Seals a message, whose entry waits beside the keys for its append.
    fn send(
        &self,
        group: &mut Group,
        rows: &mut Pending,
        number: usize,
    ) -> Result<(), Box<dyn Error>> {
        let entry = rows.run(|around| group.seal(around, &self.local(), &PAYLOAD))?.encode();
        rows.batch.put(Namespace::Group, number.to_be_bytes(), SecretBytes::new(entry));
        Ok(())
    }
}

/// A store, and what is to be made durable in it next.
struct Pending {
    state: State,
    batch: Batch,
}

impl Pending {
    fn new(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let unlock = Unlock::Key(meshwork_protocols::secret::Secret::new([7; 32]));
        let witness = FileWitness::in_folder(folder.join("witness"));
        let sealing = Sealing::new(std::sync::Arc::new(AwsLc));
        let state = State::create(&folder.join("state"), Box::new(witness), &unlock, sealing, NOW)?;
        Ok(Self { state, batch: Batch::new() })
    }

    /// Runs an operation, whose rows wait.
    fn run<T>(
        &mut self,
        operation: impl FnOnce(&mut Surroundings<'_>) -> Result<Step<T>, GroupError>,
    ) -> Result<T, GroupError> {
        let random = &mut *PROVIDER.random();
        let Step { output, changes } = operation(&mut around(self, random))?;
        for RowChange { key, value } in changes {
            match value {
                Some(value) => self.batch.put(Namespace::Fleet, key, value),
                None => self.batch.delete(Namespace::Fleet, key),
            }
        }
        Ok(output)
    }

    fn commit(&mut self) -> Result<(), Box<dyn Error>> {
        self.state.commit(&std::mem::take(&mut self.batch))?;
        Ok(())
    }
}

impl Rows for Pending {
    fn get(&self, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        match self.batch.change(Namespace::Fleet, key) {
            Some(Change::Put(value)) => Ok(Some(value.clone())),
            Some(Change::Delete) => Ok(None),
            None => self.state.get(Namespace::Fleet, key).map_err(|_| StoreError::Unreadable),
        }
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pending(..)")
    }
}

fn around<'a>(rows: &'a Pending, random: &'a mut dyn Random) -> Surroundings<'a> {
    Surroundings { provider: PROVIDER, rows, random, now: NOW, suite: Suite::default() }
}
