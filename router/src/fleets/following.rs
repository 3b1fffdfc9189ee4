//! Following a group's log: each entry in its order, and what follows from it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{
    Asks, Change, GroupError, GroupId, LogEntry, Payload, Posting, Received, Said, Step,
};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::posture::{Posture, Strength};
use meshwork_protocols::relay::{
    Answer, Append, Commit, Entry, EntryIndex, LogChain, LogId, Logged, MayAppend, Opaque, ReadLog,
    Refusal, Request, Statement, StatementKind,
};
use meshwork_protocols::time::CLOCK_TOLERANCE;
use meshwork_protocols::wire::{MAX_LIFETIME, Message};
use meshwork_state::{Namespace, StoreError};

use super::ageing::Ageing;
use super::histories::{Asked, Part};
use super::listing::named;
use super::{Errand, Member};
use crate::choice::Protocol;
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{Passed, Stage, Wish, key};
use crate::inbox::Delivery;
use crate::peer::Standing;
use crate::seen::SeenRow;
use crate::transition::Transition;

/// How long the holder waits for an entry before it says that there is none.
const WAIT_MILLIS: u32 = 45_000;

/// The most entries read at once: the answer has a bound in bytes as well.
const MOST: u16 = 256;

/// When a message that the inbox has no room for is looked at again.
const FULL_REST: Duration = Duration::from_secs(30);

/// Each other member leaves so much time for the one before it to confirm a commit.
const CONFIRM_SPREAD: u32 = 25;

/// Members of a group so small that all may confirm at once.
const FEW: usize = 4;

/// How many entries are told to the holder at once as needed no more.
const PASS_EVERY: u64 = 32;

/// What became of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Taken {
    /// It is dealt with.
    Yes,
    /// It is looked at again later.
    Later,
    /// The group is left, cannot be followed, or goes on in another log.
    Over,
}

impl Desk {
    /// Founds the log: its first entry lists who may append, and nothing else.
    pub(super) fn found(&mut self, step: &mut Transition<'_>, group: GroupId) {
        let append = Append { log: log_of(group), entry: founding(self.config.own) };
        self.errand(step, group, Errand::Found, Request::Append(append));
    }

    pub(super) fn founded(&mut self, step: &mut Transition<'_>, group: GroupId, answer: &Answer) {
        let Some(member) = self.fleets.members.get_mut(&group) else { return };
        match answer {
            Answer::Appended(index) => {
                member.row.stage = Stage::Member;
                (member.row.read, member.row.last_commit) = (index.0, index.0);
                let (provider, own) = (&*self.config.provider, self.config.own);
                let chain = LogChain::START.with(provider, *index, &own, &founding(own));
                member.row.chain = Some(chain);
                member.row.commit_chain = Some((index.0, chain));
                member.caught_up = true;
                member.write(step, &group);
                Self::tell_of_group(step, group, GroupEvent::Founded);
            }
            _ => self.refused(step, group),
        }
    }

    /// The holder refuses what it is asked for: it is asked again after a while.
    pub(super) fn refused(&mut self, step: &mut Transition<'_>, group: GroupId) {
        let Some(member) = self.fleets.members.get_mut(&group) else { return };
        member.rests = Some(step.now.monotonic + super::LONGEST_REST);
        Self::tell_of_group(step, group, GroupEvent::Refused);
    }

    /// The holder said what does not agree with what was read since: it is asked again soon.
    pub(super) fn rest_a_moment(&mut self, step: &Transition<'_>, group: GroupId) {
        if let Some(member) = self.fleets.members.get_mut(&group) {
            member.rests = Some(step.now.monotonic + super::FIRST_REST);
        }
    }

    /// Reads on behind the last entry.
    pub(super) fn read_on(&mut self, step: &mut Transition<'_>, group: GroupId) {
        let Some(member) = self.fleets.members.get_mut(&group) else { return };
        if member.row.stage != Stage::Member {
            return;
        }
        if member.under_way.contains(&Errand::Read) {
            return;
        }
        let told = member.row.told_moves;
        // A move that was told of stands there by now, or never.
        let is_told = told.is_some() && told != member.reading.told;
        let wait = if member.caught_up && !is_told { WAIT_MILLIS } else { 0 };
        let after = EntryIndex(member.row.read);
        member.reading = Asked { after: after.0, least: member.promised, told };
        let read = ReadLog { log: log_of(group), after, most: MOST, wait };
        self.errand(step, group, Errand::Read, Request::ReadLog(read));
    }

    pub(super) fn read_came(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&group) else { return Ok(()) };
        if member.reading.after != member.row.read {
            // It was asked before this agent came back, or began anew.
            return Ok(());
        }
        if answer == Answer::Refused(Refusal::NoSuchLog) {
            return self.log_is_gone(step, group);
        }
        let Answer::Entries { first, last, chain, entries } = answer else {
            match answer {
                Answer::Refused(Refusal::NotListed) => self.not_listed(step, group),
                _ => self.strand(step, group),
            }
            return Ok(());
        };
        let Some(member) = self.fleets.members.get_mut(&group) else { return Ok(()) };
        let log = member.row.log(&group);
        let part = Part::of(log, (first, last), chain, entries);
        if member.is_contradicted_by(&part) {
            self.read_anew(step, group);
            return Ok(());
        }
        let is_new = member.begin_at(&part);
        let before = member.row.read;
        if first.0 > before + 1 {
            self.strand(step, group);
            return Ok(());
        }
        for mut logged in part.entries {
            let Some(member) = self.fleets.members.get(&group) else { return Ok(()) };
            if log.place(logged.index) != member.row.read + 1 {
                continue;
            }
            // The chain is over what the holder keeps.
            let Logged { index, author, entry, .. } = &logged;
            let provider = &*self.config.provider;
            let with = |it: LogChain| it.with(provider, *index, author, entry);
            let chain = member.row.chain.map(with);
            log.locate(&mut logged);
            match self.entry(step, group, &logged, chain)? {
                Taken::Yes => {
                    if let Some(member) = self.fleets.members.get_mut(&group) {
                        (member.row.chain, member.row.read) = (chain, logged.index.0);
                        if member.row.last_commit == member.row.read {
                            let at = member.row.read;
                            member.row.commit_chain = chain.map(|chain| (at, chain));
                            self.commit_was_read(step, group);
                        }
                    }
                }
                Taken::Later => break,
                Taken::Over => return Ok(()),
            }
        }
        let Some(member) = self.fleets.members.get_mut(&group) else { return Ok(()) };
        member.caught_up = member.row.read >= last.0;
        let (read, is_at_the_end) = (member.row.read, member.caught_up);
        let is_over = member.row.anew && is_at_the_end;
        if read > before || is_new {
            member.write(step, &group);
        }
        if is_at_the_end {
            self.read_to_the_end(step, group);
            self.age(step, group)?;
        }
        if is_over {
            self.was_read_anew(step, group)?;
        }
        if is_at_the_end {
            self.move_is_not_there(step, group);
        }
        if self.is_out(group) {
            self.not_listed(step, group);
            return Ok(());
        }
        if read / PASS_EVERY > before / PASS_EVERY {
            self.pass(step, group, EntryIndex(read));
        }
        Ok(())
    }

    /// The holder need not keep what every member has read.
    fn pass(&mut self, step: &mut Transition<'_>, group: GroupId, through: EntryIndex) {
        let request = Request::PassedLog { log: log_of(group), through };
        self.errand(step, group, Errand::Pass, request);
    }

    fn entry(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        logged: &Logged,
        chain: Option<LogChain>,
    ) -> Result<Taken, StoreError> {
        match &logged.entry {
            Entry::Commit(commit) => self.commit_entry(step, group, (logged, chain), commit),
            Entry::Message(bytes) => self.message_entry(step, group, logged, bytes),
            Entry::Statement(statement) => {
                self.statement_entry(step, group, logged.author, statement)?;
                Ok(Taken::Yes)
            }
            // Nobody needs to found a group anew: what one member cannot process, all pass over.
            Entry::Refounding(_) => self.pass_over(step, group, logged, GroupError::Malformed),
        }
    }

    fn commit_entry(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        (logged, chain): (&Logged, Option<LogChain>),
        commit: &Commit,
    ) -> Result<Taken, StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(Taken::Over) };
        member.lists(logged.index.0, commit);
        if commit.builds_on.is_none() {
            member.row.last_commit = logged.index.0;
            return Ok(Taken::Yes);
        }
        if self.led_here(step, id, logged, commit)? {
            return Ok(Taken::Yes);
        }
        self.process_commit(step, id, (logged, chain), commit)
    }

    fn process_commit(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        (logged, chain): (&Logged, Option<LogChain>),
        commit: &Commit,
    ) -> Result<Taken, StoreError> {
        let Self { config, fleets, random, .. } = self;
        let (Some(fleet), Some(member)) = (&config.fleet, fleets.members.get_mut(&id)) else {
            return Ok(Taken::Over);
        };
        // 1. What it is, and the cards that come with it.
        let posting = match Posting::decode(&commit.bytes.0) {
            Ok(posting) => posting,
            Err(why) => return self.pass_over(step, id, logged, why),
        };
        let Ok(cards) = member.cards.with(fleet.provider(), &posting.cards, step.now.wall) else {
            return self.pass_over(step, id, logged, GroupError::Malformed);
        };
        // 2. It is judged by them and by the group alone.
        let returns = matches!(posting.entry, LogEntry::Rejoin { .. });
        let slot = (id, &mut member.group);
        let received = fleet.on(step, &mut **random, slot, |group, around, _| {
            group.receive(around, &cards, &posting.entry)
        })?;
        let came = match received {
            Ok(Received::OwnCommit) => None,
            Ok(Received::Commit { change, lost }) => {
                if lost {
                    (member.row.offered, member.commit_answered) = (None, None);
                }
                member.also_passed_over(None, change.author);
                Some(change)
            }
            Ok(Received::Removed { change }) => {
                self.erase_group(step, id)?;
                Self::tell_of_group(step, id, GroupEvent::Removed { by: change.author });
                return Ok(Taken::Over);
            }
            Ok(_) => return self.pass_over(step, id, logged, GroupError::Malformed),
            Err(why) => return self.pass_over(step, id, logged, why),
        };
        // 3. It is the last commit from now on.
        member.row.last_commit = logged.index.0;
        member.ageing = Ageing::Begins;
        let place = (logged.index.0, chain.unwrap_or_default());
        let sight = match self.sight(step, id)? {
            Ok(sight) => sight,
            Err(_) => return Err(StoreError::Damaged),
        };
        let Some(member) = self.fleets.members.get(&id) else { return Ok(Taken::Over) };
        let removed = member.taken_out(&sight);
        self.keep_cards(step, id, cards, &sight);
        self.needs_no_invitation(step, id, logged.index.0)?;
        self.goes_by(step, id, logged, commit, (sight.epoch, came.is_none(), removed));
        self.wait_for_those_left(step, id, &sight)?;
        let had = self.listed_by(id, came.as_ref(), logged.author, &sight)?;
        self.lists_are_missing(step, id, (had, commit));
        let by = came.as_ref().map_or(self.config.own, |change| change.author);
        match came {
            None => self.own_commit_stands(step, id, place, &sight)?,
            Some(Change { author, epoch, added, .. }) => {
                Self::tell_of_group(step, id, GroupEvent::Changed { author, epoch });
                self.are_added(id, &added);
                self.others_missed(step, id, (author, logged.author), returns);
                self.take_turn(step, id, added.len(), &sight);
                self.confirm_later(step, id, logged.index, sight.members.len());
            }
        }
        // 4. What stands behind one that moves the log counts for nobody.
        let moves = self.goes_on_elsewhere(step, id, &sight, by)?;
        Ok(if moves { Taken::Over } else { Taken::Yes })
    }

    /// Keeps the cards that the leaves of this epoch name.
    pub(super) fn keep_cards(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        mut cards: crate::fleet::Cards,
        sight: &super::Sight,
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let named: BTreeSet<_> = sight.members.iter().map(|leaf| leaf.credential.card).collect();
        cards.keep(step, &id, &member.cards, &named);
        member.cards = cards;
    }

    /// A commit that is none by the rules: all members judge it by the same bytes, so that all pass
    /// it over, and the next one builds on it in the log alone. Its author is named.
    fn pass_over(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        logged: &Logged,
        why: GroupError,
    ) -> Result<Taken, StoreError> {
        let author = logged.author;
        if matches!(why, GroupError::EpochAhead { .. }) {
            self.goes_on(step, id, None, author);
        }
        if self.is_behind_us(id, logged.index.0, why) {
            return Ok(Taken::Yes);
        }
        if why == GroupError::CameBack {
            // It is a member, by keys that it does not have: it comes back once more.
            self.strand(step, id);
            return Ok(Taken::Over);
        }
        Self::tell_of_group(step, id, GroupEvent::PassedOver { author, why });
        let own = self.config.own;
        if author == own && !matches!(why, GroupError::EpochOver { .. }) {
            // Our own commit is not one that we made in this state: the state was put back. (One of an
            // epoch that is over lost to another, and came into a log that was put back.)
            self.strand(step, id);
            return Ok(Taken::Over);
        }
        let taken_out = match &logged.entry {
            Entry::Commit(commit) => commit.removed.as_slice(),
            _ => &[],
        };
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(Taken::Over) };
        member.row.last_commit = logged.index.0;
        member.heals(step);
        let alone =
            member.is_only(|agent| *agent == own || *agent == author || taken_out.contains(agent));
        let made_in = match why {
            GroupError::EpochOver { theirs, .. } => Some(theirs),
            _ => None,
        };
        let passed = Passed { alone, made_in, ..Passed::new(logged.index.0, author) };
        member.passed_over(passed);
        if author == own {
            member.also_passed_over(Some(logged.index.0), own);
        }
        if alone {
            self.doubts(step, id);
        }
        // The holder takes its lists all the same.
        if let Entry::Commit(commit) = &logged.entry {
            self.are_mislisted(step, id, named(commit).copied());
        }
        if !self.is_reading_anew(id) {
            self.withdraw_commit(step, id)?;
        }
        self.state(step, id, logged.index, StatementKind::CannotProcess);
        Ok(Taken::Yes)
    }

    fn message_entry(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        logged: &Logged,
        bytes: &Opaque,
    ) -> Result<Taken, StoreError> {
        let (Some(fleet), Some(member)) = (&self.config.fleet, self.fleets.members.get(&id)) else {
            return Ok(Taken::Over);
        };
        let author = logged.author;
        let sealed = match LogEntry::decode(&bytes.0) {
            Ok(LogEntry::Message(sealed)) => sealed,
            Ok(_) | Err(_) => {
                let why = GroupError::Malformed;
                Self::tell_of_group(step, id, GroupEvent::NotOpened { author, why });
                return Ok(Taken::Yes);
            }
        };
        // 1. One of our own is known by its hash.
        let hash = fleet.provider().digest(&[&sealed]);
        let own = member.messages.iter().find(|(_, known)| known.hash() == &hash);
        if let Some(number) = own.map(|(number, _)| *number) {
            self.message_stands(step, id, (number, logged.index.0))?;
            return Ok(Taken::Yes);
        }
        if self.found_again(step, id, &hash, logged.index.0)? {
            return Ok(Taken::Yes);
        }
        let Self { config, fleets, random, .. } = self;
        let (Some(fleet), Some(member)) = (&config.fleet, fleets.members.get_mut(&id)) else {
            return Ok(Taken::Over);
        };
        // 2. There is room for what is inside.
        if !self.inbox.has_room(sealed.len()) {
            member.rests = Some(step.now.monotonic + FULL_REST);
            return Ok(Taken::Later);
        }
        // 3. It opens, or its author is named.
        let (slot, entry) = ((id, &mut member.group), LogEntry::Message(sealed));
        let cards = &member.cards;
        let received = fleet.on(step, &mut **random, slot, |group, around, _| {
            group.receive(around, cards, &entry)
        })?;
        match received {
            Ok(Received::Message { sender, payload, .. }) => {
                self.payload_of(step, id, (sender, logged.index.0), payload.expose())?;
            }
            Ok(Received::Leaving(agent)) => self.leaving(step, id, agent)?,
            Ok(_) => {}
            Err(why @ GroupError::EpochAhead { .. }) => {
                Self::tell_of_group(step, id, GroupEvent::NotOpened { author, why });
                self.goes_on(step, id, None, author);
            }
            // A message of ours whose row is gone, or one that was read already, or one from before this
            // agent came back.
            Err(_) if author == self.config.own || self.reads_again(id) => {}
            Err(why) => Self::tell_of_group(step, id, GroupEvent::NotOpened { author, why }),
        }
        Ok(Taken::Yes)
    }

    /// A member says something, at this place of the log.
    fn payload_of(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        (sender, place): (AgentId, u64),
        payload: &[u8],
    ) -> Result<(), StoreError> {
        let message = match Payload::decode(payload) {
            Ok(Payload::Receipt(receipt)) => return self.heard(step, group, sender, &receipt),
            Ok(Payload::Message { asks, message }) => {
                Message::decode(&message).map(|message| (asks, message)).ok()
            }
            Err(_) => None,
        };
        let Some((asks, message)) = message else {
            let why = GroupError::Malformed;
            Self::tell_of_group(step, group, GroupEvent::NotOpened { author: sender, why });
            return Ok(());
        };
        self.group_message(step, group, (sender, place), asks, message)
    }

    /// A message of a member enters the inbox, once.
    fn group_message(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        (sender, place): (AgentId, u64),
        asks: Asks,
        message: Message,
    ) -> Result<(), StoreError> {
        if self.peers.standing(&sender) == Some(Standing::Blocked) {
            return Ok(());
        }
        let now = step.now.wall;
        let in_time = now <= message.expires + CLOCK_TOLERANCE
            && message.expires <= now + MAX_LIFETIME + CLOCK_TOLERANCE;
        if !in_time {
            return Ok(());
        }
        let message = Message { order: None, ..message };
        let content = self.content(&message);
        if let Some(seen) = SeenRow::read(step, &sender, message.id)? {
            // One id for two contents is never receipted.
            return if seen.content == content {
                self.receipt_again(step, id, (place, asks), &seen)
            } else {
                Ok(())
            };
        }
        let (protocol, posture, group) = (Protocol::Fleet, POSTURE, Some(id));
        let asked_at = (asks == Asks::Processed).then_some(place);
        let received = now;
        let delivery = Delivery { sender, protocol, posture, received, message, group, asked_at };
        self.enter(step, delivery, 0, content)?;
        if asks != Asks::Nothing {
            self.owe_receipt(step, id, (place, Said::Delivered));
        }
        Ok(())
    }

    /// A member wants to go: an admin sees to it.
    fn leaving(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        agent: AgentId,
    ) -> Result<(), StoreError> {
        Self::tell_of_group(step, group, GroupEvent::Leaving(agent));
        let own = self.config.own;
        if let Ok(sight) = self.sight(step, group)?
            && sight.charter.is_admin(&own)
            && agent != own
        {
            self.wish(step, group, Wish::Remove(agent));
        }
        Ok(())
    }

    fn statement_entry(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        author: AgentId,
        statement: &Statement,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&group) else { return Ok(()) };
        match statement.kind {
            StatementKind::Confirmed => {
                member.lists_count(statement.on.0);
                self.lists_are_skipped(step, group, statement.on.0)?;
                self.goes_on(step, group, Some(statement.on.0), author);
                self.is_confirmed(group, statement.on.0);
            }
            StatementKind::CannotProcess => {
                member.lists_are_doubted(statement.on.0);
                member.also_passed_over(Some(statement.on.0), author);
                let is_new = !member.row.anew;
                self.is_contested(step, group, statement.on, author);
                if is_new {
                    Self::tell_of_group(step, group, GroupEvent::CannotProcess(author));
                }
            }
            StatementKind::PutsBack => {
                member.row.puts_back = Some(author);
                member.heals(step);
            }
        }
        Ok(())
    }

    /// Somebody confirms each commit: in a small group everybody at once, in a large one whoever is
    /// the first after a while.
    pub(super) fn confirm_later(
        &mut self,
        step: &Transition<'_>,
        group: GroupId,
        commit: EntryIndex,
        members: usize,
    ) {
        let at = step.now.monotonic + self.turn_among(members);
        if let Some(member) = self.fleets.members.get_mut(&group) {
            member.confirm = Some((commit.0, at));
        }
    }

    /// By what part of itself a time is shortened, so that not all do the same at once.
    pub(super) fn jitter(&mut self) -> f64 {
        f64::from(self.random.below(1_000)) / 4_000.0
    }

    /// How long this agent leaves what one of so many members is to do to the others.
    pub(super) fn turn_among(&mut self, members: usize) -> Duration {
        let spread = u32::try_from(members).unwrap_or(u32::MAX).saturating_mul(CONFIRM_SPREAD);
        let wait = if members <= FEW { 0 } else { self.random.below(spread.max(1)) };
        Duration::from_millis(wait.into())
    }

    pub(super) fn confirm(&mut self, step: &mut Transition<'_>, group: GroupId) {
        let Some(Member { confirm: Some((commit, at)), .. }) = self.fleets.members.get(&group)
        else {
            return;
        };
        let (commit, at) = (*commit, *at);
        if at > step.now.monotonic {
            return;
        }
        self.state(step, group, EntryIndex(commit), StatementKind::Confirmed);
    }

    /// Says of a commit whether this agent goes on by it.
    fn state(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        on: EntryIndex,
        kind: StatementKind,
    ) {
        self.errand(step, group, Errand::State(on.0), statement(group, on, kind));
    }

    /// What was to be said of a commit was said.
    pub(super) fn stated(&mut self, group: GroupId, commit: u64) {
        if let Some(member) = self.fleets.members.get_mut(&group) {
            member.confirm = member.confirm.filter(|(waiting, _)| *waiting != commit);
        }
    }

    /// Nothing of a group is left here.
    pub(super) fn erase_group(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.remove(&id) else { return Ok(()) };
        step.delete(Namespace::Group, key::group(&id));
        Self::end_messages(step, id, &member)?;
        for message in member.asked.keys() {
            step.delete(Namespace::Group, key::asked(&id, *message));
        }
        for place in member.owed.keys() {
            step.delete(Namespace::Group, key::owed(&id, *place));
        }
        for number in member.logged.keys() {
            step.delete(Namespace::Group, key::logged(&id, *number));
        }
        for known in &member.history.known {
            step.delete(Namespace::Group, key::commit(&id, known.epoch));
        }
        step.delete(Namespace::Group, key::history(&id));
        for entry in member.summons {
            step.delete(Namespace::Group, key::summons(&id, entry));
        }
        let mut none = crate::fleet::Cards::default();
        none.keep(step, &id, &member.cards, &BTreeSet::new());
        let Some(fleet) = &self.config.fleet else { return Ok(()) };
        let abandoned = fleet.run(step, &mut *self.random, |around, _| {
            match meshwork_protocols::fleet::Group::load(around, id) {
                Ok(group) => group.abandon(around),
                // Its rows are gone already.
                Err(_) => Ok(Step { output: (), changes: Vec::new() }),
            }
        })?;
        abandoned.map_err(|_| StoreError::Damaged)
    }
}

/// Messages are sealed under hybrid keys, and signed as the suite says.
const POSTURE: Posture =
    Posture { encryption: Strength::Hybrid, authentication: Strength::Classical };

/// What says something of a commit.
pub(super) fn statement(group: GroupId, on: EntryIndex, kind: StatementKind) -> Request {
    let statement = Statement { on, kind, bytes: Opaque::default() };
    Request::Append(Append { log: log_of(group), entry: Entry::Statement(statement) })
}

/// The first entry of a group's first log, which lists its founder.
fn founding(own: AgentId) -> Entry {
    first_entry(0, alloc::vec![(own, MayAppend::Admin)])
}

/// The first entry of a log, which lists who may append and does nothing else.
pub(super) fn first_entry(epoch: u64, admitted: Vec<(AgentId, MayAppend)>) -> Entry {
    let (removed, bytes) = (Vec::new(), Opaque::default());
    Entry::Commit(Commit { epoch, builds_on: None, admitted, removed, bytes })
}

/// A group's log has its name.
pub(super) const fn log_of(group: GroupId) -> LogId {
    LogId(*group.as_bytes())
}
