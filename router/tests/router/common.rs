//! Two routers over stores in memory, and a network between them that a test moves by hand.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use meshwork_protocols::deferred::CurveKey;
use meshwork_protocols::fleet::FleetKey;
use meshwork_protocols::identity::{
    AgentId, Card, CardBody, HybridSeeds, LiveKey, Relay, Root, Sequence, SigningPair, Transport,
    Validity,
};
use meshwork_protocols::lineage::{Incarnation, Lineage};
use meshwork_protocols::live::udp::MAX_UDP_CLEAR;
use meshwork_protocols::posture::Posture;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::random::Random;
use meshwork_protocols::relay::Rules;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::time::{Timestamp, WallTime};
use meshwork_protocols::wire::{Frame, MAX_FRAME, MessageId, Payload};
use meshwork_router::{
    Answer, BatchId, CloseReason, Command, CommandError, Config, Delivery, Event, Fleet, Input,
    Level, Meeting, Needs, Outgoing, Output, PathChange, PathId, PathKind, PathOpened, Policy,
    Request, Router, Stored, Ticket,
};
use meshwork_state::{Batch, MemoryStore, Namespace, Row, Rows, Store, StoreError};

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const START: WallTime = WallTime::from_secs(1_800_000_000);

/// SplitMix64.
#[derive(Debug)]
pub(crate) struct Seeded(pub(crate) u64);

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)).to_le_bytes()[0];
        }
    }
}

/// The secrets of agent `number`: its signing pair, where `flip` is 0x80, or its root.
fn seeds(number: u8, flip: u8) -> HybridSeeds {
    HybridSeeds {
        ed25519: Secret::new([number ^ flip; 32]),
        ml_dsa: Secret::new([!number ^ flip; 32]),
    }
}

/// The signing pair of agent `number`.
pub(crate) fn signing_pair(number: u8) -> SigningPair {
    SigningPair::from_seeds(&Pure, seeds(number, 0x80)).unwrap()
}

/// The deferred identity of agent `number`.
pub(crate) fn identity(number: u8) -> CurveKey {
    CurveKey::from_secret(&Pure, Secret::new([number; 32]))
}

/// The card of agent `number`, of a given sequence number and with these suites.
pub(crate) fn card(number: u8, sequence: u64, suites: &[u8]) -> Arc<Card> {
    card_with_relays(number, sequence, suites, &[])
}

/// The key of agent `number` in groups.
pub(crate) fn fleet_key(number: u8) -> FleetKey {
    FleetKey::from_seed(&Pure, Secret::new([number; 32])).unwrap()
}

/// The card of agent `number` that takes part in groups and names these relays.
pub(crate) fn card_for_groups(number: u8, sequence: u64, relays: &[AgentId]) -> Arc<Card> {
    signed(number, sequence, &[1], relays, Some(fleet_key(number).public().to_vec()))
}

/// The card of agent `number` that names these relays.
pub(crate) fn card_with_relays(
    number: u8,
    sequence: u64,
    suites: &[u8],
    relays: &[AgentId],
) -> Arc<Card> {
    signed(number, sequence, suites, relays, None)
}

fn signed(
    number: u8,
    sequence: u64,
    suites: &[u8],
    relays: &[AgentId],
    fleet_key: Option<Vec<u8>>,
) -> Arc<Card> {
    let root = Root::from_seeds(&Pure, seeds(number, 0)).unwrap();
    let signing_pair = signing_pair(number);
    let live_key = LiveKey::from_secret(&Pure, Secret::new([number; 32]));
    let validity = Validity { not_before: START, not_after: START + DAY * 20 };
    let mut body = CardBody::new(
        Sequence::new(sequence),
        validity,
        signing_pair.public().clone(),
        *live_key.public(),
    );
    body.suites = suites.to_vec();
    let relay = |agent: &AgentId| Relay { agent: *agent, addresses: Vec::new() };
    body.relays = relays.iter().map(relay).collect();
    body.deferred_identity = Some(identity(number).public().encode().to_vec());
    body.fleet_key = fleet_key;
    Arc::new(root.sign_card(&Pure, body, &mut Seeded(u64::from(number))).unwrap())
}

/// Makes what seals for peers that are away, for agent `number` with this card.
pub(crate) type Protocol = fn(u8, &Arc<Card>) -> Stored;

/// What an agent's owner set, and its protocol for peers that are away.
type Setup = (Policy, Protocol);

/// One agent.
pub(crate) struct Node {
    number: u8,
    pub(crate) card: Arc<Card>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) router: Router,
    pub(crate) now: Timestamp,
    /// Batches handed out and not yet made durable.
    pub(crate) batches: VecDeque<(BatchId, Batch)>,
    pub(crate) sent: VecDeque<(PathId, Vec<u8>)>,
    pub(crate) events: Vec<Event>,
    pub(crate) closed: Vec<(PathId, CloseReason)>,
    pub(crate) dials: Vec<(AgentId, Needs)>,
    /// What it wants of relays.
    pub(crate) wishes: VecDeque<Output>,
    /// The rules that relays were given, in their order.
    pub(crate) rules: Vec<(AgentId, Rules)>,
    pub(crate) setup: Setup,
    starts: u8,
    tickets: u64,
    /// Whether nobody answers when this agent dials.
    alone: bool,
    /// How many more reads the disk allows.
    reads: Arc<AtomicU32>,
}

impl Node {
    pub(crate) fn new(number: u8) -> Self {
        Self::with(number, Policy::default(), |_, _| Stored::None)
    }

    pub(crate) fn with(number: u8, policy: Policy, stored: Protocol) -> Self {
        Self::with_card(number, card(number, 1_000, &[1]), policy, stored)
    }

    pub(crate) fn with_card(number: u8, card: Arc<Card>, policy: Policy, stored: Protocol) -> Self {
        let store = Arc::new(MemoryStore::new());
        let now = Timestamp { monotonic: Duration::ZERO, wall: START };
        let reads = Arc::new(AtomicU32::new(u32::MAX));
        let rows = Unreliable { store: Arc::clone(&store), reads: Arc::clone(&reads) };
        let router = start((number, &card), rows, (policy, stored), 1, false, now);
        Self {
            number,
            card,
            store,
            router,
            now,
            batches: VecDeque::new(),
            sent: VecDeque::new(),
            events: Vec::new(),
            closed: Vec::new(),
            dials: Vec::new(),
            wishes: VecDeque::new(),
            rules: Vec::new(),
            setup: (policy, stored),
            starts: 1,
            tickets: 0,
            alone: false,
            reads,
        }
    }

    pub(crate) fn id(&self) -> AgentId {
        self.card.agent()
    }

    /// From now on nobody answers when this agent dials.
    pub(crate) fn be_alone(&mut self) {
        self.alone = true;
    }

    /// Dies without a word and starts again on what is durable.
    pub(crate) fn restart(&mut self) {
        self.restart_as(false);
    }

    pub(crate) fn restart_as(&mut self, restored: bool) {
        self.starts += 1;
        self.batches.clear();
        self.sent.clear();
        self.wishes.clear();
        self.rules.clear();
        self.events.clear();
        self.now.monotonic = Duration::ZERO;
        let rows = Unreliable { store: Arc::clone(&self.store), reads: Arc::clone(&self.reads) };
        let who = (self.number, &self.card);
        self.router = start(who, rows, self.setup, self.starts, restored, self.now);
        self.drain();
    }

    /// The disk breaks: the same agent starts with an empty state.
    pub(crate) fn lose_state(&mut self) {
        self.store = Arc::new(MemoryStore::new());
        self.restart();
        self.commit();
    }

    pub(crate) fn lineage(&self) -> Lineage {
        lineage(self.starts)
    }

    pub(crate) fn handle(&mut self, input: Input<'_>) {
        self.router.handle(self.now, input);
        self.drain();
    }

    /// Takes what the router hands out, and makes nothing durable.
    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.router.poll() {
            match output {
                Output::Commit(id, batch) => self.batches.push_back((id, batch)),
                Output::Transmit { path, frame } => self.sent.push_back((path, frame)),
                Output::Dial { peer, needs } => {
                    self.dials.push((peer, needs));
                    if self.alone {
                        let failed = PathChange::DialFailed { peer, needs };
                        self.router.handle(self.now, Input::PathChanged(failed));
                    }
                }
                Output::Close { path, reason } => self.closed.push((path, reason)),
                Output::Event(event) => self.events.push(event),
                wish @ (Output::Deposit { .. }
                | Output::TakePrekeys { .. }
                | Output::Acknowledge { .. }
                | Output::Publish { .. }
                | Output::AskRelay { .. }) => self.wishes.push_back(wish),
                Output::SetRules { relay, rules } => self.rules.push((relay, *rules)),
            }
        }
    }

    /// Makes every batch durable, as one commit.
    pub(crate) fn commit(&mut self) {
        while let Some((last, _)) = self.batches.back() {
            let last = *last;
            for (_, batch) in self.batches.drain(..) {
                self.store.commit(&batch).unwrap();
            }
            self.handle(Input::Committed(last));
        }
    }

    /// The disk fails: nothing that is not durable will be, but for what is `there` all the same.
    pub(crate) fn fail_commit(&mut self, there: bool) {
        let (failed, batch) = self.batches.pop_front().expect("something to commit");
        self.batches.clear();
        if there {
            self.store.commit(&batch).unwrap();
        }
        self.handle(Input::CommitFailed(failed));
    }

    /// After `reads` more the disk refuses every read until [`Node::read_again`].
    pub(crate) fn stop_reading_after(&self, reads: u32) {
        self.reads.store(reads, Ordering::Relaxed);
    }

    /// The disk can be read; where a read failed, the store was opened again, and what was not
    /// durable then is lost.
    pub(crate) fn read_again(&mut self) {
        self.reads.store(u32::MAX, Ordering::Relaxed);
        let lost = self.events.iter().find_map(|event| match event {
            Event::StoreFailed { lost_from, .. } => Some(*lost_from),
            _ => None,
        });
        if let Some(lost) = lost {
            self.batches.clear();
            self.handle(Input::CommitFailed(lost));
        }
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        self.handle(Input::Tick);
    }

    pub(crate) fn request(&mut self, request: Request) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.handle(Input::Command(Command { ticket, request }));
        ticket
    }

    pub(crate) fn answer(&self, wanted: Ticket) -> Option<Result<Answer, CommandError>> {
        self.events.iter().find_map(|event| match event {
            Event::Answered { ticket, answer } if *ticket == wanted => Some(*answer),
            _ => None,
        })
    }

    pub(crate) fn meet(&mut self, card: &Arc<Card>) {
        let meeting = Meeting::default();
        let ticket = self.request(Request::Meet { card: Arc::clone(card), meeting });
        self.commit();
        assert_eq!(self.answer(ticket), Some(Ok(Answer::Done)));
    }

    /// Sends and commits.
    pub(crate) fn send(&mut self, outgoing: Outgoing) -> Result<MessageId, CommandError> {
        let ticket = self.request(Request::Send(outgoing));
        self.commit();
        match self.answer(ticket).expect("an answer once it is durable") {
            Ok(Answer::Accepted(id)) => Ok(id),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn level(&self, id: MessageId) -> Option<Level> {
        self.router.status(id).unwrap().map(|status| status.level)
    }

    /// What is in the inbox, in order.
    pub(crate) fn inbox(&self) -> Vec<Delivery> {
        self.store
            .scan(Namespace::Inbox, &[], None, usize::MAX)
            .unwrap()
            .iter()
            .filter(|(key, _)| !key.is_empty())
            .map(|(_, value)| Delivery::decode(value).unwrap())
            .collect()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        let text = |delivery: Delivery| String::from_utf8(delivery.message.body).unwrap();
        self.inbox().into_iter().map(text).collect()
    }

    pub(crate) fn arrivals(&self) -> Vec<(MessageId, bool)> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Arrived { id, repeat, .. } => Some((*id, *repeat)),
                _ => None,
            })
            .collect()
    }

    /// What the members of groups compute with.
    pub(crate) fn store_of_fleets(&self) -> Vec<Row> {
        self.store.scan(Namespace::Fleet, &[], None, usize::MAX).unwrap()
    }

    /// How many rows of a namespace are durable.
    pub(crate) fn count(&self, namespace: Namespace) -> usize {
        self.store.scan(namespace, &[], None, usize::MAX).unwrap().len()
    }

    /// Every row, to compare a before with an after.
    pub(crate) fn rows(&self) -> Vec<(Namespace, Vec<u8>, Vec<u8>)> {
        Namespace::ALL
            .into_iter()
            .flat_map(|namespace| {
                let rows = self.store.scan(namespace, &[], None, usize::MAX).unwrap();
                rows.into_iter().map(move |(key, value)| (namespace, key, value.expose().to_vec()))
            })
            .collect()
    }
}

fn start(
    (number, card): (u8, &Arc<Card>),
    rows: Unreliable,
    (policy, stored): Setup,
    starts: u8,
    restored: bool,
    now: Timestamp,
) -> Router {
    let config = Config {
        own: card.agent(),
        lineage: lineage(starts),
        restored,
        policy,
        provider: Arc::new(Pure) as Arc<dyn Provider>,
        stored: stored(number, card),
        fleet: fleet(number, card),
    };
    // Two agents that draw the same would have the same keys.
    let random = Box::new(Seeded(u64::from(number) << 8 | u64::from(starts)));
    Router::restore(Box::new(rows), config, random, now).unwrap()
}

/// The protocol of groups, for an agent whose card names its key for it.
fn fleet(number: u8, card: &Arc<Card>) -> Option<Box<Fleet>> {
    let (key, pair) = (fleet_key(number), signing_pair(number));
    Fleet::new(Arc::new(Pure), key, pair, Arc::clone(card)).map(Box::new)
}

/// Rows that cannot be read for a while.
#[derive(Debug)]
struct Unreliable {
    store: Arc<MemoryStore>,
    reads: Arc<AtomicU32>,
}

impl Unreliable {
    fn read(&self) -> Result<&MemoryStore, StoreError> {
        let left = self.reads.load(Ordering::Relaxed);
        let next = left.checked_sub(1).ok_or(StoreError::Disk(std::io::ErrorKind::Other))?;
        if left < u32::MAX {
            self.reads.store(next, Ordering::Relaxed);
        }
        Ok(&self.store)
    }
}

impl Rows for Unreliable {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.read()?.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.read()?.scan(namespace, prefix, after, limit)
    }
}

fn lineage(starts: u8) -> Lineage {
    Lineage {
        incarnation: Incarnation::from_bytes([starts; 16]),
        parent: Incarnation::from_bytes([starts - 1; 16]),
        number: u64::from(starts) * 1_000,
    }
}

pub(crate) fn text(to: AgentId, body: &str) -> Outgoing {
    Outgoing {
        to,
        id: None,
        content_type: "text/plain".parse().unwrap(),
        body: body.as_bytes().to_vec(),
        lifetime: DAY,
        ordered: false,
    }
}

pub(crate) fn ordered(to: AgentId, body: &str) -> Outgoing {
    Outgoing { ordered: true, ..text(to, body) }
}

/// Two agents and the path between them.
pub(crate) struct Pair {
    pub(crate) a: Node,
    pub(crate) b: Node,
    path: u64,
}

impl Pair {
    /// Two that know each other.
    pub(crate) fn new() -> Self {
        Self::of(Node::new(1), Node::new(2))
    }

    pub(crate) fn of(mut a: Node, mut b: Node) -> Self {
        let (card_a, card_b) = (Arc::clone(&a.card), Arc::clone(&b.card));
        a.meet(&card_b);
        b.meet(&card_a);
        Self::strangers(a, b)
    }

    pub(crate) fn strangers(a: Node, b: Node) -> Self {
        Self { a, b, path: 0 }
    }

    pub(crate) fn path(&self) -> PathId {
        PathId(self.path)
    }

    /// Opens a session between them, dialled by `a`.
    pub(crate) fn connect(&mut self) {
        self.connect_over(Transport::Tcp);
    }

    /// Opens a session between them over `transport`, dialled by `a`.
    pub(crate) fn connect_over(&mut self, transport: Transport) {
        self.path += 1;
        let path = self.path();
        let (card_a, card_b) = (Arc::clone(&self.a.card), Arc::clone(&self.b.card));
        let (lineage_a, lineage_b) = (self.a.lineage(), self.b.lineage());
        for (node, card, lineage, initiated) in
            [(&mut self.a, card_b, lineage_b, true), (&mut self.b, card_a, lineage_a, false)]
        {
            let peer = card.agent();
            let kind = PathKind::Live {
                transport,
                largest_frame: largest_frame(transport),
                initiated,
                posture: Posture::HYBRID,
                card,
                lineage,
                remembered: None,
            };
            node.handle(Input::PathChanged(PathChange::Opened(PathOpened { path, peer, kind })));
            node.commit();
        }
    }

    /// A path between them is gone.
    pub(crate) fn close(&mut self, path: PathId) {
        for node in [&mut self.a, &mut self.b] {
            node.handle(Input::PathChanged(PathChange::Closed(path)));
            node.commit();
        }
    }

    /// Opens a way for mail between them.
    pub(crate) fn connect_mail(&mut self) {
        self.path += 1;
        let (path, a, b) = (self.path(), self.a.id(), self.b.id());
        for (node, peer) in [(&mut self.a, b), (&mut self.b, a)] {
            let kind = PathKind::Mail;
            node.handle(Input::PathChanged(PathChange::Opened(PathOpened { path, peer, kind })));
            node.alone = true;
        }
    }

    /// Commits and carries frames until nothing moves.
    pub(crate) fn settle(&mut self) {
        loop {
            self.a.commit();
            self.b.commit();
            if self.a.sent.is_empty() && self.b.sent.is_empty() {
                return;
            }
            while let Some((path, frame)) = self.a.sent.pop_front() {
                self.b.handle(Input::Received { path, frame: &frame });
            }
            while let Some((path, frame)) = self.b.sent.pop_front() {
                self.a.handle(Input::Received { path, frame: &frame });
            }
        }
    }

    /// The session between them is gone, and neither finds the other.
    pub(crate) fn part(&mut self) {
        self.a.be_alone();
        self.b.be_alone();
        self.close(self.path());
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        self.a.pass(span);
        self.b.pass(span);
    }
}

/// The payload of a frame in clear.
pub(crate) fn payload(frame: &[u8]) -> Payload {
    match Frame::decode(frame).unwrap() {
        Frame::Clear(payload) => payload,
        other => panic!("{other:?}"),
    }
}

/// The most bytes of a frame over `transport`.
pub(crate) fn largest_frame(transport: Transport) -> usize {
    if transport.is_reliable() { MAX_FRAME } else { SMALL_FRAME }
}

/// The most bytes of a frame where something can be lost.
pub(crate) const SMALL_FRAME: usize = MAX_UDP_CLEAR;
