//! Groups of agents over a log that a relay holds: several routers, the relay's own code in memory,
//! and what becomes of crashes, lost answers, races and members that break the rules.

mod comparing;
mod disk;
mod histories;
mod moving;
mod receipts;
mod sending;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::fleet::{Asks, GroupError, GroupId, LogEntry, Summons, summons, way_back};
use meshwork_protocols::identity::{AgentId, Relay as Holder, Transport};
use meshwork_protocols::lineage::Lineage;
use meshwork_protocols::posture::Posture;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::random::Random;
use meshwork_protocols::relay::{
    Answer as Said, Append, Commit, Entry, EntryIndex, LogChain, LogId, Logged, ReadLog,
    Request as Asked, Taken,
};
use meshwork_protocols::secret::Secret;
use meshwork_relay::{Asked as Call, Limits, Outcome, Relay};
use meshwork_router::{
    Answer, AskId, CommandError, Event, GroupEvent, GroupRequest, GroupSummary, INVITATIONS_OF_ONE,
    Input, Level, Output, PathChange, PathId, PathKind, PathOpened, Policy, Protocol, RelayFailure,
    RelayNews, Request, Stored, Ticket,
};
use meshwork_state::Namespace;

use self::disk::Disk;
use crate::common::{Node, Seeded, card_for_groups, largest_frame, text};

const RELAY: AgentId = AgentId::from_bytes([200; 32]);

fn node(number: u8) -> Node {
    let card = card_for_groups(number, 1_000, &[RELAY]);
    Node::with_card(number, card, Policy::default(), |_, _| Stored::None)
}

/// What a holder that is damaged, or lies, gives one reader.
#[derive(Clone, Copy)]
enum Tampering {
    /// No commit is what it was.
    Garbage,
    /// What was not read yet is gone.
    Gap,
}

/// Agents that know each other and have sessions, and the relay that holds their groups' logs.
struct World {
    nodes: Vec<Node>,
    relay: Relay<Disk>,
    disk: Disk,
    /// Other relays, and what is asked of them.
    others: moving::Others,
    /// Requests that wait for an entry.
    waiting: Vec<(usize, AskId, Asked)>,
    /// Agents that do not reach the relay.
    parted: Vec<usize>,
    /// What one agent reads of the log in place of what stands there.
    tampered: Option<(usize, Tampering)>,
    /// The agent that was given another log than the others, and the chain over it.
    forged: Option<(usize, LogChain)>,
    /// Of whom the relay says nothing, as if it were another that is away.
    silent: Option<AgentId>,
    /// Another log that the relay shows to some.
    second_face: Option<(Relay<Disk>, Vec<usize>)>,
    /// Whose offers the relay changes.
    spoilt: Option<AgentId>,
    /// Parts that agents left with the relay.
    uploads: usize,
    /// Loses answers, where it is set.
    loses: Option<Seeded>,
    group: GroupId,
}

impl World {
    fn new(count: u8) -> Self {
        Self::without_offers_of(count, None)
    }

    /// The same, where one did not come to its relay yet.
    fn without_offers_of(count: u8, late: Option<usize>) -> Self {
        let mut nodes: Vec<_> = (1..=count).map(node).collect();
        let cards: Vec<_> = nodes.iter().map(|node| Arc::clone(&node.card)).collect();
        for (place, node) in nodes.iter_mut().enumerate() {
            let others = cards.iter().enumerate().filter(|(other, _)| *other != place);
            others.for_each(|(_, card)| node.meet(card));
        }
        let disk = Disk::default();
        let relay = Relay::new(disk.clone(), Arc::new(Pure), Limits::default());
        let group = GroupId::from_bytes([0; 32]);
        let (waiting, parted) = (Vec::new(), Vec::new());
        let (tampered, silent, spoilt, uploads, loses) = (None, None, None, 0, None);
        let mut this = Self {
            nodes,
            relay,
            disk,
            others: moving::Others::default(),
            waiting,
            parted,
            tampered,
            forged: None,
            silent,
            second_face: None,
            spoilt,
            uploads,
            loses,
            group,
        };
        for place in 0..this.nodes.len() {
            this.connect(place);
            let card = this.nodes[place].card.as_bytes().to_vec().into();
            assert_eq!(this.say(place, Asked::PutCard(card)), Some(Said::Done));
            if late != Some(place) {
                this.meet_relay(place);
            }
        }
        this.settle();
        this
    }

    /// Agents of which the first founded a group, and all others joined it.
    fn with_group(count: u8) -> Self {
        let mut this = Self::new(count);
        this.found();
        let all: Vec<_> = (1..this.nodes.len()).collect();
        this.invite(0, &all, false);
        all.iter().for_each(|place| this.join(*place));
        this.settle();
        this
    }

    fn id(&self, place: usize) -> AgentId {
        self.nodes[place].id()
    }

    fn found(&mut self) {
        let create = GroupRequest::Create { name: "crew".into(), holder: None };
        let Some(Ok(Answer::Group(group))) = self.ask(0, create) else { panic!("no group") };
        self.group = group;
        self.settle();
    }

    fn invite(&mut self, by: usize, places: &[usize], anew: bool) {
        let peers = places.iter().map(|place| self.id(*place)).collect();
        let invite = GroupRequest::Invite { group: self.group, peers, anew };
        assert_eq!(self.ask(by, invite), Some(Ok(Answer::Done)));
        self.settle();
    }

    fn join(&mut self, place: usize) {
        let answer = self.ask(place, GroupRequest::Join(self.group));
        let events = &self.nodes[0].events;
        assert_eq!(answer, Some(Ok(Answer::Group(self.group))), "agent {place}; {events:?}");
    }

    fn remove(&mut self, by: usize, place: usize) {
        let members = vec![self.id(place)];
        let remove = GroupRequest::Remove { group: self.group, members };
        assert_eq!(self.ask(by, remove), Some(Ok(Answer::Done)));
        self.settle();
    }

    fn rotate(&mut self, place: usize) {
        let ticket = self.request(place, GroupRequest::Rotate(self.group));
        self.nodes[place].commit();
        assert_eq!(self.nodes[place].answer(ticket), Some(Ok(Answer::Done)));
    }

    /// The relay takes the commit that an agent asks it to append; its answer is on the way.
    fn append_unheard(&mut self, place: usize) -> (AskId, Said) {
        let is_commit = |wish: &Output| match wish {
            Output::AskRelay { request, .. } => {
                matches!(**request, Asked::Append(Append { entry: Entry::Commit(_), .. }))
            }
            _ => false,
        };
        let wishes = &mut self.nodes[place].wishes;
        let at = wishes.iter().position(is_commit).expect("a commit is to be appended");
        let Some(Output::AskRelay { ask, request, .. }) = wishes.remove(at) else {
            unreachable!("it is one")
        };
        (ask, self.say(place, *request).expect("an answer at once"))
    }

    /// Sends to the group; what does not fit now is an error.
    fn send(&mut self, place: usize, body: &str) -> Result<Answer, CommandError> {
        let outgoing = text(RELAY, body);
        let send = GroupRequest::Send {
            group: self.group,
            id: None,
            content_type: outgoing.content_type,
            body: outgoing.body,
            lifetime: outgoing.lifetime,
            asks: Asks::Nothing,
        };
        let ticket = self.request(place, send);
        self.nodes[place].commit();
        self.nodes[place].answer(ticket).expect("an answer once it is durable")
    }

    fn request(&mut self, place: usize, request: GroupRequest) -> Ticket {
        self.nodes[place].request(Request::Group(request))
    }

    fn ask(&mut self, place: usize, request: GroupRequest) -> Option<Result<Answer, CommandError>> {
        let ticket = self.request(place, request);
        self.settle();
        self.nodes[place].answer(ticket)
    }

    fn summary(&mut self, place: usize) -> GroupSummary {
        let group = self.group;
        let groups = self.nodes[place].router.groups().unwrap();
        groups.into_iter().find(|summary| summary.group == group).expect("it is in the group")
    }

    fn is_in(&mut self, place: usize) -> bool {
        let group = self.group;
        self.nodes[place].router.groups().unwrap().iter().any(|summary| summary.group == group)
    }

    fn saw(&self, place: usize, wanted: impl Fn(&GroupEvent) -> bool) -> bool {
        self.nodes[place].events.iter().any(|event| match event {
            Event::Group { what, .. } => wanted(what),
            _ => false,
        })
    }

    /// A relay of its own answers an agent.
    fn meet_relay(&mut self, place: usize) {
        let met = RelayNews::Met { relay: RELAY, depth: 0, offers: 0, is_back: false };
        self.nodes[place].handle(Input::Relay(met));
        self.nodes[place].commit();
    }

    /// Opens a session of this agent with each of those before it.
    fn connect(&mut self, place: usize) {
        for other in 0..place {
            let path = PathId(((other as u64) << 32) | place as u64);
            for (from, to, initiated) in [(other, place, true), (place, other, false)] {
                let card = Arc::clone(&self.nodes[to].card);
                let (peer, lineage) = (card.agent(), self.nodes[to].lineage());
                let kind = live(card, lineage, initiated);
                let opened = PathOpened { path, peer, kind };
                self.nodes[from].handle(Input::PathChanged(PathChange::Opened(opened)));
                self.nodes[from].commit();
            }
        }
    }

    /// What the relay says to an agent; `None` while there is nothing to say.
    fn say(&mut self, place: usize, request: Asked) -> Option<Said> {
        let caller = self.nodes[place].id();
        let now = self.nodes[place].now;
        let relay = match &mut self.second_face {
            Some((relay, to)) if to.contains(&place) => relay,
            _ => &mut self.relay,
        };
        let outcome = relay.serve(now, &[Call { caller, request }]).unwrap().pop().unwrap();
        match outcome {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Wait(_) => None,
        }
    }

    fn carry_frames(&mut self) -> bool {
        let mut moved = false;
        for place in 0..self.nodes.len() {
            while let Some((path, frame)) = self.nodes[place].sent.pop_front() {
                let (low, high) = ((path.0 >> 32) as usize, (path.0 & 0xffff) as usize);
                let other = if low == place { high } else { low };
                self.nodes[other].handle(Input::Received { path, frame: &frame });
                moved = true;
            }
        }
        moved
    }

    /// Gives the relay what the agents ask, and the agents what it says.
    fn carry_asks(&mut self) -> bool {
        let mut asks = std::mem::take(&mut self.waiting);
        let waiting = asks.len();
        for (place, node) in self.nodes.iter_mut().enumerate() {
            while let Some(wish) = node.wishes.pop_front() {
                match wish {
                    Output::AskRelay { ask, relay, request } if relay.agent == RELAY => {
                        asks.push((place, ask, *request));
                    }
                    Output::AskRelay { ask, relay, request } => {
                        self.others.are_asked(relay.agent, (place, ask, *request));
                    }
                    _ => {}
                }
            }
        }
        let mut moved = asks.len() > waiting || self.carry_to_others();
        for (place, ask, request) in asks {
            self.uploads += usize::from(matches!(request, Asked::PutBlob { .. }));
            let is_silent = matches!(&request, Asked::GetCard(of) if Some(*of) == self.silent);
            let is_gone = self.others.is_gone(RELAY);
            let answer = if is_silent || is_gone || self.parted.contains(&place) {
                Some(Err(RelayFailure::Gone))
            } else {
                let of = match &request {
                    Asked::Take { target, .. } => Some(*target),
                    _ => None,
                };
                let said = self.say(place, request.clone());
                said.map(|said| Ok(self.tamper(place, self.spoil(of, said))))
            };
            let lost = self.loses.as_mut().is_some_and(|random| below(random, 4) == 0);
            match answer {
                Some(_) if lost => self.answer(place, ask, Err(RelayFailure::Gone)),
                Some(answer) => self.answer(place, ask, answer),
                None => {
                    self.waiting.push((place, ask, request));
                    continue;
                }
            }
            moved = true;
        }
        moved
    }

    /// The relay changes a byte of an offer's signature.
    fn spoil(&self, of: Option<AgentId>, mut said: Said) -> Said {
        if let Said::Taken(Taken::KeyPackage { package, .. }) = &mut said
            && of.is_some()
            && of == self.spoilt
        {
            package.0[100] ^= 1;
        }
        said
    }

    fn tamper(&mut self, place: usize, mut said: Said) -> Said {
        if let (Said::Entries { first, last, entries, .. }, Some((who, how))) =
            (&mut said, self.tampered)
            && who == place
            && !entries.is_empty()
        {
            match how {
                Tampering::Gap => {
                    *first = EntryIndex(last.0 + 1);
                    entries.clear();
                }
                Tampering::Garbage => entries.iter_mut().for_each(|logged| {
                    if let Entry::Commit(commit) = &mut logged.entry {
                        commit.bytes = vec![1, 2, 3].into();
                    }
                }),
            }
            if let (Tampering::Garbage, Said::Entries { chain, .. }) = (how, &said) {
                self.forged.get_or_insert((place, *chain));
            }
        }
        // A holder that lies goes on by what it said.
        if let (Said::Entries { chain, entries, .. }, Some((who, forged))) =
            (&mut said, &mut self.forged)
            && *who == place
        {
            *chain = *forged;
            for Logged { index, author, entry, .. } in entries {
                *forged = forged.with(&Pure, *index, author, entry);
            }
        }
        said
    }

    /// Asks a peer for the way back into the group.
    fn ask_way_back(&mut self, from: usize, to: usize) {
        let mut outgoing = text(self.id(to), "");
        outgoing.content_type = way_back::ASKED_TYPE.parse().unwrap();
        outgoing.body = way_back::ask(&self.group);
        self.nodes[from].request(Request::Send(outgoing));
        self.settle();
    }

    fn answer(&mut self, place: usize, ask: AskId, answer: Result<Said, RelayFailure>) {
        self.nodes[place].handle(Input::Relay(RelayNews::Answered { ask, answer }));
    }

    /// Until nothing moves any more.
    fn settle(&mut self) {
        for _ in 0..2_000 {
            self.nodes.iter_mut().for_each(Node::commit);
            let moved = self.carry_frames() | self.carry_asks();
            if !moved && self.nodes.iter().all(|node| node.batches.is_empty()) {
                return;
            }
        }
        panic!("it never settles");
    }

    /// The same over so long, in steps of a second.
    fn settle_for(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.settle();
            self.nodes.iter_mut().for_each(|node| node.pass(Duration::from_secs(1)));
        }
        self.settle();
    }

    /// The same over longer, in steps of this many seconds.
    fn settle_in(&mut self, steps: u32, seconds: u64) {
        for _ in 0..steps {
            self.settle();
            self.nodes.iter_mut().for_each(|node| node.pass(Duration::from_secs(seconds)));
        }
        self.settle();
    }

    /// An agent dies without a word and comes back.
    fn restart(&mut self, place: usize, restored: bool) {
        self.waiting.retain(|(waits, ..)| *waits != place);
        self.others.forget(place);
        self.nodes[place].restart_as(restored);
        for other in 0..self.nodes.len() {
            if other != place {
                let (low, high) = (place.min(other), place.max(other));
                let path = PathId(((low as u64) << 32) | high as u64);
                self.nodes[other].handle(Input::PathChanged(PathChange::Closed(path)));
                for (from, to) in [(place, other), (other, place)] {
                    let card = Arc::clone(&self.nodes[to].card);
                    let (peer, lineage) = (card.agent(), self.nodes[to].lineage());
                    let kind = live(card, lineage, from == low);
                    let opened = PathOpened { path, peer, kind };
                    self.nodes[from].handle(Input::PathChanged(PathChange::Opened(opened)));
                }
            }
        }
    }

    /// The log, as the relay tells it.
    fn log(&mut self) -> Vec<Logged> {
        let log = LogId(*self.group.as_bytes());
        let read = ReadLog { log, after: EntryIndex(0), most: 1_000, wait: 0 };
        match self.say(0, Asked::ReadLog(read)) {
            Some(Said::Entries { entries, .. }) => entries,
            other => panic!("no entries: {other:?}"),
        }
    }

    fn last_commit(&mut self) -> EntryIndex {
        let is_commit = |entry: &Entry| matches!(entry, Entry::Commit(_));
        self.log().iter().rev().find(|logged| is_commit(&logged.entry)).unwrap().index
    }

    /// Something that is no commit of the group, by one of its members.
    fn append_garbage(&mut self, place: usize) {
        let garbage = Commit {
            epoch: 9,
            builds_on: Some(self.last_commit()),
            admitted: Vec::new(),
            removed: Vec::new(),
            bytes: vec![1, 2, 3].into(),
        };
        self.append(place, Entry::Commit(garbage));
    }

    fn append(&mut self, place: usize, entry: Entry) {
        let log = LogId(*self.group.as_bytes());
        let said = self.say(place, Asked::Append(Append { log, entry }));
        assert!(matches!(said, Some(Said::Appended(_))), "{said:?}");
    }

    /// Whether anything of the group is left with an agent.
    fn has_rows(&self, place: usize) -> bool {
        let group = self.group.as_bytes();
        let named = |key: &[u8]| key.windows(32).any(|part| part == group);
        self.nodes[place].rows().iter().any(|(namespace, key, _)| {
            matches!(namespace, Namespace::Fleet | Namespace::Group) && named(key)
        })
    }

    /// All of these are in one epoch with the same members.
    fn assert_one(&mut self, places: &[usize]) {
        let first = self.summary(places[0]);
        for place in places {
            let summary = self.summary(*place);
            assert_eq!((summary.epoch, summary.members), (first.epoch, first.members.clone()));
            assert_eq!((summary.changes, summary.waiting), (0, 0), "agent {place}");
        }
    }
}

fn below(random: &mut Seeded, bound: u32) -> u32 {
    let random: &mut dyn Random = random;
    random.below(bound)
}

fn live(
    card: Arc<meshwork_protocols::identity::Card>,
    lineage: Lineage,
    initiated: bool,
) -> PathKind {
    PathKind::Live {
        transport: Transport::Tcp,
        largest_frame: largest_frame(Transport::Tcp),
        initiated,
        posture: Posture::HYBRID,
        card,
        lineage,
        remembered: None,
    }
}

#[test]
fn a_group_is_founded_and_joined_and_everybody_hears_each_message_once() {
    let mut world = World::with_group(3);
    let Ok(Answer::Accepted(id)) = world.send(0, "hello") else { panic!("not accepted") };
    world.settle();
    let relayed = GroupEvent::Moved { id, level: Level::Relayed };
    assert!(world.saw(0, |what| *what == relayed));
    for place in [1, 2] {
        assert_eq!(world.nodes[place].bodies(), ["hello"]);
        let delivery = &world.nodes[place].inbox()[0];
        assert_eq!(delivery.group, Some(world.group));
        assert_eq!((delivery.sender, delivery.protocol), (world.id(0), Protocol::Fleet));
    }
    assert!(world.nodes[0].bodies().is_empty());
    world.send(2, "and back").unwrap();
    world.settle();
    assert_eq!(world.nodes[0].bodies(), ["and back"]);
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn an_invitation_uses_nothing_up_before_it_is_accepted() {
    let mut world = World::new(2);
    world.found();
    let before = world.nodes[1].store_of_fleets();
    world.invite(0, &[1], false);
    assert_eq!(world.nodes[1].store_of_fleets(), before);
    let invited = world.nodes[1].router.invitations().unwrap();
    assert_eq!((invited.len(), invited[0].by, &*invited[0].name), (1, world.id(0), "crew"));
    assert!(world.nodes[1].bodies().is_empty(), "the message that brings it is none");
    world.join(1);
    assert!(world.nodes[1].router.invitations().unwrap().is_empty());
    world.settle();
    world.assert_one(&[0, 1]);
}

#[test]
fn a_declined_invitation_is_gone() {
    let mut world = World::new(2);
    world.found();
    world.invite(0, &[1], false);
    let decline = GroupRequest::Decline(world.group);
    assert_eq!(world.ask(1, decline), Some(Ok(Answer::Done)));
    let join = GroupRequest::Join(world.group);
    assert_eq!(world.ask(1, join), Some(Err(CommandError::NotInvited)));
    assert!(!world.is_in(1));
}

#[test]
fn a_removed_member_reads_nothing_that_comes_after() {
    let mut world = World::with_group(3);
    world.send(0, "before").unwrap();
    world.settle();
    world.remove(0, 2);
    assert!(world.saw(2, |what| matches!(what, GroupEvent::Removed { .. })));
    assert!(!world.is_in(2));
    world.send(0, "after").unwrap();
    world.settle();
    assert_eq!(world.nodes[1].bodies(), ["before", "after"]);
    assert_eq!(world.nodes[2].bodies(), ["before"]);
    // Nothing of the group's keys is left with it.
    assert!(world.has_rows(1) && !world.has_rows(2));
    // The log tells it no more than its removal.
    let log = LogId(*world.group.as_bytes());
    let read = ReadLog { log, after: EntryIndex(0), most: 100, wait: 0 };
    let Some(Said::Entries { entries, .. }) = world.say(2, Asked::ReadLog(read)) else {
        panic!("it may read of its removal");
    };
    let last = entries.last().unwrap().index.0;
    assert!(last < world.summary(0).read, "{last}");
}

#[test]
fn members_that_commit_at_once_converge_without_anybodys_help() {
    let mut world = World::with_group(5);
    let before = world.summary(0).epoch;
    for round in 1..=4 {
        (0..5).for_each(|place| world.rotate(place));
        world.settle_for(2);
        world.assert_one(&[0, 1, 2, 3, 4]);
        assert_eq!(world.summary(0).epoch, before + 5 * round, "each commit counts once");
    }
}

#[test]
fn an_answer_that_comes_behind_the_log_says_nothing_of_the_next_commit() {
    let mut world = World::with_group(2);
    let before = world.summary(0).epoch;
    world.rotate(0);
    let (ask, answer) = world.append_unheard(0);
    assert!(matches!(answer, Said::Appended(_)));
    // The log has brought the commit, and the next waits for it.
    world.settle();
    assert_eq!((world.summary(0).epoch, world.summary(0).changes), (before + 1, 0));
    world.rotate(0);
    world.answer(0, ask, Ok(answer));
    world.settle_for(1);
    assert_eq!(world.summary(0).epoch, before + 2);
    world.assert_one(&[0, 1]);
}

#[test]
fn whoever_summons_hears_that_its_summons_was_dealt_with_though_the_first_receipt_is_lost() {
    let mut world = World::new(2);
    world.found();
    let peers = vec![world.id(1)];
    let invite = GroupRequest::Invite { group: world.group, peers, anew: false };
    world.request(0, invite);
    let owed = |world: &World, place: usize| world.nodes[place].count(Namespace::Owed);
    for _ in 0..20 {
        world.nodes.iter_mut().for_each(Node::commit);
        // What it says does not arrive.
        world.nodes[1].sent.clear();
        world.carry_frames();
        world.carry_asks();
    }
    assert_eq!((owed(&world, 1), world.nodes[0].count(Namespace::Outbox)), (1, 1));
    world.settle_for(40);
    assert_eq!((owed(&world, 1), world.nodes[0].count(Namespace::Outbox)), (0, 0));
}

#[test]
fn an_agent_cut_off_from_the_log_goes_on_by_itself_afterwards() {
    let mut world = World::with_group(3);
    world.parted = vec![1];
    world.send(1, "from the other side").unwrap();
    world.rotate(1);
    for _ in 0..4 {
        world.rotate(0);
        world.settle_for(1);
    }
    assert!(world.nodes[0].bodies().is_empty());
    world.parted.clear();
    world.settle_for(130);
    assert_eq!(world.nodes[0].bodies(), ["from the other side"]);
    assert_eq!(world.nodes[2].bodies(), ["from the other side"]);
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn crashes_and_lost_answers_cost_no_message_and_double_none() {
    for seed in 0..6 {
        let mut world = World::with_group(4);
        let mut random = Seeded(seed);
        world.loses = Some(Seeded(seed + 100));
        let mut sent: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for round in 0..30 {
            let place = below(&mut random, 4) as usize;
            match below(&mut random, 4) {
                0 => world.restart(place, false),
                1 => world.rotate(place),
                _ => {
                    let body = format!("{round} of {place}");
                    if world.send(place, &body).is_ok() {
                        sent.entry(place).or_default().push(body);
                    }
                }
            }
            // A part of what moves does so before the next thing happens.
            for _ in 0..below(&mut random, 4) {
                let who = below(&mut random, 4) as usize;
                world.nodes[who].commit();
                world.carry_frames();
                world.carry_asks();
            }
        }
        world.loses = None;
        world.settle_for(130);
        world.assert_one(&[0, 1, 2, 3]);
        for (place, node) in world.nodes.iter().enumerate() {
            let mut got = node.bodies();
            got.sort_unstable();
            let others = sent.iter().filter(|(from, _)| **from != place);
            let mut wanted: Vec<_> = others.flat_map(|(_, bodies)| bodies.clone()).collect();
            wanted.sort_unstable();
            assert_eq!(got, wanted, "seed {seed}, agent {place}");
        }
    }
}

#[test]
fn a_crash_before_any_commit_of_a_join_leaves_the_invitation_good() {
    let mut world = World::new(2);
    world.found();
    world.invite(0, &[1], false);
    // The roster comes, and the agent dies with the join decided and not durable.
    world.request(1, GroupRequest::Join(world.group));
    world.carry_asks();
    assert!(!world.nodes[1].batches.is_empty());
    world.restart(1, false);
    assert!(!world.is_in(1));
    world.join(1);
    world.settle();
    world.send(0, "hello").unwrap();
    world.settle();
    assert_eq!(world.nodes[1].bodies(), ["hello"]);
}

#[test]
fn what_breaks_a_rule_is_passed_over_by_all_and_its_author_is_named() {
    let mut world = World::with_group(3);
    world.append_garbage(2);
    world.append(2, Entry::Message(vec![7; 40].into()));
    world.settle_for(1);
    let author = world.id(2);
    for place in [0, 1] {
        let why = GroupError::Malformed;
        assert!(world.saw(place, |what| *what == GroupEvent::PassedOver { author, why }));
        assert!(world.saw(place, |what| *what == GroupEvent::NotOpened { author, why }));
    }
    // The group goes on, over the entry that is none.
    world.rotate(0);
    world.send(1, "still here").unwrap();
    world.settle_for(1);
    assert_eq!(world.nodes[0].bodies(), ["still here"]);
    world.assert_one(&[0, 1]);
}

#[test]
fn a_restored_state_follows_no_log_until_it_is_invited_anew() {
    let mut world = World::with_group(3);
    world.restart(1, true);
    world.settle();
    assert!(world.summary(1).stranded);
    assert_eq!(world.send(1, "from a copy"), Err(CommandError::Stranded));
    world.meet_relay(1);
    world.settle();
    world.invite(0, &[1], true);
    world.join(1);
    world.settle();
    world.send(1, "back").unwrap();
    world.settle();
    assert_eq!(world.nodes[0].bodies(), ["back"]);
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn after_many_came_a_quarter_renew_their_keys_within_the_hour_and_all_within_the_week() {
    let mut world = World::with_group(9);
    let before = world.summary(0).epoch;
    world.settle_in(70, 60);
    world.assert_one(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(world.summary(0).epoch, before + 3, "nine leaves have three turns");
    let authors = |world: &World| -> BTreeSet<AgentId> {
        let author = |event: &Event| match event {
            Event::Group { what: GroupEvent::Changed { author, .. }, .. } => Some(*author),
            _ => None,
        };
        world.nodes[0].events.iter().filter_map(author).collect()
    };
    assert!(authors(&world).len() <= 4);
    world.settle_in(7 * 24, 60 * 60);
    assert_eq!(authors(&world).len(), 9);
    world.assert_one(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_relay_that_does_not_answer_keeps_nobody_else_waiting() {
    let mut world = World::new(3);
    world.found();
    world.silent = Some(world.id(2));
    let peers = vec![world.id(1), world.id(2)];
    let invite = GroupRequest::Invite { group: world.group, peers, anew: false };
    assert_eq!(world.ask(0, invite), Some(Ok(Answer::Done)));
    world.settle_for(15);
    let (one, other) = (world.id(1), world.id(2));
    assert!(world.saw(0, |what| *what == GroupEvent::WaitsFor(other)));
    assert_eq!(world.summary(0).members, [world.id(0), one]);
    assert_eq!((world.summary(0).epoch, world.summary(0).wanted), (1, vec![other]));
    assert_eq!(world.summary(0).changes, 0);
}

#[test]
fn offers_that_are_taken_are_made_anew_up_to_a_bound_and_given_up_in_the_end() {
    let mut world = World::new(1);
    let kept = |world: &World| {
        let of_fleet = |(namespace, ..): &&(Namespace, _, _)| *namespace == Namespace::Fleet;
        world.nodes[0].rows().iter().filter(of_fleet).count()
    };
    let (first, mut counts) = (kept(&world), Vec::new());
    for _ in 0..40 {
        world.meet_relay(0);
        world.settle();
        counts.push(kept(&world));
    }
    assert_eq!(counts[0], 2 * first, "eight, and another last resort");
    assert_eq!((counts[26], counts[27], counts[39]), (28 * first, 28 * first, 28 * first));
    world.settle_in(45, 24 * 60 * 60);
    world.meet_relay(0);
    assert_eq!(kept(&world), 0, "the card has ended, and so has each offer");
}

#[test]
fn few_that_come_make_nobody_renew_its_keys() {
    let mut world = World::with_group(3);
    let before = world.summary(0).epoch;
    world.settle_in(70, 60);
    assert_eq!(world.summary(0).epoch, before);
}

#[test]
fn a_restored_state_comes_back_by_itself() {
    let mut world = World::with_group(3);
    world.restart(1, true);
    world.settle_for(10);
    assert!(world.saw(1, |what| matches!(what, GroupEvent::Returned { .. })));
    world.send(1, "back").unwrap();
    world.rotate(0);
    world.settle_for(2);
    assert_eq!(world.nodes[0].bodies(), ["back"]);
    assert_eq!(world.nodes[2].bodies(), ["back"]);
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn who_finds_a_gap_in_the_log_comes_back_and_is_told_how_much_it_missed() {
    let mut world = World::with_group(3);
    world.parted = vec![1];
    world.send(0, "missed").unwrap();
    world.rotate(0);
    world.settle_for(1);
    world.parted.clear();
    world.tampered = Some((1, Tampering::Gap));
    world.settle_for(70);
    world.tampered = None;
    world.settle_for(10);
    assert!(world.saw(1, |what| *what == GroupEvent::Stranded));
    assert!(world.saw(1, |what| matches!(what, GroupEvent::Returned { missed } if *missed >= 2)));
    assert!(world.nodes[1].bodies().is_empty());
    world.send(0, "heard").unwrap();
    world.settle();
    assert_eq!(world.nodes[1].bodies(), ["heard"]);
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn who_alone_cannot_process_a_commit_comes_back_and_loses_no_message() {
    let mut world = World::with_group(4);
    world.tampered = Some((3, Tampering::Garbage));
    world.rotate(0);
    world.settle();
    world.tampered = None;
    let author = world.id(0);
    assert!(world.saw(3, |what| matches!(what, GroupEvent::PassedOver { author: by, .. }
        if *by == author)));
    world.send(3, "in doubt").unwrap();
    world.settle_for(60);
    assert!(world.saw(3, |what| matches!(what, GroupEvent::Returned { .. })));
    assert!(!world.saw(1, |what| *what == GroupEvent::Stranded));
    world.send(0, "to all").unwrap();
    world.settle_for(2);
    assert_eq!(world.nodes[3].bodies(), ["to all"]);
    for place in [0, 1, 2] {
        assert_eq!(world.nodes[place].bodies().iter().filter(|it| *it == "in doubt").count(), 1);
    }
    world.assert_one(&[0, 1, 2, 3]);
}

#[test]
fn one_member_alone_leads_nobody_into_an_epoch_that_there_is_not() {
    let mut world = World::with_group(3);
    world.send(2, "genuine").unwrap();
    world.settle();
    // Its message, as if from ten epochs on: version, format and the length of the id come before.
    let log = world.log();
    let is_message = |logged: &&Logged| matches!(logged.entry, Entry::Message(_));
    let Entry::Message(genuine) = &log.iter().rev().find(is_message).unwrap().entry else {
        panic!("no message");
    };
    let Ok(LogEntry::Message(mut ahead)) = LogEntry::decode(&genuine.0) else {
        panic!("no message")
    };
    ahead[37..45].copy_from_slice(&(world.summary(0).epoch + 10).to_be_bytes());
    world.append_garbage(2);
    world.append(2, Entry::Message(LogEntry::Message(ahead).encode().into()));
    world.settle_for(60);
    let author = world.id(2);
    for place in [0, 1] {
        assert!(!world.saw(place, |what| *what == GroupEvent::Stranded), "agent {place}");
        assert!(world.saw(place, |what| matches!(what, GroupEvent::NotOpened { author: by, why }
            if *by == author && matches!(why, GroupError::EpochAhead { .. }))));
    }
    world.rotate(0);
    world.send(1, "still here").unwrap();
    world.settle_for(2);
    assert!(world.nodes[0].bodies().contains(&"still here".to_owned()));
    world.assert_one(&[0, 1]);
}

#[test]
fn only_members_are_told_the_way_back_and_not_more_often_than_it_takes() {
    let mut world = World::with_group(3);
    let before = world.uploads;
    world.ask_way_back(2, 0);
    world.ask_way_back(2, 0);
    assert_eq!(world.uploads, before + 1);
    world.remove(0, 2);
    world.settle_for(20);
    world.ask_way_back(2, 0);
    assert_eq!(world.uploads, before + 1);
    // What is said about it is no message for the owner.
    assert!(world.nodes.iter().all(|node| node.bodies().is_empty()));
    world.assert_one(&[0, 1]);
}

#[test]
fn who_leaves_is_taken_out_by_an_admin_and_the_last_admin_names_another_first() {
    let mut world = World::with_group(3);
    let leave = GroupRequest::Leave(world.group);
    let last = Some(Err(CommandError::Group(GroupError::LastAdmin)));
    assert_eq!(world.ask(0, leave.clone()), last);
    world.ask(1, leave.clone());
    world.settle_for(1);
    assert!(!world.is_in(1));
    let member = world.id(2);
    let appoint = GroupRequest::Appoint { group: world.group, member, admin: true };
    assert_eq!(world.ask(0, appoint), Some(Ok(Answer::Done)));
    assert_eq!(world.summary(2).admins.len(), 2);
    assert_eq!(world.ask(0, leave), Some(Ok(Answer::Done)));
    world.settle_for(1);
    assert!(!world.is_in(0));
    assert_eq!(world.summary(2).members, [member]);
}

#[test]
fn only_an_admin_changes_who_is_there() {
    let mut world = World::with_group(3);
    let members = vec![world.id(2)];
    let remove = GroupRequest::Remove { group: world.group, members };
    let refused = Some(Err(CommandError::Group(GroupError::NotAdmin)));
    assert_eq!(world.ask(1, remove), refused);
    assert_eq!(world.summary(0).members.len(), 3);
}

#[test]
fn a_revoked_member_is_taken_out_by_whoever_hears_of_it_and_may() {
    let mut world = World::with_group(3);
    let (peer, number) = (world.id(2), world.nodes[2].card.sequence());
    world.nodes[0].request(Request::Revoke { peer, number });
    world.settle_for(1);
    assert!(!world.summary(1).members.contains(&peer));
    world.assert_one(&[0, 1]);
}

#[test]
fn one_agent_invites_to_as_many_groups_as_it_may_and_not_to_one_more() {
    let mut world = World::new(2);
    for _ in 0..=INVITATIONS_OF_ONE {
        world.found();
        world.invite(0, &[1], false);
        world.meet_relay(1);
        world.settle();
    }
    assert_eq!(world.nodes[1].router.invitations().unwrap().len(), INVITATIONS_OF_ONE);
}

/// A summons of the group that leads nowhere, as an admin would have sent it so long ago.
fn summon_as_of(world: &mut World, ago: Duration) {
    let summons = Summons {
        group: world.group,
        name: "crew".into(),
        holder: Holder { agent: RELAY, addresses: Vec::new() },
        after: EntryIndex(1),
        chain: LogChain::START,
        key: Secret::new([1; 32]),
        parts: vec![[2; 32]],
        welcome: vec![3],
    };
    let mut outgoing = text(world.id(1), "");
    outgoing.content_type = summons::CONTENT_TYPE.parse().unwrap();
    outgoing.body = summons.encode().unwrap();
    let now = world.nodes[0].now;
    world.nodes[0].now.wall = now.wall.saturating_sub(ago);
    world.nodes[0].request(Request::Send(outgoing));
    world.settle();
    world.nodes[0].now = now;
}

#[test]
fn a_summons_that_a_later_one_overtook_does_not_replace_it() {
    let mut world = World::new(2);
    world.found();
    world.invite(0, &[1], false);
    summon_as_of(&mut world, Duration::from_secs(5));
    world.join(1);
}

#[test]
fn an_agent_without_a_key_for_groups_is_told_so() {
    let mut alone = Node::new(1);
    let create = GroupRequest::Create { name: "crew".into(), holder: None };
    let ticket = alone.request(Request::Group(create));
    assert_eq!(alone.answer(ticket), Some(Err(CommandError::NoFleets)));
}
