//! The relay as a function of batches of requests.
//!
//! A batch is judged against what is held in memory, its changes are made durable in one
//! transaction, and only then are its answers given: a hundred deposits cost one sync. What is
//! only read is read after that. Knows no thread, no clock and no session.

mod held;
mod reading;
mod sweeping;
mod writing;

use std::sync::Arc;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::relay::{Answer, Nudge, Refusal, Request};
use meshwork_protocols::time::Timestamp;

use self::held::Held;
use crate::decision::{Decision, Stop};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::nudges::Nudges;
use crate::rates::Rates;
use crate::storage::{Applied, Change, Condition, Storage, StorageError, Subject};
use crate::sweep::Sweep;

/// A relay over its storage.
#[derive(Debug)]
pub struct Relay<S> {
    storage: S,
    provider: Arc<dyn Provider>,
    limits: Limits,
    held: Held,
    rates: Rates,
    metrics: Metrics,
    nudges: Nudges,
    appended: Vec<Subject>,
    sweep: Sweep,
}

/// A request, and who makes it, as its session proved.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who asks.
    pub caller: AgentId,
    /// What.
    pub request: Request,
}

/// What comes of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// This is the answer; what it says is durable.
    Answer(Answer),
    /// There is nothing yet, and the caller waits: ask again when something was appended.
    Wait(Waiting),
}

/// What a caller waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// The log that something is to be appended to.
    pub subject: Subject,
    /// Milliseconds that the caller waits at most.
    pub millis: u32,
}

impl<S: Storage> Relay<S> {
    /// A relay over what is in `storage`. Nothing of it is read yet.
    pub fn new(storage: S, provider: Arc<dyn Provider>, limits: Limits) -> Self {
        let held = Held::new(limits.states_in_memory);
        Self {
            storage,
            provider,
            limits,
            held,
            rates: Rates::default(),
            metrics: Metrics::default(),
            nudges: Nudges::default(),
            appended: Vec::new(),
            sweep: Sweep::default(),
        }
    }

    /// Answers a batch, in its order. After an error nothing of it is answered, and nothing more is
    /// served until [`Relay::reopen`]: what is durable is known only then.
    pub fn serve(&mut self, now: Timestamp, batch: &[Asked]) -> Result<Vec<Outcome>, StorageError> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
        for _ in 0..ROUNDS {
            let waiting = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_none());
            let open: Vec<usize> = waiting.map(|(place, _)| place).collect();
            if open.is_empty() {
                break;
            }
            self.serve_once(now, batch, &open, &mut outcomes)?;
        }
        self.held.trim();
        // Who lost against another writer that often comes again.
        let lost = Outcome::Answer(Answer::Refused(Refusal::NotNow { retry_after: 1 }));
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| lost.clone())).collect())
    }

    /// Goes on after an error: opens the storage again, and forgets all that was held of it. What
    /// agents did in this hour stays counted.
    pub fn reopen(&mut self) -> Result<(), StorageError> {
        self.storage.reopen()?;
        self.held = Held::new(self.limits.states_in_memory);
        self.sweep = Sweep::default();
        self.metrics.recoveries += 1;
        Ok(())
    }

    /// Whom to nudge for what the last batches did.
    pub fn take_nudges(&mut self) -> Vec<(AgentId, Nudge)> {
        self.nudges.take()
    }

    /// Which logs the last batches appended to, for those who wait for that.
    pub fn take_appended(&mut self) -> Vec<Subject> {
        let mut appended = std::mem::take(&mut self.appended);
        appended.sort_unstable();
        appended.dedup();
        appended
    }

    /// What was done since the start, and what is stored.
    pub fn metrics(&self) -> Metrics {
        let totals = self.storage.totals().unwrap_or_default();
        Metrics {
            stored_entries: totals.entries,
            stored_bytes: totals.bytes,
            ..self.metrics.clone()
        }
    }

    /// Counts a request that was refused before it came here.
    pub fn count_refused(&mut self, refusal: Refusal) {
        self.metrics.refused(refusal);
    }

    fn serve_once(
        &mut self,
        now: Timestamp,
        batch: &[Asked],
        open: &[usize],
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), StorageError> {
        let full = self.storage.totals()?.bytes >= self.limits.total_bytes;
        let mut changes: Vec<Change> = Vec::new();
        let mut decided = Vec::new();
        let mut reads = Vec::new();
        for place in open.iter().copied() {
            let Some(asked) = batch.get(place) else { continue };
            if is_read(&asked.request) {
                reads.push(place);
                continue;
            }
            let decision = self.answered(full, now, asked)?;
            let first = changes.len();
            changes.extend(decision.changes);
            decided.push((place, first..changes.len(), decision.answer));
        }
        let applied = self.apply(&changes)?;
        for (place, range, answer) in decided {
            if let Some(Request::Acknowledge { mailbox, .. }) =
                batch.get(place).map(|it| &it.request)
                && let Some(mailbox) = self.held.mailboxes.here(mailbox)
            {
                mailbox.settle();
            }
            let own = applied.get(range.clone()).unwrap_or_default();
            if own.iter().all(|applied| *applied == Applied::Done) {
                set(outcomes, place, Outcome::Answer(answer));
            } else {
                // Another writer was first: what is held is out of date.
                changes.get(range).unwrap_or_default().iter().for_each(|change| {
                    self.held.forget(change);
                });
            }
        }
        for place in reads {
            let Some(asked) = batch.get(place) else { continue };
            let outcome = self.read(now, asked)?;
            set(outcomes, place, outcome);
        }
        Ok(())
    }

    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Applied>, StorageError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.metrics.batches += 1;
        let applied = self.storage.apply(changes)?;
        self.appended.extend(changes.iter().filter_map(|change| match &change.condition {
            Some(Condition::Append { subject, .. }) => Some(*subject),
            _ => None,
        }));
        Ok(applied)
    }

    fn answered(
        &mut self,
        full: bool,
        now: Timestamp,
        asked: &Asked,
    ) -> Result<Decision, StorageError> {
        let decision = if full && adds(&asked.request) {
            Err(Refusal::NotNow { retry_after: FULL_RETRY }.into())
        } else {
            self.decide(now, asked)
        };
        match decision {
            Ok(decision) => Ok(decision),
            Err(Stop::Refused(refusal)) => {
                self.metrics.refused(refusal);
                Ok(Decision::answer(Answer::Refused(refusal)))
            }
            Err(Stop::Storage(error)) => Err(error),
        }
    }

    fn read(&mut self, now: Timestamp, asked: &Asked) -> Result<Outcome, StorageError> {
        match self.look(now, asked) {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Refused(refusal)) => {
                self.metrics.refused(refusal);
                Ok(Outcome::Answer(Answer::Refused(refusal)))
            }
            Err(Stop::Storage(error)) => Err(error),
        }
    }
}

fn own(caller: &AgentId, owner: &AgentId) -> Result<(), Refusal> {
    if caller == owner { Ok(()) } else { Err(Refusal::NotYours) }
}

fn is_read(request: &Request) -> bool {
    matches!(
        request,
        Request::GetCard(_) | Request::GetBlob(_) | Request::Fetch(_) | Request::ReadLog(_)
    )
}

/// Whether it makes what is stored more.
fn adds(request: &Request) -> bool {
    !matches!(request, Request::Acknowledge { .. } | Request::PassedLog { .. } | Request::Depth(_))
}

fn set(outcomes: &mut [Option<Outcome>], place: usize, outcome: Outcome) {
    if let Some(slot) = outcomes.get_mut(place) {
        *slot = Some(outcome);
    }
}

/// How often a request is judged anew because another writer over the same storage was first.
const ROUNDS: usize = 3;

/// Seconds after which a full relay may have room.
const FULL_RETRY: u16 = 300;
