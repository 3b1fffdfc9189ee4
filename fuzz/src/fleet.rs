//! What fleets read: entries of a log, charters, offers, invitations, and what travels beside them.

use std::sync::LazyLock;

use meshwork_protocols::fleet::{
    Asks, Charter, FleetKey, Group, GroupId, Invitation, KnownCards, Local, LogEntry, LogSeen,
    MAX_RECEIPT_SPAN, MemoryRows, Offer, Payload, Plan, Posting, Receipt, Received, Roster, Said,
    Suite, Summons, Surroundings, log_moved, way_back,
};
use meshwork_protocols::identity::{Card, Relay, SigningPair, Unverified, Validity};
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{Aead, Provider};
use meshwork_protocols::relay::{EntryIndex, LogChain, LogId};
use meshwork_protocols::secret::Secret;

use crate::agent::{Agent, NOW, Seeded, seeds};

/// An entry has one encoding.
pub fn fleet_entry(data: &[u8]) {
    let Ok(entry) = LogEntry::decode(data) else { return };
    assert_eq!(entry.encode(), data);
}

/// A charter is within its bounds and has one encoding.
pub fn fleet_charter(data: &[u8]) {
    let Ok(charter) = Charter::decode(data) else { return };
    assert_eq!(charter.encode().unwrap(), data);
}

/// An offer that verifies is the one that was made.
pub fn fleet_offer(data: &[u8]) {
    let Ok(offer) = Unverified::<Offer>::parse(&Pure, data) else { return };
    let rows = MemoryRows::default();
    if FOUNDER.with(&rows, |around, _| offer.verify(around, &JOINER.card)).is_ok() {
        assert_eq!(data, FLEET.offer);
    }
}

/// What is sealed to a group has one encoding, and a receipt says what it was gathered from.
pub fn fleet_payload(data: &[u8]) {
    let Ok(payload) = Payload::decode(data) else { return };
    assert_eq!(payload.encode(), data);
    if let Payload::Receipt(receipt) = payload {
        let said: Vec<_> = receipt.said().collect();
        assert!(said.len() as u64 <= MAX_RECEIPT_SPAN);
        assert_eq!(Receipt::gather(said.iter().copied()), Some((receipt, said.len())));
    }
}

/// A commit as the log holds it has one encoding.
pub fn fleet_posting(data: &[u8]) {
    let Ok(posting) = Posting::decode(data) else { return };
    assert_eq!(posting.encode().unwrap(), data);
}

/// What lets somebody come in has one encoding.
pub fn fleet_summons(data: &[u8]) {
    let Ok(summons) = Summons::decode(data) else { return };
    assert_eq!(summons.encode().unwrap(), data);
}

/// What members tell each other beside the log has one encoding.
pub fn fleet_word(data: &[u8]) {
    if let Ok(group) = way_back::asked(data) {
        assert_eq!(way_back::ask(&group), data);
    }
    if let Ok((group, moves)) = log_moved::told(data) {
        assert_eq!(log_moved::tell(&group, moves), data);
    }
    if let Ok(seen) = LogSeen::decode(data) {
        assert_eq!(seen.encode(), data);
    }
}

/// What a roster holds, whoever had its key and sealed it, has one encoding.
pub fn fleet_roster(data: &[u8]) {
    let (key, group) = (Secret::new([7; 32]), GroupId::from_bytes([3; 32]));
    let aead = Pure.aead(Aead::XChaCha20Poly1305, &key);
    let sealed = aead.seal(&[0; 24], group.as_bytes(), data).unwrap();
    let sealed = [&[1], sealed.as_slice()].concat();
    let Ok(roster) = Roster::open(&Pure, &key, &group, &sealed) else { return };
    assert_eq!(roster.seal(&Pure, &key, &group).unwrap(), sealed);
}

/// A member takes nothing that no member made.
pub fn fleet_receive(data: &[u8]) {
    let Ok(entry) = LogEntry::decode(data) else { return };
    let received = JOINER.with(&FLEET.rows, |around, _| {
        Group::load(around, FLEET.id).unwrap().receive(around, &FLEET.known, &entry)
    });
    match received.map(|step| step.output) {
        Ok(Received::Statement(_)) | Err(_) => {}
        Ok(_) => assert!(FLEET.entries.iter().any(|genuine| genuine == data)),
    }
}

/// A Welcome that opens leads into the group that it was made for.
pub fn fleet_invitation(data: &[u8]) {
    let group = JOINER.with(&FLEET.before, |around, _| {
        Invitation::open(around, &FLEET.known, data, &FLEET.tree).map(|opened| opened.group())
    });
    if let Ok(group) = group {
        assert_eq!(group, FLEET.id);
    }
}

/// Seeds, each under its name.
pub(crate) fn entries() -> Vec<(&'static str, Vec<u8>)> {
    let statement = [&[1, 4, 1], [7; 32].as_slice()].concat();
    let names = ["message", "commit"].into_iter();
    names.zip(FLEET.entries.iter().cloned()).chain([("statement", statement)]).collect()
}

/// One whose log never moved, and one whose log did.
pub(crate) fn charters() -> Vec<(&'static str, Vec<u8>)> {
    let charter = &FLEET.charter;
    let addresses = vec!["tcp:relay.example.org:443".parse().unwrap()];
    let holder = Relay { agent: Agent::peer().id(), addresses };
    let moved = charter.moved(&holder, LogId([9; 32])).unwrap();
    [("named", charter), ("moved", &moved)].map(|(name, it)| (name, it.encode().unwrap())).into()
}

pub(crate) fn offer() -> Vec<u8> {
    FLEET.offer.clone()
}

pub(crate) fn welcome() -> Vec<u8> {
    FLEET.welcome.clone()
}

pub(crate) fn posting() -> Vec<u8> {
    let entry = LogEntry::decode(&FLEET.entries[1]).unwrap();
    let cards = vec![FOUNDER.card.as_bytes().to_vec().into()];
    Posting { entry, cards }.encode().unwrap()
}

pub(crate) fn payloads() -> Vec<(&'static str, Vec<u8>)> {
    let message = |asks| Payload::Message { asks, message: vec![1, 2, 3] };
    let said =
        [(7, Said::Delivered), (9, Said::Processed), (7 + MAX_RECEIPT_SPAN - 1, Said::Delivered)];
    let (receipt, _) = Receipt::gather(said).unwrap();
    vec![
        ("message", message(Asks::Nothing).encode()),
        ("asking", message(Asks::Processed).encode()),
        ("receipt", Payload::Receipt(receipt).encode()),
    ]
}

pub(crate) fn summons() -> Vec<u8> {
    let summons = Summons {
        group: FLEET.id,
        name: "crew".into(),
        holder: FOUNDER.card.relays()[0].clone(),
        after: EntryIndex(3),
        chain: LogChain::START,
        key: Secret::new([7; 32]),
        parts: vec![[8; 32]],
        welcome: FLEET.welcome.clone(),
    };
    summons.encode().unwrap()
}

pub(crate) fn words() -> Vec<(&'static str, Vec<u8>)> {
    let seen = LogSeen { group: FLEET.id, place: 3, chain: LogChain::START };
    vec![
        ("moved", log_moved::tell(&FLEET.id, 2)),
        ("seen", seen.encode()),
        ("way_back", way_back::ask(&FLEET.id)),
    ]
}

pub(crate) fn roster() -> Vec<u8> {
    let cards = vec![FOUNDER.card.as_bytes().to_vec().into()];
    let roster = Roster { tree: FLEET.tree.clone().into(), cards };
    postcard::to_allocvec(&roster).unwrap()
}

/// A fleet of two: one founded it, the other was added and is about to read two entries.
struct Fleet {
    id: GroupId,
    charter: Charter,
    known: KnownCards,
    offer: Vec<u8>,
    welcome: Vec<u8>,
    tree: Vec<u8>,
    /// What the second has stored before it joined, and after.
    before: MemoryRows,
    rows: MemoryRows,
    entries: [Vec<u8>; 2],
}

static FLEET: LazyLock<Fleet> = LazyLock::new(|| {
    let (founder, joiner) = (&*FOUNDER, &*JOINER);
    let known = [founder, joiner].map(|member| member.card.clone()).into_iter().collect();
    let charter = Charter {
        roles: [(Agent::peer().id(), "courier".parse().unwrap())].into(),
        holders: vec![Agent::stranger().id()],
        invited: [(Agent::stranger().id(), 7)].into(),
        ..Charter::of_founder(Agent::own().id())
    };
    let (mut own, mut before) = (MemoryRows::default(), MemoryRows::default());
    let until = NOW.wall + Validity::MAX;
    let step = joiner.with(&before, |around, local| Offer::make(around, local, until, false));
    let step = step.unwrap();
    before.adopt(step.changes);
    let offers = [step.output];
    let step = founder.with(&own, |around, local| Group::create(around, local, &charter)).unwrap();
    own.adopt(step.changes);
    let mut group = step.output;
    let plan = Plan { add: &offers, ..Plan::default() };
    let added = founder.with(&own, |around, local| group.commit(around, local, &plan)).unwrap();
    own.adopt(added.changes);
    own.adopt(founder.with(&own, |around, _| group.merge(around)).unwrap().changes);
    let tree = founder.with(&own, |around, _| group.view(around).unwrap().tree()).unwrap();
    let welcome = added.output.welcomes[0].bytes.clone();
    let joined = joiner.with(&before, |around, _| {
        Invitation::open(around, &known, &welcome, &tree).unwrap().accept().unwrap()
    });
    let mut rows = before.clone();
    rows.adopt(joined.changes);
    let sealed = founder.with(&own, |around, local| group.seal(around, local, b"hello")).unwrap();
    own.adopt(sealed.changes);
    let plan = Plan { rotate: true, ..Plan::default() };
    let commit = founder.with(&own, |around, local| group.commit(around, local, &plan)).unwrap();
    Fleet {
        id: group.id(),
        charter,
        known,
        offer: offers[0].encode(),
        welcome,
        tree,
        before,
        rows,
        entries: [sealed.output, commit.output.entry].map(|entry| entry.encode()),
    }
});

static FOUNDER: LazyLock<Member> = LazyLock::new(|| Member::new(Agent::own(), 1));
static JOINER: LazyLock<Member> = LazyLock::new(|| Member::new(Agent::peer(), 2));

/// What the founder of every fleet here is made of.
pub(crate) fn founder() -> (Card, FleetKey, SigningPair) {
    let Member { card, key, pair } = Member::new(Agent::own(), 1);
    (card, key, pair)
}

/// An agent in fleets, with a card that names its key there.
struct Member {
    card: Card,
    key: FleetKey,
    pair: SigningPair,
}

impl Member {
    fn new(agent: &Agent, number: u8) -> Self {
        let pair = SigningPair::from_seeds(&Pure, seeds(number | 0x80)).unwrap();
        let seed = Secret::from_slice(agent.id().as_bytes()).unwrap();
        let key = FleetKey::from_seed(&Pure, seed).unwrap();
        let mut body = agent.card().body().clone();
        body.fleet_key = Some(key.public().to_vec());
        let card = agent.root.sign_card(&Pure, body, &mut Seeded::new(1)).unwrap();
        Self { card, key, pair }
    }

    fn with<T>(
        &self,
        rows: &MemoryRows,
        operation: impl FnOnce(&mut Surroundings<'_>, &Local<'_>) -> T,
    ) -> T {
        let mut random = Seeded::new(9);
        let mut around = Surroundings {
            provider: &Pure,
            rows,
            random: &mut random,
            now: NOW.wall,
            suite: Suite::XWing,
        };
        operation(&mut around, &Local { card: &self.card, key: &self.key, pair: &self.pair })
    }
}
