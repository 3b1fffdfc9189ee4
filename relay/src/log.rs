//! A fleet's log: who may append what, which commit is the last, which are confirmed.
//!
//! The state is folded from the entries by the same steps by which they were judged. Now and then
//! it is written down as a checkpoint, so that a start reads no more than what came since, and
//! before older entries are dropped. The relay knows authors and lists, and nothing of MLS.

use std::collections::{BTreeMap, VecDeque};

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{
    Answer, Commit, Entry, EntryIndex, LogId, Logged, MAX_ANSWER, MayAppend, ReadLog, Refounding,
    Refusal, Statement, StatementKind,
};
use meshwork_protocols::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::decision::{Decision, Stop};
use crate::entry;
use crate::mailbox::Context;
use crate::storage::{Change, Condition, Most, Storage, StorageError, Then};

/// What is held of one log.
#[derive(Debug)]
pub(crate) struct Log {
    id: LogId,
    last: u64,
    state: LogState,
    since_checkpoint: usize,
}

/// What its entries came to.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct LogState {
    /// Entries up to this one are in it.
    through: u64,
    /// The first entry that was not dropped.
    first: u64,
    /// The last commit or re-founding.
    last_commit: u64,
    /// Who may append, as the last confirmed commit left it.
    listed: BTreeMap<AgentId, MayAppend>,
    /// Commits that nobody confirmed, each building on the one before it.
    pending: Vec<Pending>,
    /// The authors of confirmed commits, as many as statements may still speak of.
    confirmed: BTreeMap<u64, AgentId>,
    /// Who was removed, and the last entry that it may read: the one that says so.
    removed: BTreeMap<AgentId, u64>,
    /// Up to which entry each listed agent needs none.
    passed: BTreeMap<AgentId, u64>,
    /// Hashes of the last entries with their authors, to know a repetition.
    hashes: VecDeque<([u8; 32], u64)>,
    bytes: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Pending {
    index: u64,
    author: AgentId,
    admitted: Vec<(AgentId, MayAppend)>,
    removed: Vec<AgentId>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct LogRecord {
    author: AgentId,
    pub(crate) since: WallTime,
    hash: [u8; 32],
    entry: Entry,
}

impl Log {
    pub(crate) fn read(storage: &dyn Storage, id: LogId) -> Result<Self, StorageError> {
        let subject = entry::log(&id);
        let checkpoint = storage.get(&entry::checkpoint(&id))?;
        let state: Option<LogState> = checkpoint.map(|bytes| entry::decode(&bytes)).transpose()?;
        let mut log = Self {
            id,
            last: storage.last(&subject)?,
            state: state.unwrap_or_default(),
            since_checkpoint: 0,
        };
        loop {
            let records = storage.read(&subject, log.state.through, READ_AT_ONCE)?;
            if records.is_empty() {
                return Ok(log);
            }
            for record in &records {
                let length = record.bytes.len() as u64;
                let LogRecord { author, hash, entry, .. } = entry::decode(&record.bytes)?;
                log.state.adopt(record.sequence, author, hash, &entry, length);
                log.since_checkpoint += 1;
            }
        }
    }

    /// Whether nothing was ever appended.
    pub(crate) fn is_new(&self) -> bool {
        self.last == 0
    }

    /// Who is to hear that something was appended.
    pub(crate) fn readers(&self) -> impl Iterator<Item = &AgentId> {
        self.state.listed.keys()
    }

    /// Judges an entry, and adopts it if it is to be stored.
    pub(crate) fn append(
        &mut self,
        context: &Context<'_>,
        author: AgentId,
        entry: &Entry,
    ) -> Result<Decision, Stop> {
        let Context { provider, limits, now, .. } = *context;
        // 1. What this author appended before is answered as it was then.
        let hash = provider.digest(&[author.as_bytes(), &entry::encode(entry)]);
        if let Some((_, index)) = self.state.hashes.iter().find(|(known, _)| *known == hash) {
            return Ok(Decision::answer(Answer::Appended(EntryIndex(*index))));
        }
        // 2. It is the author's to append, now.
        self.state.check(&author, entry)?;
        // 3. There is room.
        let record =
            entry::encode(&LogRecord { author, since: now.wall, hash, entry: entry.clone() });
        let length = record.len() as u64;
        if self.state.bytes + length > limits.log_bytes {
            return Err(Refusal::NotNow { retry_after: FULL_RETRY }.into());
        }
        // 4. It is appended.
        self.last += 1;
        self.state.adopt(self.last, author, hash, entry, length);
        self.since_checkpoint += 1;
        let subject = entry::log(&self.id);
        let condition = Some(Condition::Append { subject, sequence: self.last, record });
        let mut then = Vec::new();
        if self.since_checkpoint >= CHECKPOINT_EVERY {
            then.push(self.checkpoint());
        }
        Ok(Decision::change(Change { condition, then }, Answer::Appended(EntryIndex(self.last))))
    }

    /// Entries for somebody who may read them, as many as fit one answer.
    pub(crate) fn entries(
        &self,
        storage: &dyn Storage,
        reader: &AgentId,
        read: &ReadLog,
    ) -> Result<Answer, Stop> {
        let through = self.state.may_read_through(reader, self.last)?;
        let most = Most { entries: read.most.into(), bytes: MAX_ANSWER - ANSWER_ROOM };
        let records = storage.read(&entry::log(&self.id), read.after.0, most)?;
        let mut entries = Vec::with_capacity(records.len());
        for record in records.iter().take_while(|record| record.sequence <= through) {
            let LogRecord { author, since, entry, .. } = entry::decode(&record.bytes)?;
            entries.push(Logged { index: EntryIndex(record.sequence), author, since, entry });
        }
        let first = EntryIndex(self.state.first);
        Ok(Answer::Entries { first, last: EntryIndex(through), entries })
    }

    /// Notes what somebody needs no more, and drops what nobody needs.
    pub(crate) fn pass(
        &mut self,
        storage: &dyn Storage,
        reader: &AgentId,
        through: EntryIndex,
    ) -> Result<Decision, Stop> {
        if self.state.may_append(reader).is_none() {
            return Err(Refusal::NotListed.into());
        }
        let through = through.0.min(self.last);
        let passed = self.state.passed.entry(*reader).or_default();
        if through <= *passed {
            return Ok(Decision::answer(Answer::Done));
        }
        *passed = through;
        let needless = self.state.needless();
        let change = self.drop_through(storage, needless)?;
        Ok(Decision::change(change, Answer::Done))
    }

    /// The last entry that came before `earliest`, if the first that is left did.
    pub(crate) fn ended(
        &self,
        storage: &dyn Storage,
        earliest: WallTime,
    ) -> Result<Option<u64>, StorageError> {
        let after = self.state.first.saturating_sub(1);
        let records = storage.read(&entry::log(&self.id), after, READ_AT_ONCE)?;
        let mut ended = None;
        for record in &records {
            let LogRecord { since, .. } = entry::decode(&record.bytes)?;
            if since >= earliest {
                break;
            }
            ended = Some(record.sequence);
        }
        Ok(ended)
    }

    /// Drops entries up to one, with the state that they came to written down before.
    pub(crate) fn drop_through(
        &mut self,
        storage: &dyn Storage,
        through: u64,
    ) -> Result<Change, StorageError> {
        let subject = entry::log(&self.id);
        let mut after = self.state.first.saturating_sub(1);
        let drops = through > after;
        while after < through {
            let records = storage.read(&subject, after, READ_AT_ONCE)?;
            let Some(last) = records.last() else { break };
            after = last.sequence;
            let dropped = records.iter().take_while(|record| record.sequence <= through);
            let bytes: u64 = dropped.map(|record| record.bytes.len() as u64).sum();
            self.state.bytes = self.state.bytes.saturating_sub(bytes);
        }
        let mut then = Vec::new();
        if drops {
            self.state.first = through + 1;
        }
        then.push(self.checkpoint());
        if drops {
            then.push(Then::Truncate { subject, through });
        }
        Ok(Change { condition: None, then })
    }

    fn checkpoint(&mut self) -> Then {
        self.since_checkpoint = 0;
        Then::Put { key: entry::checkpoint(&self.id), value: entry::encode(&self.state) }
    }
}

impl LogState {
    /// Whether `author` may append `entry` now. Changes nothing.
    fn check(&self, author: &AgentId, entry: &Entry) -> Result<(), Refusal> {
        match entry {
            Entry::Commit(commit) => self.check_commit(author, commit),
            Entry::Message(_) => self.check_listed(author, MayAppend::Member),
            Entry::Statement(statement) => self.check_statement(author, statement),
            Entry::Refounding(founding) => self.check_refounding(author, founding),
        }
    }

    fn check_commit(&self, author: &AgentId, commit: &Commit) -> Result<(), Refusal> {
        let Some(builds_on) = commit.builds_on else {
            return if self.through == 0 {
                Ok(())
            } else {
                Err(Refusal::NotLast { last: EntryIndex(self.last_commit) })
            };
        };
        self.check_listed(author, MayAppend::Invited)?;
        if builds_on.0 != self.last_commit {
            return Err(Refusal::NotLast { last: EntryIndex(self.last_commit) });
        }
        if self.pending.len() >= MAX_PENDING {
            return Err(Refusal::NotNow { retry_after: PENDING_RETRY });
        }
        Ok(())
    }

    fn check_statement(&self, author: &AgentId, statement: &Statement) -> Result<(), Refusal> {
        self.check_listed(author, MayAppend::Member)?;
        let of = self.author_of(statement.on.0).ok_or(Refusal::NoSuchCommit)?;
        if statement.kind == StatementKind::Confirmed && of == *author {
            return Err(Refusal::OwnCommit);
        }
        Ok(())
    }

    fn check_refounding(&self, author: &AgentId, founding: &Refounding) -> Result<(), Refusal> {
        // Whom the voided commits admitted founds nothing.
        let place = self.pending.iter().position(|pending| pending.index == founding.voids.0);
        let before = self.pending.get(..place.unwrap_or(0)).unwrap_or_default();
        if self.may_append_after(before, author) != Some(MayAppend::Admin) {
            return Err(Refusal::NotListed);
        }
        let voided = place.and_then(|place| self.pending.get(place));
        match voided {
            None if self.confirmed.contains_key(&founding.voids.0) => Err(Refusal::Confirmed),
            None => Err(Refusal::NoSuchCommit),
            Some(voided) if voided.author == *author => Err(Refusal::OwnCommit),
            Some(_) => Ok(()),
        }
    }

    fn check_listed(&self, author: &AgentId, least: MayAppend) -> Result<(), Refusal> {
        if self.through == 0 {
            return Err(Refusal::NoSuchLog);
        }
        match self.may_append(author) {
            Some(may) if may >= least => Ok(()),
            _ => Err(Refusal::NotListed),
        }
    }

    /// What the last confirmed commit, and those that wait, let `agent` append.
    fn may_append(&self, agent: &AgentId) -> Option<MayAppend> {
        self.may_append_after(&self.pending, agent)
    }

    fn may_append_after(&self, pending: &[Pending], agent: &AgentId) -> Option<MayAppend> {
        let admitted = pending.iter().flat_map(|pending| &pending.admitted);
        let by_pending = admitted.filter(|(admitted, _)| admitted == agent).map(|(_, may)| *may);
        by_pending.chain(self.listed.get(agent).copied()).max()
    }

    fn may_read_through(&self, reader: &AgentId, last: u64) -> Result<u64, Refusal> {
        if last == 0 {
            return Err(Refusal::NoSuchLog);
        }
        if self.may_append(reader).is_some() {
            return Ok(last);
        }
        self.removed.get(reader).copied().ok_or(Refusal::NotListed)
    }

    fn author_of(&self, commit: u64) -> Option<AgentId> {
        let pending = self.pending.iter().find(|pending| pending.index == commit);
        pending.map(|pending| pending.author).or_else(|| self.confirmed.get(&commit).copied())
    }

    /// The last entry that no listed agent needs.
    fn needless(&self) -> u64 {
        let passed = |agent: &AgentId| self.passed.get(agent).copied().unwrap_or_default();
        let admitted = self.pending.iter().flat_map(|pending| &pending.admitted);
        let all = self.listed.keys().chain(admitted.map(|(agent, _)| agent));
        all.map(passed).min().unwrap_or_default()
    }

    /// Takes in an entry that was checked.
    fn adopt(&mut self, index: u64, author: AgentId, hash: [u8; 32], entry: &Entry, length: u64) {
        self.through = index;
        self.first = self.first.max(1);
        self.bytes += length;
        self.hashes.push_back((hash, index));
        if self.hashes.len() > MAX_HASHES {
            self.hashes.pop_front();
        }
        match entry {
            Entry::Commit(commit) => self.adopt_commit(index, author, commit),
            Entry::Message(_) => {}
            Entry::Statement(statement) => {
                if statement.kind == StatementKind::Confirmed {
                    self.confirm(statement.on.0, index);
                }
            }
            Entry::Refounding(founding) => self.adopt_refounding(index, author, founding),
        }
    }

    fn adopt_commit(&mut self, index: u64, author: AgentId, commit: &Commit) {
        self.last_commit = index;
        let (admitted, removed) = (commit.admitted.clone(), commit.removed.clone());
        self.pending.push(Pending { index, author, admitted, removed });
        if commit.builds_on.is_none() {
            self.confirm(index, index);
        }
    }

    /// Confirms a commit with those that it builds on.
    fn confirm(&mut self, commit: u64, by: u64) {
        let place = self.pending.iter().position(|pending| pending.index == commit);
        let Some(place) = place else { return };
        for pending in self.pending.drain(..=place) {
            for (agent, may) in pending.admitted {
                self.listed.insert(agent, may);
                self.removed.remove(&agent);
            }
            for agent in pending.removed {
                self.listed.remove(&agent);
                self.passed.remove(&agent);
                self.removed.insert(agent, by);
            }
            self.confirmed.insert(pending.index, pending.author);
        }
        while self.confirmed.len() > MAX_CONFIRMED {
            self.confirmed.pop_first();
        }
        while self.removed.len() > MAX_REMOVED {
            self.removed.pop_first();
        }
    }

    fn adopt_refounding(&mut self, index: u64, author: AgentId, founding: &Refounding) {
        self.last_commit = index;
        let listed: BTreeMap<_, _> = founding.listed.iter().copied().collect();
        for agent in self.listed.keys().filter(|agent| !listed.contains_key(*agent)) {
            self.removed.insert(*agent, index);
        }
        self.passed.retain(|agent, _| listed.contains_key(agent));
        self.listed = listed;
        // What came before the voided commit stands: who founded anew has processed it.
        for pending in self.pending.drain(..) {
            if pending.index < founding.voids.0 {
                self.confirmed.insert(pending.index, pending.author);
            }
        }
        self.confirmed.insert(index, author);
    }
}

/// Entries between two checkpoints: a start reads no more than these.
const CHECKPOINT_EVERY: usize = 256;

/// Entries by whose hash a repetition is known. Who waits longer than these for an answer appends
/// twice, which the fleet's members see by their message ids.
const MAX_HASHES: usize = 1_024;

/// Commits that nobody confirmed. A fleet in which so many wait has nobody who reads.
const MAX_PENDING: usize = 256;

/// Confirmed commits that statements may speak of.
const MAX_CONFIRMED: usize = 1_024;

/// Removed agents that may still read of their removal.
const MAX_REMOVED: usize = 4_096;

const READ_AT_ONCE: Most = Most { entries: 1_024, bytes: 4 << 20 };

/// What the answer has around the entries; each is stored with more than it is answered with.
const ANSWER_ROOM: usize = 512;

/// Seconds after which there may be room, as entries go when all have passed them.
const FULL_RETRY: u16 = 600;

/// Seconds after which somebody may have confirmed.
const PENDING_RETRY: u16 = 10;
