//! Our fleets, with rows in memory.

use std::collections::VecDeque;
use std::time::Duration;

use meshwork_protocols::fleet::{
    Charter, Commit, FleetKey, Group, GroupError, Invitation, KnownCards, Local, LogEntry,
    MemoryRows, Offer, Plan, Step, Suite, Surroundings,
};
use meshwork_protocols::identity::{
    Card, CardBody, HybridSeeds, LiveKey, Root, Sequence, SigningPair, Unverified, Validity,
};
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::{FleetProvider, Provider};
use meshwork_protocols::random::Random;

use super::{ADDED, PAYLOAD, Side};
use crate::Failure;
use crate::agents::NOW;
use crate::bar::Bar;
use crate::stopwatch::{self, Contender, Times};

const PROVIDER: &dyn FleetProvider = &AwsLc;

pub struct Ours {
    known: KnownCards,
    updater: Member,
    follower: Member,
    commits: VecDeque<LogEntry>,
    founder: Member,
    offers: Vec<Offer>,
    invited: Invited,
}

struct Member {
    agent: Agent,
    group: Group,
}

struct Agent {
    card: Card,
    key: FleetKey,
    pair: SigningPair,
    rows: MemoryRows,
    random: Box<dyn Random>,
}

/// What it takes to join.
struct Invited {
    agent: Agent,
    welcome: Vec<u8>,
    tree: Vec<u8>,
}

impl Side for Ours {
    fn build(size: usize) -> Result<Self, Failure> {
        let mut known = KnownCards::default();
        let (updater, follower) = full(&mut known, size)?;
        let mut founder = Agent::new(&mut known)?.found()?;
        let mut others =
            (1..size).map(|_| Agent::new(&mut known)).collect::<Result<Vec<_>, Failure>>()?;
        let offers = others.iter_mut().map(Agent::offer).collect::<Result<Vec<_>, _>>()?;
        let commit = founder.commit(&Plan { add: &offers, ..Plan::default() })?;
        founder.merge()?;
        let welcome = commit.welcomes.into_iter().next_back().ok_or("nobody was added")?.bytes;
        let agent = others.pop().ok_or("nobody was added")?;
        let invited = Invited { agent, welcome, tree: founder.tree()? };
        let founder = founder.agent.found()?;
        Ok(Self { known, updater, follower, commits: VecDeque::new(), founder, offers, invited })
    }

    fn update(&mut self) -> Result<(), Failure> {
        let commit = self.updater.commit(&Plan { rotate: true, ..Plan::default() })?;
        self.updater.merge()?;
        self.commits.push_back(commit.entry);
        Ok(())
    }

    fn follow(&mut self) -> Result<(), Failure> {
        let entry = self.commits.pop_front().ok_or("no commit is left")?;
        let known = &self.known;
        self.follower.run(|group, around, _| group.receive(around, known, &entry))?;
        Ok(())
    }

    fn mass_add(&mut self) -> Result<(), Failure> {
        self.founder.commit(&Plan { add: &self.offers, ..Plan::default() })?;
        self.founder.run(|group, around, _| group.withdraw(around))
    }

    fn join(&mut self) -> Result<(), Failure> {
        let Invited { agent, welcome, tree } = &mut self.invited;
        let known = &self.known;
        agent.with(|around, _| Invitation::open(around, known, welcome, tree)?.accept()).map(drop)
    }

    fn load(&mut self) -> Result<(), Failure> {
        let id = self.follower.group.id();
        self.follower.agent.with(|around, _| Group::load(around, id)).map(drop)
    }

    fn seal(&mut self) -> Result<(), Failure> {
        let entry = self.updater.run(|group, around, local| group.seal(around, local, &PAYLOAD))?;
        drop(entry.encode());
        Ok(())
    }
}

impl Ours {
    /// What hybrid entry adds.
    pub fn proofs(&mut self) -> Result<Vec<Bar>, Failure> {
        let agent = &mut self.invited.agent;
        let offer = agent.offer()?.encode();
        let (card, rows) = (agent.card.clone(), MemoryRows::default());
        let verify = || {
            let mut random = PROVIDER.random();
            let mut around = around(&rows, &mut *random);
            let provider: &dyn Provider = PROVIDER;
            Unverified::<Offer>::parse(provider, &offer)?.verify(&mut around, &card)?;
            Ok(())
        };
        let plan = stopwatch::Plan { rounds: 7, turns: 20 };
        let times = Times::measure(plan, vec![Contender::new("verify", verify)])?;
        let each = times.median(|round| round[0] * 1e3);
        Ok(vec![Bar::shown(
            "an offer verified before it is added, hybrid proof included, ms",
            each,
        )])
    }
}

/// The last two members of a full group that committed, or are about to.
fn full(known: &mut KnownCards, size: usize) -> Result<(Member, Member), Failure> {
    let mut last = Agent::new(known)?.found()?;
    let mut before = None;
    for first in (1..size).step_by(ADDED) {
        let mut next = Agent::new(known)?;
        // Only an admin adds.
        let mut charter = Charter::of_founder(last.agent.card.agent());
        charter.admins.insert(next.card.agent());
        let mut offers = vec![next.offer()?];
        for _ in first + 1..size.min(first + ADDED) {
            offers.push(Agent::new(known)?.offer()?);
        }
        let plan = Plan { add: &offers, rotate: true, charter: Some(&charter), ..Plan::default() };
        let commit = last.commit(&plan)?;
        last.merge()?;
        let welcome = commit.welcomes.first().ok_or("nobody was added")?;
        let tree = last.tree()?;
        let known = &*known;
        let group =
            next.run(|around, _| Invitation::open(around, known, &welcome.bytes, &tree)?.accept())?;
        before = Some(std::mem::replace(&mut last, Member { agent: next, group }));
    }
    Ok((before.ok_or("a group of one")?, last))
}

impl Member {
    fn run<T>(
        &mut self,
        operation: impl FnOnce(
            &mut Group,
            &mut Surroundings<'_>,
            &Local<'_>,
        ) -> Result<Step<T>, GroupError>,
    ) -> Result<T, Failure> {
        let Self { agent, group } = self;
        agent.run(|around, local| operation(group, around, local))
    }

    fn commit(&mut self, plan: &Plan<'_>) -> Result<Commit, Failure> {
        self.run(|group, around, local| group.commit(around, local, plan))
    }

    fn merge(&mut self) -> Result<(), Failure> {
        self.run(|group, around, _| group.merge(around))
    }

    fn tree(&mut self) -> Result<Vec<u8>, Failure> {
        let Self { agent, group } = self;
        agent.with(|around, _| group.view(around)?.tree())
    }
}

impl Agent {
    /// Another one, whose card is known.
    fn new(known: &mut KnownCards) -> Result<Self, Failure> {
        let provider: &dyn Provider = PROVIDER;
        let mut random = provider.random();
        let root = Root::from_seeds(provider, HybridSeeds::random(&mut *random))?;
        let pair = SigningPair::from_seeds(provider, HybridSeeds::random(&mut *random))?;
        let key = FleetKey::generate(provider, &mut *random)?;
        let live = LiveKey::generate(provider, &mut *random);
        let validity = Validity { not_before: NOW.wall, not_after: NOW.wall + VALIDITY };
        let sequence = Sequence::new(NOW.wall.as_secs());
        let mut body = CardBody::new(sequence, validity, pair.public().clone(), *live.public());
        body.fleet_key = Some(key.public().to_vec());
        let card = root.sign_card(provider, body, &mut *random)?;
        known.insert(card.clone());
        Ok(Self { card, key, pair, rows: MemoryRows::default(), random })
    }

    fn with<T>(
        &mut self,
        operation: impl FnOnce(&mut Surroundings<'_>, &Local<'_>) -> Result<T, GroupError>,
    ) -> Result<T, Failure> {
        let local = Local { card: &self.card, key: &self.key, pair: &self.pair };
        Ok(operation(&mut around(&self.rows, &mut *self.random), &local)?)
    }

    fn run<T>(
        &mut self,
        operation: impl FnOnce(&mut Surroundings<'_>, &Local<'_>) -> Result<Step<T>, GroupError>,
    ) -> Result<T, Failure> {
        let step = self.with(operation)?;
        self.rows.adopt(step.changes);
        Ok(step.output)
    }

    fn offer(&mut self) -> Result<Offer, Failure> {
        let local = Local { card: &self.card, key: &self.key, pair: &self.pair };
        let mut around = around(&self.rows, &mut *self.random);
        let step = Offer::make(&mut around, &local, NOW.wall + VALIDITY, false)?;
        self.rows.adopt(step.changes);
        Ok(step.output)
    }

    fn found(mut self) -> Result<Member, Failure> {
        let charter = Charter::of_founder(self.card.agent());
        let group = self.run(|around, local| Group::create(around, local, &charter))?;
        Ok(Member { agent: self, group })
    }
}

fn around<'a>(rows: &'a MemoryRows, random: &'a mut dyn Random) -> Surroundings<'a> {
    Surroundings { provider: PROVIDER, rows, random, now: NOW.wall, suite: Suite::XWing }
}

const VALIDITY: Duration = Duration::from_secs(20 * 24 * 60 * 60);
