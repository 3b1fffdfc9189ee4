//! What the entries of a log came to: who may append, which commit is the last, which are confirmed.
//!
//! Entries are judged here and adopted one after the other. Knows no storage.

use std::collections::{BTreeMap, VecDeque};

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{
    Commit, Entry, EntryIndex, LogChain, MayAppend, Refounding, Refusal, Statement, StatementKind,
};
use serde::{Deserialize, Serialize};

/// What its entries came to.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct LogState {
    /// Entries up to this one are in it.
    pub(super) through: u64,
    /// The chain up to there.
    pub(super) chain: LogChain,
    /// The first entry that was not dropped.
    pub(super) first: u64,
    /// The last commit or re-founding.
    pub(super) last_commit: u64,
    /// Who may append, as the last confirmed commit left it.
    pub(super) listed: BTreeMap<AgentId, MayAppend>,
    /// Commits that nobody confirmed, each building on the one before it.
    pub(super) pending: Vec<Pending>,
    /// The authors of commits that wait no more, as many as statements may still speak of.
    pub(super) confirmed: BTreeMap<u64, AgentId>,
    /// Who was removed, and the last entry that it may read: the one that says so.
    pub(super) removed: BTreeMap<AgentId, u64>,
    /// Up to which entry each listed agent needs none.
    pub(super) passed: BTreeMap<AgentId, u64>,
    /// Hashes of the last entries with their authors, to know a repetition.
    pub(super) hashes: VecDeque<([u8; 32], u64)>,
    pub(super) bytes: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Pending {
    index: u64,
    author: AgentId,
    admitted: Vec<(AgentId, MayAppend)>,
    removed: Vec<AgentId>,
    /// Whether a member said that it cannot process it.
    reported: bool,
}

impl LogState {
    /// Whether `author` may append `entry` now. Changes nothing.
    pub(super) fn check(&self, author: &AgentId, entry: &Entry) -> Result<(), Refusal> {
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
        self.check_lists(author, commit)?;
        if builds_on.0 != self.last_commit {
            return Err(Refusal::NotLast { last: EntryIndex(self.last_commit) });
        }
        if self.pending.len() >= MAX_PENDING {
            return Err(Refusal::NotNow { retry_after: PENDING_RETRY });
        }
        Ok(())
    }

    /// Who may append is for admins to say, and to read too; who is invited lists itself. What a
    /// commit does the relay cannot read, so members may pass one over whose lists count here.
    fn check_lists(&self, author: &AgentId, commit: &Commit) -> Result<(), Refusal> {
        let is_own =
            |(agent, may): &(AgentId, MayAppend)| agent == author && *may <= MayAppend::Member;
        let lists_nobody_else = commit.removed.is_empty() && commit.admitted.iter().all(is_own);
        if lists_nobody_else || self.may_append(author) == Some(MayAppend::Admin) {
            Ok(())
        } else {
            Err(Refusal::NotListed)
        }
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
    pub(super) fn may_append(&self, agent: &AgentId) -> Option<MayAppend> {
        self.may_append_after(&self.pending, agent)
    }

    fn may_append_after(&self, pending: &[Pending], agent: &AgentId) -> Option<MayAppend> {
        let admitted = pending.iter().flat_map(|pending| &pending.admitted);
        let by_pending = admitted.filter(|(admitted, _)| admitted == agent).map(|(_, may)| *may);
        by_pending.chain(self.listed.get(agent).copied()).max()
    }

    pub(super) fn may_read_through(&self, reader: &AgentId, last: u64) -> Result<u64, Refusal> {
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
    pub(super) fn needless(&self) -> u64 {
        let passed = |agent: &AgentId| self.passed.get(agent).copied().unwrap_or_default();
        let admitted = self.pending.iter().flat_map(|pending| &pending.admitted);
        let all = self.listed.keys().chain(admitted.map(|(agent, _)| agent));
        all.map(passed).min().unwrap_or_default()
    }

    /// Takes in an entry that was checked.
    pub(super) fn adopt(
        &mut self,
        index: u64,
        author: AgentId,
        hash: [u8; 32],
        entry: &Entry,
        length: u64,
    ) {
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
            Entry::Statement(statement) => match statement.kind {
                StatementKind::Confirmed => self.confirm(statement.on.0, index),
                StatementKind::CannotProcess => self.report(statement.on.0),
                StatementKind::PutsBack => {}
            },
            Entry::Refounding(founding) => self.adopt_refounding(index, author, founding),
        }
    }

    fn adopt_commit(&mut self, index: u64, author: AgentId, commit: &Commit) {
        self.last_commit = index;
        let (admitted, removed) = (commit.admitted.clone(), commit.removed.clone());
        self.pending.push(Pending { index, author, admitted, removed, reported: false });
        if commit.builds_on.is_none() {
            self.confirm(index, index);
        }
    }

    fn report(&mut self, commit: u64) {
        let reported = self.pending.iter_mut().find(|pending| pending.index == commit);
        if let Some(pending) = reported {
            pending.reported = true;
        }
    }

    /// Confirms a commit with those that it builds on. Of these one that a member reported, and nobody
    /// confirmed, may be one that all pass over: its lists do not count.
    fn confirm(&mut self, commit: u64, by: u64) {
        let place = self.pending.iter().position(|pending| pending.index == commit);
        let Some(place) = place else { return };
        for pending in self.pending.drain(..=place) {
            if pending.reported && pending.index != commit {
                self.confirmed.insert(pending.index, pending.author);
                continue;
            }
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

/// Entries by whose hash a repetition is known. Who waits longer than these for an answer appends
/// twice, which the fleet's members see by their message ids.
const MAX_HASHES: usize = 1_024;

/// Commits that nobody confirmed. A fleet in which so many wait has nobody who reads.
const MAX_PENDING: usize = 256;

/// Confirmed commits that statements may speak of.
const MAX_CONFIRMED: usize = 1_024;

/// Removed agents that may still read of their removal.
const MAX_REMOVED: usize = 4_096;

/// Seconds after which somebody may have confirmed.
const PENDING_RETRY: u16 = 10;
