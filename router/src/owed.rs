//! Final receipts that their senders have not settled: repeated until they are.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::{MAX_RECEIPTS, MessageId, Receipt, Verdict};
use meshwork_state::{Namespace, Row, StoreError};
use serde::{Deserialize, Serialize};

use crate::row;
use crate::timers::Timers;
use crate::transition::Transition;

/// The most receipts owed in all, some 10 MB in memory. Beyond it the sender stays at `Delivered`.
const OWED: usize = 100_000;

/// How long a sender has to settle before its receipts are said again; it doubles each time.
const REPEAT: Duration = Duration::from_secs(30);

/// The longest wait between two repetitions.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How often they are said again by mail: each time is a piece in a mailbox, and one that a relay
/// keeps is not lost.
const REPEAT_BY_MAIL: Duration = Duration::from_secs(6 * 60 * 60);

/// A row.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct OwedRow {
    /// Stands first, where upkeep looks.
    forget_after: WallTime,
    verdict: Verdict,
}

/// What one sender is owed.
#[derive(Debug, Default)]
struct Debt {
    receipts: BTreeMap<MessageId, Verdict>,
    repeats: u32,
    /// Whether mail is the only way to say them.
    by_mail: bool,
}

/// What all senders are owed.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    debts: BTreeMap<AgentId, Debt>,
    /// When a sender's are said next; only while there is a way to it.
    timers: Timers<AgentId>,
    receipts: usize,
}

impl Owed {
    /// Takes a row at a start.
    pub(crate) fn load(&mut self, (key, value): &Row) -> Result<(), StoreError> {
        let row: OwedRow = row::decode(value)?;
        let (sender, id) = split(key).ok_or(StoreError::Damaged)?;
        self.insert(sender, id, row.verdict);
        Ok(())
    }

    /// Owes a receipt, durably with this step. The caller says it for the first time.
    pub(crate) fn owe(
        &mut self,
        step: &mut Transition<'_>,
        sender: AgentId,
        receipt: Receipt,
        forget_after: WallTime,
    ) {
        if self.receipts >= OWED {
            return;
        }
        let row = OwedRow { forget_after, verdict: receipt.verdict };
        step.put(Namespace::Owed, row::pair(&sender, receipt.id), row::encode(&row));
        self.insert(sender, receipt.id, receipt.verdict);
    }

    /// The sender has the receipt, or upkeep let it go.
    pub(crate) fn settle(&mut self, step: &mut Transition<'_>, sender: &AgentId, id: MessageId) {
        let Some(debt) = self.debts.get_mut(sender) else { return };
        if debt.receipts.remove(&id).is_some() {
            self.receipts -= 1;
            step.delete(Namespace::Owed, row::pair(sender, id));
        }
        if debt.receipts.is_empty() {
            self.unschedule(sender);
            self.debts.remove(sender);
        }
    }

    /// Whether this sender is owed anything.
    pub(crate) fn owes(&self, sender: &AgentId) -> bool {
        self.debts.contains_key(sender)
    }

    /// There is a path to this sender: its receipts are said at `at`, unless that stands already.
    pub(crate) fn schedule(&mut self, sender: &AgentId, at: Duration) {
        let Some(debt) = self.debts.get_mut(sender) else { return };
        if core::mem::take(&mut debt.by_mail) {
            self.timers.clear(sender);
        }
        if self.timers.set_if_none(*sender, at) {
            debt.repeats = 0;
        }
    }

    /// This sender gets mail alone: its receipts, which were said or will be once its relay is
    /// asked, are said again a little later, and then seldom.
    pub(crate) fn schedule_mail(&mut self, sender: &AgentId, now: Duration) {
        if let Some(debt) = self.debts.get_mut(sender)
            && self.timers.set_if_none(*sender, now + REPEAT)
        {
            debt.by_mail = true;
        }
    }

    /// There is no path to this sender any more.
    pub(crate) fn unschedule(&mut self, sender: &AgentId) {
        self.timers.clear(sender);
        if let Some(debt) = self.debts.get_mut(sender) {
            debt.by_mail = false;
        }
    }

    /// When a receipt that is being said now is said again.
    pub(crate) fn repeat_at(now: Duration) -> Duration {
        now + REPEAT
    }

    /// The next sender whose receipts are to be said now, with them in frames' worth.
    pub(crate) fn next_due(&mut self, now: Duration) -> Option<(AgentId, Vec<Vec<Receipt>>)> {
        let sender = self.timers.pop_due(now)?;
        let debt = self.debts.get_mut(&sender)?;
        let wait = match debt.by_mail {
            true => REPEAT_BY_MAIL,
            false => REPEAT.saturating_mul(1 << debt.repeats.min(16)).min(LONGEST),
        };
        debt.repeats = debt.repeats.saturating_add(1);
        self.timers.set(sender, now + wait);
        let receipts: Vec<_> = debt
            .receipts
            .iter()
            .map(|(id, verdict)| Receipt { id: *id, verdict: *verdict })
            .collect();
        Some((sender, receipts.chunks(MAX_RECEIPTS).map(<[Receipt]>::to_vec).collect()))
    }

    /// What was said to this sender so far may not have opened there: it is said again.
    pub(crate) fn say_soon(&mut self, sender: &AgentId, now: Duration) {
        if self.owes(sender) {
            self.timers.set(*sender, now);
        }
    }

    /// There was no way to say what was due: that is tried again sooner.
    pub(crate) fn not_said(&mut self, sender: AgentId, now: Duration) {
        let repeats = self.debts.get(&sender).map_or(0, |debt| debt.repeats);
        let wait = REPEAT.saturating_mul(1 << repeats.min(16)).min(LONGEST);
        self.timers.set(sender, now + wait);
    }

    /// Senders that are owed something.
    pub(crate) fn creditors(&self) -> impl Iterator<Item = AgentId> {
        self.debts.keys().copied()
    }

    /// When [`Owed::next_due`] has something to say.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    fn insert(&mut self, sender: AgentId, id: MessageId, verdict: Verdict) {
        let debt = self.debts.entry(sender).or_default();
        if debt.receipts.insert(id, verdict).is_none() {
            self.receipts += 1;
        }
    }
}

/// The sender and the id in a row's key.
pub(crate) fn split(key: &[u8]) -> Option<(AgentId, MessageId)> {
    let (sender, id) = key.split_first_chunk::<32>()?;
    Some((AgentId::from_bytes(*sender), MessageId::from_bytes(id.try_into().ok()?)))
}
