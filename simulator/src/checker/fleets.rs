//! What groups promised: one commit an epoch, everybody in one epoch, each message once with all who
//! were there and nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Answer, Append, Commit, Entry, LogId, Logged, Refusal, Request};
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
    /// Who made the commits that led to an epoch: one, and one more for each time that the log was put
    /// back.
    authors: BTreeMap<u64, BTreeSet<AgentId>>,
    /// Who asked for a commit of each epoch to be appended.
    competitors: BTreeMap<u64, BTreeSet<AgentId>>,
    /// When each host was in.
    spans: BTreeMap<Host, Vec<Span>>,
    messages: BTreeMap<u64, Message>,
    /// Who was a member, as far as the sender of a message knew when it sent.
    meant_for: BTreeMap<u64, BTreeSet<Host>>,
    /// In which epoch a host came in that was invited, and how many messages were accepted before.
    joins: BTreeMap<Host, Vec<(u64, u64)>>,
    /// Who was told that it is in, and was not seen there yet.
    joining: BTreeSet<Host>,
    /// Who keeps back what it sends.
    keeps_back: BTreeSet<Host>,
    /// Who was told of whom that it is a member, though it took it for out.
    not_removed: BTreeSet<(Host, Host)>,
    /// Who could not follow the log at some time, and did not read all of it.
    lost: BTreeSet<Host>,
    /// The ends of commits that brought somebody in.
    additions: BTreeSet<Vec<u8>>,
    /// The ends of all commits that members were ever given.
    commits: BTreeSet<Vec<u8>>,
    /// The logs that the group was in, one after the other.
    logs: Vec<LogId>,
    /// What stands in them, as members were given it.
    log: BTreeMap<(usize, u64), Logged>,
    /// The latest epoch that anybody may have been in.
    latest: u64,
    /// How often the log was put back.
    history: usize,
    /// Since when the group heals, if it does.
    heals_since: Option<Duration>,
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
    /// How often a group's log moved to another relay.
    pub moves: u64,
    /// States of members that were copied before they were removed, and tried on all that came after.
    pub thefts: u64,
    /// Logs that were put back to what they were before.
    pub put_backs: u64,
    /// Epochs to which commits of two members led, on two histories.
    pub forks: u64,
    /// How often a member kept back what it sends from who is one again, by a removal that is void.
    pub kept_back: u64,
    /// The longest time until a group was one again after that, in virtual milliseconds.
    pub longest_healing: u64,
}

impl FleetCounts {
    pub(super) const fn add(&mut self, other: &Self) {
        self.commits += other.commits;
        self.races += other.races;
        self.crowds += other.crowds;
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.heard += other.heard;
        self.moves += other.moves;
        self.thefts += other.thefts;
        self.put_backs += other.put_backs;
        self.forks += other.forks;
        self.kept_back += other.kept_back;
        if self.longest_healing < other.longest_healing {
            self.longest_healing = other.longest_healing;
        }
    }
}

/// That a host was in the group, by the epochs that it is known to have been in.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u64,
    /// The last one.
    last: u64,
    /// The first epoch that it was not in any more, at the latest.
    over: Option<u64>,
    /// In which history of the log it came.
    history: usize,
}

/// A message to the group.
#[derive(Clone, Copy, Debug)]
struct Message {
    sending: Sending,
    /// In which epoch it was first sealed, and as what, once it is accepted.
    accepted: Option<(u64, MessageId)>,
    /// Whether its sender was told that it stands in the log.
    logged: bool,
    /// In which history of the log it was accepted.
    history: usize,
    /// How many messages were accepted before.
    number: u64,
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

    /// The log that the group is in, as far as a member read it.
    pub(crate) fn present_log(&self) -> Option<LogId> {
        let first = || self.group.map(|group| LogId(*group.as_bytes()));
        self.logs.last().copied().or_else(first)
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
        // Whose commit of that failed was told nothing, and may be in all the same.
        let comes_in = |_: &(GroupId, u64)| self.joining.remove(&host) || spans.is_empty();
        if let Some((_, epoch)) = seen.filter(comes_in) {
            self.joins.entry(host).or_default().push((epoch, self.counts.accepted));
        }
        let open = spans.last_mut().filter(|span| span.over.is_none());
        match (open, seen) {
            (None, Some((group, epoch))) => {
                self.group.get_or_insert(group);
                spans.push(Span { first: epoch, last: epoch, over: None, history: self.history });
                self.latest = self.latest.max(epoch);
            }
            (Some(_), Some((_, epoch))) => {
                self.latest = self.latest.max(epoch);
                self.comes_to(host, epoch);
            }
            // Who is lost to the group while that stays in its epoch was in that one.
            (Some(span), None) => span.over = Some(self.latest.max(span.last + 1)),
            (None, None) => {}
        }
    }

    /// A member keeps back what it sends, from who is one again, or does not.
    pub(crate) fn keeps_back(&mut self, host: Host, keeps: bool) {
        if !keeps {
            self.keeps_back.remove(&host);
        } else if self.keeps_back.insert(host) {
            self.counts.kept_back += 1;
        }
    }

    /// A host that is in the group comes to an epoch.
    fn comes_to(&mut self, host: Host, epoch: u64) {
        let last = self.spans.get_mut(&host).and_then(|spans| spans.last_mut());
        if let Some(span) = last.filter(|span| span.over.is_none()) {
            span.last = span.last.max(epoch);
        }
    }

    /// A member is told of the group.
    pub(crate) fn told(&mut self, host: Host, what: GroupEvent) {
        match what {
            GroupEvent::Changed { author, epoch } => {
                self.latest = self.latest.max(epoch);
                self.comes_to(host, epoch);
                let authors = self.authors.entry(epoch).or_default();
                authors.insert(author);
                if authors.len() > 1 + self.history {
                    self.violated(Violation::TwoWinners { epoch });
                }
            }
            GroupEvent::Moved { id, level: Level::Relayed } => {
                let of_host = |message: &&mut Message| {
                    message.sending.from == host
                        && message.accepted.is_some_and(|(_, known)| known == id)
                };
                // Beside another history it may stand where those do not read it who prevail: its
                // sender sees to it that they do, if it is still a member then. Who is a member no
                // more is told late of what it read before.
                let is_one = self.heals_since.is_none() && (self.history == 0 || self.is_in(host));
                if let Some(message) = self.messages.values_mut().find(of_host) {
                    message.logged = is_one;
                }
            }
            GroupEvent::Stranded => {
                self.lost.insert(host);
            }
            GroupEvent::Joined => {
                self.joining.insert(host);
            }
            GroupEvent::PassedOver { .. }
            | GroupEvent::CannotProcess(_)
            | GroupEvent::TwoLogs { .. }
                if !self.has_two_histories() =>
            {
                self.violated(Violation::GroupBroken { host, how: what.to_string() });
            }
            _ => {}
        }
    }

    /// A member is told that another is one, which it took for out.
    pub(crate) fn told_not_removed(&mut self, host: Host, of: Host) {
        self.not_removed.insert((host, of));
    }

    /// A member sends, to these as far as it knows.
    pub(crate) fn submitted(&mut self, sending: &Sending, members: BTreeSet<Host>) {
        let history = self.history;
        let message =
            Message { sending: *sending, accepted: None, logged: false, history, number: 0 };
        let message = self.messages.entry(sending.number).or_insert(message);
        if message.accepted.is_none() {
            self.meant_for.insert(sending.number, members);
        }
    }

    /// A message was accepted, and sealed in this epoch.
    pub(crate) fn accepted(&mut self, number: u64, epoch: u64, id: MessageId) {
        if let Some(message) = self.messages.get_mut(&number) {
            message.accepted = Some((epoch, id));
            message.history = self.history;
            message.number = self.counts.accepted;
            self.counts.accepted += 1;
        }
    }

    /// The log was put back to what it was when this entry was its last.
    pub(crate) fn log_put_back(&mut self, last: u64, now: Duration) {
        self.history += 1;
        self.counts.put_backs += 1;
        self.heals_since = Some(now);
        let present = self.logs.len().saturating_sub(1);
        self.log.split_off(&(present, last + 1));
        self.messages.values_mut().for_each(|message| message.logged = false);
    }

    /// Whether the log was put back, so that members may have gone different ways.
    pub(crate) const fn has_two_histories(&self) -> bool {
        self.history > 0
    }

    /// Since when the group heals, if it does.
    pub(crate) const fn heals_since(&self) -> Option<Duration> {
        self.heals_since
    }

    /// The group is one again.
    pub(crate) fn healed(&mut self, now: Duration) {
        if let Some(since) = self.heals_since.take() {
            let took = u64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(u64::MAX);
            self.counts.longest_healing = self.counts.longest_healing.max(took);
        }
    }

    /// Whether a request appends a commit that stood in the log before.
    pub(crate) fn is_put_back(&self, request: &Request) -> bool {
        match request {
            Request::Append(Append { entry: Entry::Commit(commit), .. }) => {
                self.commits.contains(&end_of(commit))
            }
            _ => false,
        }
    }

    /// Whether a commit stands in the log that leads to this epoch, or the group is in its first.
    pub(crate) fn log_leads_to(&self, epoch: u64) -> bool {
        let leads = |logged: &Logged| match &logged.entry {
            Entry::Commit(commit) => commit.builds_on.is_some() && commit.epoch + 1 == epoch,
            _ => false,
        };
        epoch == 0 || self.log.values().any(leads)
    }

    /// Whether the log was put back since a message was accepted, with what was said of it there.
    pub(crate) fn was_log_lost(&self, id: MessageId) -> bool {
        let is_it = |message: &&Message| message.accepted.is_some_and(|(_, known)| known == id);
        let message = self.messages.values().find(is_it);
        message.is_some_and(|message| message.history < self.history)
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
    pub(crate) fn answers(
        &mut self,
        asked: &Asked,
        answer: &Answer,
        host: impl Fn(&AgentId) -> Option<Host>,
    ) {
        match (&asked.request, answer) {
            (
                Request::Append(Append { entry: Entry::Commit(commit), .. }),
                Answer::Appended(_) | Answer::Refused(Refusal::NotLast { .. }),
            ) if commit.builds_on.is_some() => {
                self.competitors.entry(commit.epoch).or_default().insert(asked.caller);
                if let Answer::Appended(_) = answer {
                    let added: Vec<_> =
                        commit.admitted.iter().filter_map(|(agent, _)| host(agent)).collect();
                    self.brings_in(commit, &added);
                }
            }
            (Request::ReadLog(read), Answer::Entries { entries, .. }) => {
                let number = self.number_of(read.log);
                for logged in entries {
                    if let Entry::Commit(commit) = &logged.entry {
                        self.commits.insert(end_of(commit));
                        self.latest = self.latest.max(commit.epoch + 1);
                    }
                    let index = logged.index.0;
                    if *self.log.entry((number, index)).or_insert_with(|| logged.clone()) != *logged
                    {
                        self.violated(Violation::TwoEntries { index });
                    }
                }
            }
            _ => {}
        }
    }

    /// Members read one log after the other, and none that a move in vain left behind.
    fn number_of(&mut self, log: LogId) -> usize {
        let known = self.logs.iter().position(|known| *known == log);
        known.unwrap_or_else(|| {
            self.logs.push(log);
            self.logs.len() - 1
        })
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
        self.counts.moves = self.logs.len().saturating_sub(1) as u64;
        self.counts.commits = self.authors.values().map(|authors| authors.len() as u64).sum();
        self.counts.forks =
            self.authors.values().filter(|authors| authors.len() > 1).count() as u64;
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
        let when = (epoch, message.history);
        let stands = message.logged || self.has_stayed(from, when);
        let hosts: Vec<_> = self.spans.keys().copied().filter(|host| *host != from).collect();
        for host in hosts {
            let (stayed, came) = (self.has_stayed(host, when), has_come(host, (from, id)));
            // 2. Who was there and stayed has it; who was gone has not.
            if stands && stayed && !came {
                self.violated(Violation::GroupMessageLost { host, from, id });
            } else if came && self.was_gone(host, epoch) {
                self.violated(Violation::GroupMessageAstray { host, from, id });
            }
            // 3. Nor has who was taken out, as its sender knew, even where that did not count.
            if came && self.was_taken_out(host, message, epoch) {
                self.violated(Violation::GroupMessageToOneOut { host, from, id });
            }
            self.counts.delivered += u64::from(stayed && came);
        }
    }

    /// An admin brings these in, by a commit that was not in the log before. Those that are in already
    /// by an earlier one, and could not follow the log, come back in place of joining.
    fn brings_in(&mut self, commit: &Commit, added: &[Host]) {
        if !added.is_empty() && self.additions.insert(end_of(commit)) {
            for host in added {
                self.joins.entry(*host).or_default().push((0, self.counts.accepted));
            }
        }
    }

    /// Whether a host was in the group in this epoch of this history, and ever since.
    fn has_stayed(&self, host: Host, (epoch, history): (u64, usize)) -> bool {
        let was_there = |span: &Span| span.first <= epoch && span.history <= history;
        let spans = self.spans.get(&host);
        spans.into_iter().flatten().any(|span| was_there(span) && span.over.is_none())
    }

    /// Whether a host was in the group neither in this epoch nor in a later one.
    fn was_gone(&self, host: Host, epoch: u64) -> bool {
        let spans = self.spans.get(&host);
        !spans.into_iter().flatten().any(|span| span.over.is_none_or(|over| over > epoch))
    }

    /// Whether a host was no member when a message was sent, as far as its sender knew, and was not
    /// added since. Who was told that it is one all the same knows to whom it speaks.
    fn was_taken_out(&self, host: Host, message: &Message, epoch: u64) -> bool {
        let Sending { from, number, .. } = message.sending;
        let is_meant = |hosts: &BTreeSet<Host>| hosts.contains(&host);
        let is_later = |(joined, before): &(u64, u64)| *joined > epoch || *before > message.number;
        let joins = self.joins.get(&host);
        !self.meant_for.get(&number).is_none_or(is_meant)
            && !joins.into_iter().flatten().any(is_later)
            && !self.not_removed.contains(&(from, host))
    }

    fn violated(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }
}

/// The end of a commit, which tells it from others.
fn end_of(commit: &Commit) -> Vec<u8> {
    commit.bytes.0.iter().rev().take(32).copied().collect()
}

/// All of the largest group but one.
const A_CROWD: usize = 19;
