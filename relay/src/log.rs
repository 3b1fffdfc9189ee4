//! A fleet's log: who may append what, which commit is the last, which are confirmed.
//!
//! The state is folded from the entries by the same steps by which they were judged. Now and then
//! it is written down as a checkpoint, so that a start reads no more than what came since, and
//! before older entries are dropped. The relay knows authors and lists, and nothing of MLS.

mod standing;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{
    Answer, Entry, EntryIndex, LogChain, LogId, Logged, MAX_ANSWER, ReadLog, Refusal,
};
use meshwork_protocols::time::WallTime;
use serde::{Deserialize, Serialize};

use self::standing::LogState;
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

#[derive(Deserialize, Serialize)]
pub(crate) struct LogRecord {
    author: AgentId,
    pub(crate) since: WallTime,
    hash: [u8; 32],
    /// The chain up to the entry before this one, and up to this one.
    chain: (LogChain, LogChain),
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
                let LogRecord { author, hash, chain, entry, .. } = entry::decode(&record.bytes)?;
                log.state.adopt(record.sequence, author, hash, &entry, length);
                log.state.chain = chain.1;
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
        let (before, index) = (self.state.chain, EntryIndex(self.last + 1));
        let chain = (before, before.with(provider, index, &author, entry));
        let since = now.wall;
        let record = entry::encode(&LogRecord { author, since, hash, chain, entry: entry.clone() });
        let length = record.len() as u64;
        if self.state.bytes + length > limits.log_bytes {
            return Err(Refusal::NotNow { retry_after: FULL_RETRY }.into());
        }
        // 4. It is appended.
        self.last += 1;
        self.state.adopt(self.last, author, hash, entry, length);
        self.state.chain = chain.1;
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
        if self.has_left(read.after.0, through) {
            return Err(Refusal::NotListed.into());
        }
        let most = Most { entries: read.most.into(), bytes: MAX_ANSWER - ANSWER_ROOM };
        let records = storage.read(&entry::log(&self.id), read.after.0, most)?;
        let mut entries = Vec::with_capacity(records.len());
        let mut chain = None;
        for record in &records {
            let LogRecord { author, since, chain: (before, _), entry, .. } =
                entry::decode(&record.bytes)?;
            // Of who may not read on the first is the one behind its last.
            chain.get_or_insert(before);
            if record.sequence > through {
                break;
            }
            entries.push(Logged { index: EntryIndex(record.sequence), author, since, entry });
        }
        let first = EntryIndex(self.state.first);
        let chain = chain.unwrap_or(self.state.chain);
        Ok(Answer::Entries { first, last: EntryIndex(through), chain, entries })
    }

    /// Whether somebody that may read `through` an entry, and has read so far, is told that it is out.
    ///
    /// Who was removed reads to the entry that says so. Who read on behind that, since the log was another
    /// then, would wait there for what it may not read, and so would who is at it where the entry is dropped:
    /// its place may have come from a list, and nothing is left that says it.
    fn has_left(&self, read: u64, through: u64) -> bool {
        through < self.last && (read > through || read == through && through < self.state.first)
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

/// Entries between two checkpoints: a start reads no more than these.
const CHECKPOINT_EVERY: usize = 256;

const READ_AT_ONCE: Most = Most { entries: 1_024, bytes: 4 << 20 };

/// What the answer has around the entries; each is stored with more than it is answered with.
const ANSWER_ROOM: usize = 512;

/// Seconds after which there may be room, as entries go when all have passed them.
const FULL_RETRY: u16 = 600;
