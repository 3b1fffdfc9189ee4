//! An agent: its card, its keys, its rows and its group.

use std::time::Duration;

use meshwork_protocols::fleet::{
    Charter, Credential, FleetKey, Group, GroupError, Invitation, KnownCards, Local, LogEntry,
    MemoryRows, Offer, Plan, Received, Step, Suite, Surroundings, Welcome,
};
use meshwork_protocols::identity::{
    AgentId, Card, CardBody, HybridSeeds, LiveKey, Purpose, Root, Sequence, SigningPair,
    Unverified, Validity,
};
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{FleetProvider, Provider};
use meshwork_protocols::random::Random;
use meshwork_protocols::time::WallTime;
use serde_json::{Value, json};

use crate::command::{CommandError, hex};

/// The provider that honours a given randomness in all that it does.
const PROVIDER: &dyn FleetProvider = &Pure;

/// When all of it happens.
const NOW: WallTime = WallTime::from_secs(1_800_000_000);

const VALIDITY: Duration = Duration::from_secs(20 * 24 * 60 * 60);

#[derive(Debug)]
pub(crate) struct Agent {
    suite: Suite,
    card: Card,
    pair: SigningPair,
    /// A stranger's is on the other side.
    key: Option<FleetKey>,
    rows: MemoryRows,
    random: Drawn,
    offer: Option<Offer>,
    group: Option<Group>,
}

/// A commit that was merged.
pub(crate) struct Merged {
    pub(crate) bytes: Vec<u8>,
    pub(crate) welcomes: Vec<Welcome>,
}

impl Agent {
    /// An agent, and a stranger where its public fleet key is given.
    pub(crate) fn new(
        suite: Suite,
        number: u8,
        public: Option<Vec<u8>>,
    ) -> Result<Self, CommandError> {
        let provider: &dyn Provider = PROVIDER;
        let mut random = Drawn { number, block: 0 };
        let root = Root::from_seeds(provider, HybridSeeds::random(&mut random))?;
        let pair = SigningPair::from_seeds(provider, HybridSeeds::random(&mut random))?;
        let live = LiveKey::generate(provider, &mut random);
        let key = match public {
            Some(_) => None,
            None => Some(FleetKey::generate(provider, &mut random)?),
        };
        let validity = Validity { not_before: NOW, not_after: NOW + VALIDITY };
        let sequence = Sequence::new(NOW.as_secs());
        let mut body = CardBody::new(sequence, validity, pair.public().clone(), *live.public());
        body.fleet_key = public.or_else(|| key.as_ref().map(|key| key.public().to_vec()));
        let card = root.sign_card(provider, body, &mut random)?;
        let rows = MemoryRows::default();
        Ok(Self { suite, card, pair, key, rows, random, offer: None, group: None })
    }

    pub(crate) const fn card(&self) -> &Card {
        &self.card
    }

    pub(crate) fn agent(&self) -> AgentId {
        self.card.agent()
    }

    pub(crate) fn credential(&self) -> Vec<u8> {
        Credential::of(&self.card).encode().to_vec()
    }

    /// Answers for a key package that a stranger made: its offer, put together from what
    /// docs/wire-format.md says.
    pub(crate) fn vouch(&mut self, package: &[u8]) -> Result<(), CommandError> {
        let provider: &dyn Provider = PROVIDER;
        let times = [NOW.as_millis(), (NOW + VALIDITY).as_millis()].map(u64::to_be_bytes).concat();
        let (agent, card) = (self.agent(), self.card.hash());
        let hash = provider.digest(&[package]);
        let ids = [agent.as_bytes().as_slice(), card.as_bytes()].concat();
        let signed = [ids.as_slice(), &hash, &times, &[0]].concat();
        let signature = self.pair.sign(Purpose::KeyPackage, &signed, &mut self.random)?;
        let bytes = [&[1], ids.as_slice(), &times, &[0], signature.as_bytes(), package].concat();
        let parsed = Unverified::<Offer>::parse(provider, &bytes)?;
        let card = self.card.clone();
        let offer = parsed.verify(&mut self.around(), &card)?;
        self.offer = Some(offer);
        Ok(())
    }

    /// Makes a key package of one's own.
    pub(crate) fn package(&mut self) -> Result<Vec<u8>, CommandError> {
        let Self { suite, card, pair, key, rows, random, .. } = self;
        let local = Local { card, key: key.as_ref().ok_or(CommandError::NotThere)?, pair };
        let mut around = surroundings(*suite, rows, random);
        let Step { output, changes } = Offer::make(&mut around, &local, NOW + VALIDITY, false)?;
        self.rows.adopt(changes);
        // Version, two ids, two times, a flag and the signature stand before it.
        let package = output.encode().split_off(1 + 64 + 16 + 1 + 3373);
        self.offer = Some(output);
        Ok(package)
    }

    /// What was offered last.
    pub(crate) fn offers(&self) -> Result<&Offer, CommandError> {
        self.offer.as_ref().ok_or(CommandError::NotThere)
    }

    pub(crate) fn found(&mut self, charter: &Charter) -> Result<(), CommandError> {
        let group = self.run(|_, around, local| Group::create(around, local, charter))?;
        self.group = Some(group);
        Ok(())
    }

    pub(crate) fn join(
        &mut self,
        known: &KnownCards,
        welcome: &[u8],
        tree: &[u8],
    ) -> Result<Vec<AgentId>, CommandError> {
        let invitation = Invitation::open(&mut self.around(), known, welcome, tree)?;
        let members = invitation.members().to_vec();
        let Step { output, changes } = invitation.accept()?;
        self.rows.adopt(changes);
        self.group = Some(output);
        Ok(members)
    }

    pub(crate) fn commit(&mut self, plan: &Plan<'_>) -> Result<Merged, CommandError> {
        let commit = self.on(|group, around, local| group.commit(around, local, plan))?;
        self.on(|group, around, _| group.merge(around))?;
        match commit.entry {
            LogEntry::Commit(bytes) => Ok(Merged { bytes, welcomes: commit.welcomes }),
            _ => Err(CommandError::NotThere),
        }
    }

    pub(crate) fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>, CommandError> {
        match self.on(|group, around, local| group.seal(around, local, payload))? {
            LogEntry::Message(bytes) => Ok(bytes),
            _ => Err(CommandError::NotThere),
        }
    }

    pub(crate) fn receive(
        &mut self,
        known: &KnownCards,
        is_commit: bool,
        bytes: Vec<u8>,
    ) -> Result<Value, CommandError> {
        let entry = if is_commit { LogEntry::Commit(bytes) } else { LogEntry::Message(bytes) };
        match self.on(|group, around, _| group.receive(around, known, &entry))? {
            Received::Message { payload, .. } => {
                Ok(json!({ "received": "message", "payload": hex(payload.expose()) }))
            }
            Received::Removed { .. } => {
                self.group = None;
                Ok(json!({ "received": "removed" }))
            }
            Received::Commit { .. } => {
                let (epoch, authenticator) = self.epoch()?;
                let authenticator = hex(&authenticator);
                Ok(json!({
                    "received": "commit", "epoch": epoch, "authenticator": authenticator,
                }))
            }
            _ => Err(CommandError::NotThere),
        }
    }

    /// The epoch, and its authenticator.
    pub(crate) fn epoch(&mut self) -> Result<(u64, Vec<u8>), CommandError> {
        let Self { suite, rows, random, group, .. } = self;
        let group = group.as_mut().ok_or(CommandError::NotThere)?;
        let view = group.view(&mut surroundings(*suite, rows, random))?;
        Ok((view.epoch(), view.authenticator().to_vec()))
    }

    pub(crate) fn tree(&mut self) -> Result<Vec<u8>, CommandError> {
        let Self { suite, rows, random, group, .. } = self;
        let group = group.as_mut().ok_or(CommandError::NotThere)?;
        Ok(group.view(&mut surroundings(*suite, rows, random))?.tree()?)
    }

    fn around(&mut self) -> Surroundings<'_> {
        surroundings(self.suite, &self.rows, &mut self.random)
    }

    /// Runs an operation on the group.
    fn on<T>(
        &mut self,
        operation: impl FnOnce(
            &mut Group,
            &mut Surroundings<'_>,
            &Local<'_>,
        ) -> Result<Step<T>, GroupError>,
    ) -> Result<T, CommandError> {
        self.run(|group, around, local| {
            operation(group.as_mut().ok_or(GroupError::NoGroup)?, around, local)
        })
    }

    /// Runs an operation and adopts its rows.
    fn run<T>(
        &mut self,
        operation: impl FnOnce(
            &mut Option<Group>,
            &mut Surroundings<'_>,
            &Local<'_>,
        ) -> Result<Step<T>, GroupError>,
    ) -> Result<T, CommandError> {
        let Self { suite, card, pair, key, rows, random, group, .. } = self;
        let local = Local { card, key: key.as_ref().ok_or(CommandError::NotThere)?, pair };
        let step = operation(group, &mut surroundings(*suite, rows, random), &local)?;
        self.rows.adopt(step.changes);
        Ok(step.output)
    }
}

fn surroundings<'a>(suite: Suite, rows: &'a MemoryRows, random: &'a mut Drawn) -> Surroundings<'a> {
    Surroundings { provider: PROVIDER, rows, random, now: NOW, suite }
}

/// SHA-256 of an agent's number and a counter, as randomness.
#[derive(Debug)]
struct Drawn {
    number: u8,
    block: u64,
}

impl Random for Drawn {
    fn fill(&mut self, out: &mut [u8]) {
        let provider: &dyn Provider = PROVIDER;
        for chunk in out.chunks_mut(32) {
            let block = provider.digest(&[&[self.number], &self.block.to_be_bytes()]);
            self.block += 1;
            for (to, from) in chunk.iter_mut().zip(block) {
                *to = from;
            }
        }
    }
}
