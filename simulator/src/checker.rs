//! What was promised, checked while a run goes on and once more at its end.
//!
//! It sees what no agent sees: what every application asked for and was told, and what is on every
//! disk. It knows nothing of how any of it is done.

mod fleets;
mod memory;
mod relays;
mod thief;
mod violation;

use std::collections::{BTreeMap, BTreeSet};

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::live::udp::packet::Packet;
use meshwork_protocols::provider::TAG_LENGTH;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::{MessageId, Receipt, Verdict};
use meshwork_router::{Delivery, GroupStatus, Level, PeerFacts, Router, Standing, Suspicion};
use meshwork_state::{Namespace, Rows, State};

pub use self::fleets::FleetCounts;
pub use self::memory::Memory;
pub use self::relays::RelayCounts;
pub use self::violation::Violation;

use self::fleets::FleetPromises;
use self::relays::RelayPromises;
pub(crate) use self::thief::{Cards, Thief};

use crate::happening::Sending;
use crate::mesh::Mesh;
use crate::network::Host;
use crate::node::DiskFate;

/// What was promised in one run, and what was seen of it.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    violation: Option<Violation>,
    messages: BTreeMap<u64, Message>,
    numbers: BTreeMap<(Host, MessageId), u64>,
    hosts: BTreeMap<Host, Memory>,
    /// The tags of all that sessions over UDP sealed and sent.
    sent: BTreeSet<[u8; TAG_LENGTH]>,
    /// Hosts whose disk was ever put back.
    put_back: BTreeSet<Host>,
    /// Hosts that do not keep to the protocol.
    hostile: BTreeSet<Host>,
    /// What relays promised.
    pub(crate) relays: RelayPromises,
    /// What groups promised.
    pub(crate) fleets: FleetPromises,
    counts: Counts,
}

/// What happened how often.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Processes that ended.
    pub crashes: u64,
    /// Commits that became durable.
    pub commits: u64,
    /// Commits that failed, or in which the power went.
    pub failed_commits: u64,
    /// Disks that were put back.
    pub restores: u64,
    /// Messages that a `send` accepted.
    pub accepted: u64,
    /// Of these, those that came into their inbox.
    pub delivered: u64,
    /// Those that ended as expired or refused.
    pub ended: u64,
    /// What was done at relays.
    pub relays: RelayCounts,
    /// What happened in groups.
    pub fleets: FleetCounts,
}

impl Counts {
    /// Adds what another run counted.
    pub(crate) const fn add(&mut self, other: &Self) {
        self.crashes += other.crashes;
        self.commits += other.commits;
        self.failed_commits += other.failed_commits;
        self.restores += other.restores;
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.ended += other.ended;
        self.relays.deposits += other.relays.deposits;
        self.relays.given += other.relays.given;
        self.relays.keys += other.relays.keys;
        self.fleets.add(&other.fleets);
    }
}

/// A message of some application.
#[derive(Clone, Copy, Debug)]
struct Message {
    sending: Sending,
    /// Its id, once it is known, and when its time is over, give or take what clocks may be wrong.
    accepted: Option<(MessageId, WallTime)>,
    /// Whether putting a disk back took it from one of the two.
    forgiven: bool,
}

impl Checker {
    /// What went wrong first.
    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref().or(self.relays.violation()).or(self.fleets.violation())
    }

    /// Something went wrong.
    pub(crate) fn violated(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// What was counted.
    pub(crate) const fn counts(&self) -> Counts {
        Counts { relays: self.relays.counts(), fleets: self.fleets.counts(), ..self.counts }
    }

    /// This host does not keep to the protocol: nothing is promised to it or about what it sends.
    pub(crate) fn is_hostile(&mut self, host: Host) {
        self.hostile.insert(host);
    }

    /// A process began.
    pub(crate) fn began(&mut self, host: Host, put_back: bool, restored: bool) {
        self.memory(host).begin();
        match (put_back, restored) {
            (true, false) => self.violated(Violation::RestoreNotSeen { host }),
            (false, true) => self.violated(Violation::CrashTakenForRestore { host }),
            _ => {}
        }
    }

    /// A process ended.
    pub(crate) const fn ended(&mut self) {
        self.counts.crashes += 1;
    }

    /// A commit ended.
    pub(crate) fn committed(&mut self, host: Host, durable: bool, fate: DiskFate) {
        if durable {
            self.counts.commits += 1;
        } else {
            self.counts.failed_commits += 1;
            if !matches!(fate, DiskFate::IsFull | DiskFate::Fails | DiskFate::DiesWithin) {
                self.violated(Violation::CommitFailed { host });
            }
        }
    }

    /// An application sends.
    pub(crate) fn submitted(&mut self, sending: &Sending) {
        let message = Message { sending: *sending, accepted: None, forgiven: false };
        self.messages.entry(sending.number).or_insert(message);
        if let Some(id) = sending.id {
            self.numbers.insert((sending.from, id), sending.number);
        }
    }

    /// An application was told that its message is accepted.
    pub(crate) fn accepted(&mut self, sending: &Sending, id: MessageId, now: WallTime) {
        let (host, number) = (sending.from, sending.number);
        let known = *self.numbers.entry((host, id)).or_insert(number);
        if known != number || sending.id.is_some_and(|named| named != id) {
            self.violated(Violation::IdGivenTwice { host, id });
        }
        let over = now + sending.lifetime;
        if let Some(message) = self.messages.get_mut(&number)
            && message.accepted.is_none()
        {
            message.accepted = Some((id, over));
            self.counts.accepted += 1;
        }
        self.memory(host).accept(number);
    }

    /// An application was told how far its message got.
    pub(crate) fn moved(
        &mut self,
        host: Host,
        mesh: &Mesh,
        id: MessageId,
        to: &AgentId,
        level: Level,
    ) {
        if mesh.host(to).is_none_or(|to| self.hostile.contains(&to)) {
            return;
        }
        if let Some(before) = self.memory(host).advance(id, level) {
            self.violated(Violation::MovedBack { host, id, before, after: level });
        }
    }

    /// An application was told of a message in its inbox.
    pub(crate) fn arrived(
        &mut self,
        host: Host,
        mesh: &Mesh,
        state: &State,
        (arrival, sender, id, repeat): (u64, AgentId, MessageId, bool),
    ) {
        let Some(from) = mesh.host(&sender) else { return };
        // 1. It is there, durably, as whom and what it was said to be.
        match state.get(Namespace::Inbox, &Delivery::key(arrival)) {
            Ok(Some(row)) => {
                if let Ok(delivery) = Delivery::decode(&row) {
                    self.judge_delivery((host, arrival), (from, sender, id), &delivery);
                }
            }
            Ok(None) => self.violated(Violation::ToldBeforeDurable { host, from, id }),
            // The disk failed at this moment.
            Err(_) => {}
        }
        // 2. It came once.
        if let Err(twice) = self.memory(host).arrive(arrival, (from, id), repeat) {
            self.violated(Violation::CameTwice { host, from, id, how: twice });
        }
    }

    /// An application dealt with a message, durably.
    pub(crate) fn processed(&mut self, host: Host, mesh: &Mesh, sender: &AgentId, id: MessageId) {
        if let Some(from) = mesh.host(sender) {
            self.memory(host).process((from, id));
        }
    }

    /// A router suspects a state of having been put back.
    pub(crate) fn suspected(
        &mut self,
        host: Host,
        mesh: &Mesh,
        peer: &AgentId,
        suspicion: Suspicion,
    ) {
        let Some(peer) = mesh.host(peer) else { return };
        let suspect = if suspicion == Suspicion::WeAreRestored { host } else { peer };
        if !self.put_back.contains(&suspect) && !self.hostile.contains(&suspect) {
            self.violated(Violation::CrashSuspected { host, suspect, suspicion });
        }
    }

    /// A datagram leaves. What a session sealed leaves once: sent again it would end in the replay
    /// window, and whoever sends it would wait for an answer in vain. Handshakes say the same again.
    pub(crate) fn datagram_leaves(&mut self, host: Host, datagram: &[u8]) {
        let is_sealed = matches!(Packet::decode(datagram), Some(Packet::Data { .. }));
        let tag = datagram.last_chunk().filter(|_| is_sealed);
        if tag.is_some_and(|tag| !self.sent.insert(*tag)) {
            self.violated(Violation::SentAsItWas { host });
        }
    }

    /// Receipts leave for a peer: what they say must be durable, and the peer known.
    pub(crate) fn receipts_leave(
        &mut self,
        host: Host,
        mesh: &Mesh,
        state: &State,
        peer: &AgentId,
        receipts: &[Receipt],
    ) {
        let Some(to) = mesh.host(peer) else { return };
        if let Ok(facts) = state.get(Namespace::Peer, peer.as_bytes()) {
            let facts = facts.and_then(|row| PeerFacts::decode(&row).ok());
            if facts.is_none_or(|facts| facts.standing != Standing::Known) {
                self.violated(Violation::StrangerAnswered { host, to });
            }
        }
        for Receipt { id, verdict } in receipts {
            if !matches!(verdict, Verdict::Delivered | Verdict::Processed) {
                continue;
            }
            // Once it was durable it may be forgotten, and the last receipts still leave.
            let is_first = self.memory(host).acknowledge((to, *id));
            let key = [peer.as_bytes().as_slice(), id.as_bytes()].concat();
            if is_first && matches!(state.get(Namespace::Seen, &key), Ok(None)) {
                self.violated(Violation::AcknowledgedBeforeDurable { host, to, id: *id });
            }
        }
    }

    /// A relay is told that mail need not be kept, and what it brought is not durable.
    pub(crate) fn mail_acknowledged_early(&mut self, host: Host, relay: Host) {
        self.violated(Violation::MailAcknowledgedBeforeDurable { host, relay });
    }

    /// What is known of a host now, to be remembered with a copy of its disk.
    pub(crate) fn remember(&mut self, host: Host) -> Memory {
        self.memory(host).clone()
    }

    /// A disk was put back to a copy: what happened since is forgotten and forgiven.
    pub(crate) fn put_back(&mut self, host: Host, memory: Memory) {
        self.counts.restores += 1;
        self.put_back.insert(host);
        let lost = std::mem::replace(self.memory(host), memory);
        let kept = self.memory(host).clone();
        let unsent = lost.accepted_since(&kept);
        let unread =
            lost.arrived_since(&kept).filter_map(|place| self.numbers.get(&place).copied());
        let forgiven: Vec<_> = unsent.chain(unread).collect();
        for number in forgiven {
            if let Some(message) = self.messages.get_mut(&number) {
                message.forgiven = true;
            }
        }
    }

    /// The run is over and all is calm: what became of each message that was accepted.
    pub(crate) fn judge_end(&mut self, host: Host, router: &Router, now: WallTime) {
        let mine: Vec<_> = self
            .messages
            .values()
            .filter(|message| message.sending.from == host)
            .copied()
            .collect();
        for message in mine {
            if let Some((id, over)) = message.accepted {
                let level = router.status(id).ok().flatten().map(|status| status.level);
                self.judge_message(&message, id, level, now > over);
            }
        }
    }

    fn judge_message(
        &mut self,
        message: &Message,
        id: MessageId,
        level: Option<Level>,
        is_over: bool,
    ) {
        let Sending { from: host, to, .. } = message.sending;
        let came = self.memory(to).has_come((host, id));
        match level {
            _ if came => self.counts.delivered += 1,
            Some(Level::Expired | Level::Refused(_)) => self.counts.ended += 1,
            _ => {}
        }
        let free = message.forgiven
            || [host, to].iter().any(|end| self.hostile.contains(end))
            || [host, to].iter().any(|end| self.put_back.contains(end)) && level.is_none();
        let kept = match level {
            Some(Level::Delivered | Level::Processed) => came,
            // No receipt came in time. Once the time is over, and one of two clocks may say so early,
            // none is repeated for ever.
            Some(Level::Expired) => !came || is_over,
            Some(Level::Refused(_)) => !came,
            Some(Level::Queued | Level::Sent) | None => false,
            Some(_) => false,
        };
        if !kept && !free {
            self.violated(Violation::NotKept { host, to, id, level, came });
        }
    }

    fn judge_delivery(
        &mut self,
        (host, arrival): (Host, u64),
        (from, sender, id): (Host, AgentId, MessageId),
        delivery: &Delivery,
    ) {
        let is_as_said = delivery.sender == sender && delivery.message.id == id;
        if delivery.group.is_some() {
            if !self.fleets.is_as_sent(from, delivery) || !is_as_said {
                self.violated(Violation::NotAsSent { host, from, id });
            }
            return;
        }
        let body = &delivery.message.body;
        let number = Sending::number_of(body);
        let sent = number.and_then(|number| Some((number, self.messages.get(&number)?)));
        let is_as_sent = sent.is_some_and(|(number, message)| {
            message.sending.from == from
                && message.sending.to == host
                && message.sending.body() == *body
                && self.numbers.get(&(from, id)).is_none_or(|known| *known == number)
        });
        let holds = is_as_sent && is_as_said;
        if !holds && !self.hostile.contains(&from) {
            self.violated(Violation::NotAsSent { host, from, id });
        }
        if let Some(number) = number {
            self.numbers.entry((from, id)).or_insert(number);
        }
        // A sender that was put back tries again what it had sent before others.
        let is_free = self.put_back.contains(&from) || self.put_back.contains(&host);
        if let Some(place) = delivery.message.order
            && !is_free
            && !self.memory(host).comes_in_order(from, place, arrival)
        {
            self.violated(Violation::OutOfOrder { host, from, id });
        }
    }

    /// So many members said that they have a message of this host: at least as many have it, durably.
    pub(crate) fn heard_of_members(&mut self, host: Host, id: MessageId, status: &GroupStatus) {
        let have = self.hosts.values().filter(|it| it.has_come((host, id))).count();
        let (said, all) = (status.delivered.max(status.processed), status.undelivered.is_empty());
        if have < said as usize || !all {
            self.violated(Violation::ReceiptsLie { host, id });
        }
        self.fleets.heard();
    }

    /// Whether a member has a message of this host.
    pub(crate) fn has_come(&self, member: Host, message: (Host, MessageId)) -> bool {
        self.hosts.get(&member).is_some_and(|it| it.has_come(message))
    }

    /// The run is over: who has which message of the group.
    pub(crate) fn judge_group(&mut self) {
        let Self { fleets, hosts, .. } = self;
        fleets.judge_end(|host, message| hosts.get(&host).is_some_and(|it| it.has_come(message)));
    }

    fn memory(&mut self, host: Host) -> &mut Memory {
        self.hosts.entry(host).or_default()
    }
}
