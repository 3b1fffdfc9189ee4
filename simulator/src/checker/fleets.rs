//! What groups promised: one commit an epoch, everybody in one epoch, each message once with all who
//! were there and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Answer, Append, Entry, Logged, Refusal, Request};
use meshwork_protocols::wire::MessageId;
use meshwork_relay::Asked;
use meshwork_router::{Delivery, GroupEvent, Level};

use super::Violation;
use crate::happening::Sending;
use crate::network::Host;

/// What was promised in the one group of a run, and what was seen of it.
#[derive(Debug, Default)]
pub(crate) struct FleetPromises {
    violation: Option<Violation>,
    founder: Option<Host>,
    group: Option<GroupId>,
    /// Who made the commit that led to an epoch.
    authors: BTreeMap<u64, AgentId>,
    /// Who asked for a commit of each epoch to be appended.
    competitors: BTreeMap<u64, BTreeSet<AgentId>>,
    /// When each host was in.
    spans: BTreeMap<Host, Vec<Span>>,
    messages: BTreeMap<u64, Message>,
    /// Who could not follow the log at some time, and did not read all of it.
    lost: BTreeSet<Host>,
    /// The log, as members were given it.
    log: BTreeMap<u64, Logged>,
    /// The latest epoch that anybody may have been in.
    latest: u64,
    counts: FleetCounts,
}

/// How often what happened in groups.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FleetCounts {
    /// Commits that stand in a log.
    pub commits: u64,
    /// Epochs for whose end at least two members offered a commit at once.
    pub races: u64,
    /// Of these, those for which at least nineteen did: all of twenty, or all but one that had not
    /// heard of the epoch in time.
    pub crowds: u64,
    /// Messages that a member accepted.
    pub accepted: u64,
    /// Messages and members that had to have them, and have.
    pub delivered: u64,
    /// How often a sender was told that every member has its message, or has dealt with it.
    pub heard: u64,
    /// States of members that were copied before they were removed, and tried on all that came after.
    pub thefts: u64,
}

impl FleetCounts {
    pub(super) const fn add(&mut self, other: &Self) {
        self.commits += other.commits;
        self.races += other.races;
        self.crowds += other.crowds;
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.heard += other.heard;
        self.thefts += other.thefts;
    }
}

/// That a host was in the group, by the epochs that it is known to have been in.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u64,
    /// The first epoch that it was not in any more, at the latest.
    over: Option<u64>,
}

/// A message to the group.
#[derive(Clone, Copy, Debug)]
struct Message {
    sending: Sending,
    /// In which epoch it was first sealed, and as what, once it is accepted.
    accepted: Option<(u64, MessageId)>,
    /// Whether its sender was told that it stands in the log.
    logged: bool,
}

impl FleetPromises {
    pub(crate) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub(crate) const fn counts(&self) -> FleetCounts {
        self.counts
    }

    /// There is to be a group, and this host founds it.
    pub(crate) const fn is_founded_by(&mut self, host: Host) {
        self.founder = Some(host);
    }

    /// Who is to found the group, where nobody has.
    pub(crate) fn founder_wanted(&self) -> Option<Host> {
        self.founder.filter(|_| self.group.is_none())
    }

    /// The group.
    pub(crate) const fn group(&self) -> Option<GroupId> {
        self.group
    }

    /// The log so far.
    pub(crate) fn log(&self) -> impl Iterator<Item = &Logged> {
        self.log.values()
    }

    /// Whether a host is in the group, as far as it knows.
    pub(crate) fn is_in(&self, host: Host) -> bool {
        let last = self.spans.get(&host).and_then(|spans| spans.last());
        last.is_some_and(|span| span.over.is_none())
    }

    /// A host is in the group in this epoch, or is not in it.
    pub(crate) fn sees(&mut self, host: Host, seen: Option<(GroupId, u64)>) {
        let spans = self.spans.entry(host).or_default();
        let open = spans.last_mut().filter(|span| span.over.is_none());
        match (open, seen) {
            (None, Some((group, epoch))) => {
                self.group.get_or_insert(group);
                spans.push(Span { first: epoch, over: None });
                self.latest = self.latest.max(epoch);
            }
            (Some(_), Some((_, epoch))) => self.latest = self.latest.max(epoch),
            (Some(span), None) => span.over = Some(self.latest),
            (None, None) => {}
        }
    }

    /// A member is told of the group.
    pub(crate) fn told(&mut self, host: Host, what: GroupEvent) {
        match what {
            GroupEvent::Changed { author, epoch } => {
                self.latest = self.latest.max(epoch);
                if *self.authors.entry(epoch).or_insert(author) != author {
                    self.violated(Violation::TwoWinners { epoch });
                }
            }
            GroupEvent::Moved { id, level: Level::Relayed } => {
                let of_host = |message: &&mut Message| {
                    message.sending.from == host
                        && message.accepted.is_some_and(|(_, known)| known == id)
                };
                if let Some(message) = self.messages.values_mut().find(of_host) {
                    message.logged = true;
                }
            }
            GroupEvent::Stranded => {
                self.lost.insert(host);
            }
            GroupEvent::PassedOver { .. } | GroupEvent::CannotProcess(_) => {
                self.violated(Violation::GroupBroken { host, how: what.to_string() });
            }
            _ => {}
        }
    }

    /// A member sends.
    pub(crate) fn submitted(&mut self, sending: &Sending) {
        let message = Message { sending: *sending, accepted: None, logged: false };
        self.messages.entry(sending.number).or_insert(message);
    }

    /// A message was accepted, and sealed in this epoch.
    pub(crate) fn accepted(&mut self, number: u64, epoch: u64, id: MessageId) {
        if let Some(message) = self.messages.get_mut(&number) {
            message.accepted = Some((epoch, id));
            self.counts.accepted += 1;
        }
    }

    /// A sender was told what all members said of its message.
    pub(super) const fn heard(&mut self) {
        self.counts.heard += 1;
    }

    /// Whether a host missed a part of the log, and what was said there.
    pub(crate) fn was_lost(&self, host: Host) -> bool {
        self.lost.contains(&host)
    }

    /// Messages that were accepted: from whom, and their ids.
    pub(crate) fn all_accepted(&self) -> impl Iterator<Item = (Host, MessageId)> {
        let accepted = |message: &Message| Some((message.sending.from, message.accepted?.1));
        self.messages.values().filter_map(accepted)
    }

    /// Whether a message in an inbox is one that was sent, as it was sent.
    pub(super) fn is_as_sent(&self, from: Host, delivery: &Delivery) -> bool {
        let body = &delivery.message.body;
        let sent = Sending::number_of(body).and_then(|number| self.messages.get(&number));
        sent.is_some_and(|Message { sending, .. }| {
            sending.from == from && sending.body() == *body && delivery.group == self.group
        })
    }

    /// A relay answers: what stands in the log is one thing for all.
    pub(crate) fn answers(&mut self, asked: &Asked, answer: &Answer) {
        match (&asked.request, answer) {
            (
                Request::Append(Append { entry: Entry::Commit(commit), .. }),
                Answer::Appended(_) | Answer::Refused(Refusal::NotLast { .. }),
            ) if commit.builds_on.is_some() => {
                self.competitors.entry(commit.epoch).or_default().insert(asked.caller);
            }
            (Request::ReadLog(_), Answer::Entries { entries, .. }) => {
                for logged in entries {
                    if let Entry::Commit(commit) = &logged.entry {
                        self.latest = self.latest.max(commit.epoch + 1);
                    }
                    let index = logged.index.0;
                    if *self.log.entry(index).or_insert_with(|| logged.clone()) != *logged {
                        self.violated(Violation::TwoEntries { index });
                    }
                }
            }
            _ => {}
        }
    }

    /// A state was stolen and tried.
    pub(crate) fn stolen(&mut self, host: Host, opened: bool) {
        self.counts.thefts += 1;
        if opened {
            self.violated(Violation::OpenedAfterRemoval { host });
        }
    }

    /// The run is over: who has which message, as `has_come` knows.
    pub(super) fn judge_end(&mut self, has_come: impl Fn(Host, (Host, MessageId)) -> bool) {
        self.counts.commits = self.authors.len() as u64;
        let crowd = |most: usize| {
            let crowded = self.competitors.values().filter(|callers| callers.len() >= most);
            crowded.count() as u64
        };
        (self.counts.races, self.counts.crowds) = (crowd(2), crowd(A_CROWD));
        let messages: Vec<_> = self.messages.values().copied().collect();
        for message in messages {
            if let Some((epoch, id)) = message.accepted {
                self.judge_message(&message, epoch, id, &has_come);
            }
        }
    }

    fn judge_message(
        &mut self,
        message: &Message,
        epoch: u64,
        id: MessageId,
        has_come: &impl Fn(Host, (Host, MessageId)) -> bool,
    ) {
        let from = message.sending.from;
        // 1. It stands in the log, if its sender is still there or was told so.
        let stands = message.logged || self.has_stayed(from, epoch);
        let hosts: Vec<_> = self.spans.keys().copied().filter(|host| *host != from).collect();
        for host in hosts {
            let (stayed, came) = (self.has_stayed(host, epoch), has_come(host, (from, id)));
            // 2. Who was there and stayed has it; who was gone has not.
            if stands && stayed && !came {
                self.violated(Violation::GroupMessageLost { host, from, id });
            } else if came && self.was_gone(host, epoch) {
                self.violated(Violation::GroupMessageAstray { host, from, id });
            }
            self.counts.delivered += u64::from(stayed && came);
        }
    }

    /// Whether a host was in the group in this epoch, and ever since.
    fn has_stayed(&self, host: Host, epoch: u64) -> bool {
        let spans = self.spans.get(&host);
        spans.into_iter().flatten().any(|span| span.first <= epoch && span.over.is_none())
    }

    /// Whether a host was in the group neither in this epoch nor in a later one.
    fn was_gone(&self, host: Host, epoch: u64) -> bool {
        let spans = self.spans.get(&host);
        !spans.into_iter().flatten().any(|span| span.over.is_none_or(|over| over > epoch))
    }

    fn violated(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }
}

/// All of the largest group but one.
const A_CROWD: usize = 19;
