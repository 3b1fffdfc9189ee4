//! The relay as a function of batches of requests.
//!
//! A batch is judged against what is held in memory, its changes are made durable in one
//! transaction, and only then are its answers given: a hundred deposits cost one sync. What is
//! only read is read after that. Knows no thread, no clock and no session.

use std::sync::Arc;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::relay::{
    Answer, Append, Deposit, Depth, Fetch, KeyKind, LogId, Nudge, Opaque, Publication, Publish,
    ReadLog, Refusal, Request, TakeId,
};
use meshwork_protocols::time::Timestamp;

use crate::blobs::{self, Shelf};
use crate::cards;
use crate::decision::{Decision, Stop};
use crate::entry;
use crate::folds::Folds;
use crate::limits::Limits;
use crate::log::Log;
use crate::mailbox::{self, Context, Deposited, Mailbox};
use crate::metrics::Metrics;
use crate::pools::{Handed, Keys};
use crate::rates::{Counted, Rates};
use crate::storage::{Applied, Change, Condition, Storage, StorageError, Subject, Then};
use crate::sweep::{self, Sweep};

/// A relay over its storage.
#[derive(Debug)]
pub struct Relay<S> {
    storage: S,
    provider: Arc<dyn Provider>,
    limits: Limits,
    held: Held,
    rates: Rates,
    metrics: Metrics,
    nudges: Vec<(AgentId, Nudge)>,
    appended: Vec<Subject>,
    sweep: Sweep,
}

/// States that were read.
#[derive(Debug)]
struct Held {
    mailboxes: Folds<AgentId, Mailbox>,
    pools: Folds<(AgentId, KeyKind), Keys>,
    logs: Folds<LogId, Log>,
    shelves: Folds<AgentId, Shelf>,
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
            nudges: Vec::new(),
            appended: Vec::new(),
            sweep: Sweep::default(),
        }
    }

    /// Answers a batch, in its order. After an error nothing of it is answered, and the relay has to
    /// be made anew over storage that was opened anew.
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

    /// Drops a few of the things whose time has passed, where the last sweep stopped.
    pub fn sweep(&mut self, now: Timestamp) -> Result<(), StorageError> {
        let subjects = self.storage.subjects(self.sweep.subject.as_ref(), SWEPT_SUBJECTS)?;
        let mut changes = Vec::new();
        for subject in &subjects {
            self.sweep_subject(now, subject, &mut changes)?;
        }
        self.sweep.subject = subjects.last().copied();
        if subjects.is_empty() {
            self.metrics.oldest_mail_secs = std::mem::take(&mut self.sweep.oldest).as_secs();
        }
        let values = self.storage.values(self.sweep.key.as_ref(), SWEPT_VALUES)?;
        for (key, value) in &values {
            if sweep::value_has_ended(key, value, now.wall)? {
                changes.push(Then::Delete(*key).into());
            }
        }
        self.sweep.key = values.last().map(|(key, _)| *key);
        self.metrics.expired += changes.len() as u64;
        self.apply(&changes)?;
        Ok(())
    }

    fn sweep_subject(
        &mut self,
        now: Timestamp,
        subject: &Subject,
        changes: &mut Vec<Change>,
    ) -> Result<(), StorageError> {
        match subject.kind() {
            entry::LOG => {
                let earliest = now.wall.saturating_sub(self.limits.keep);
                let (log, context) = self.log(now, LogId(subject.id()))?;
                if let Some(through) = log.ended(context.storage, earliest)? {
                    changes.push(log.drop_through(context.storage, through)?);
                }
            }
            entry::MAILBOX | entry::SHELF => {
                let ended = self.sweep.ended(&self.storage, subject, now.wall)?;
                if !ended.is_empty() {
                    self.held.mailboxes.forget(&AgentId::from_bytes(subject.id()));
                    self.held.shelves.forget(&AgentId::from_bytes(subject.id()));
                }
                let remove = |sequence| Then::Remove { subject: *subject, sequence };
                changes.extend(ended.into_iter().map(|sequence| remove(sequence).into()));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whom to nudge for what the last batches did.
    pub fn take_nudges(&mut self) -> Vec<(AgentId, Nudge)> {
        let mut nudges = std::mem::take(&mut self.nudges);
        nudges.sort_unstable();
        nudges.dedup();
        nudges
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

    /// Counts a request that could not be read.
    pub fn count_malformed(&mut self) {
        self.metrics.refused(Refusal::Malformed);
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

    fn decide(&mut self, now: Timestamp, asked: &Asked) -> Result<Decision, Stop> {
        let Asked { caller, request } = asked;
        match request {
            Request::PutCard(card) => self.put_card(now, *caller, card),
            Request::Publish(publish) => self.publish(now, *caller, publish),
            Request::Take { target, kind, id } => self.take(now, *caller, (*target, *kind), *id),
            Request::Depth(owner) => {
                own(caller, owner)?;
                Ok(Decision::answer(Answer::Depth(self.depth(now, *owner)?)))
            }
            Request::Deposit(deposits) => self.deposit(now, *caller, deposits),
            Request::Acknowledge { mailbox, numbers } => {
                own(caller, mailbox)?;
                let (mailbox, _) = self.mailbox(now, *mailbox)?;
                let (decision, count) = mailbox.acknowledge(numbers)?;
                self.metrics.acknowledged += count;
                Ok(decision)
            }
            Request::SetRules(rules) => {
                let (mailbox, context) = self.mailbox(now, *caller)?;
                mailbox.set_rules(context.storage, context.provider, rules)
            }
            Request::Append(append) => self.append(now, *caller, append),
            Request::PassedLog { log, through } => {
                let (log, context) = self.log(now, *log)?;
                log.pass(context.storage, caller, *through)
            }
            Request::PutBlob { hash, expires, bytes } => {
                let context = context(&self.storage, &*self.provider, &self.limits, now);
                let shelf =
                    self.held.shelves.of(*caller, || Shelf::read(&self.storage, *caller))?;
                let decision = shelf.put(&context, *hash, *expires, bytes)?;
                self.metrics.blobs += u64::from(!decision.changes.is_empty());
                Ok(decision)
            }
            // The others are read after the batch.
            _ => Err(Refusal::Malformed.into()),
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

    fn look(&mut self, now: Timestamp, asked: &Asked) -> Result<Outcome, Stop> {
        match &asked.request {
            Request::GetCard(agent) => {
                let card = cards::bytes_of(&self.storage, agent)?;
                Ok(Outcome::Answer(Answer::Card(card.map(Into::into))))
            }
            Request::GetBlob(hash) => {
                let blob = blobs::get(&self.storage, hash, now.wall)?;
                Ok(Outcome::Answer(Answer::Blob(blob)))
            }
            Request::Fetch(fetch) => self.fetch(now, &asked.caller, fetch),
            Request::ReadLog(read) => self.read_log(now, &asked.caller, read),
            _ => Err(Refusal::Malformed.into()),
        }
    }

    fn put_card(
        &mut self,
        now: Timestamp,
        caller: AgentId,
        card: &Opaque,
    ) -> Result<Decision, Stop> {
        let decision = cards::put(&self.storage, &*self.provider, caller, card, now.wall)?;
        // From the next request of the same batch on.
        self.mailbox(now, caller)?.0.serve();
        Ok(decision)
    }

    fn publish(
        &mut self,
        now: Timestamp,
        caller: AgentId,
        publish: &Publish,
    ) -> Result<Decision, Stop> {
        let kind = match &publish.publication {
            Publication::Prekeys { .. } => KeyKind::Prekeys,
            Publication::KeyPackages { .. } => KeyKind::KeyPackages,
        };
        let (keys, context) = self.keys(now, caller, kind)?;
        let change = keys.publish(&context, publish)?;
        let answer = Answer::Depth(self.depth(now, caller)?);
        Ok(Decision::change(change, answer))
    }

    fn depth(&mut self, now: Timestamp, owner: AgentId) -> Result<Depth, Stop> {
        let (prekeys, of_prekeys) = self.keys(now, owner, KeyKind::Prekeys)?.0.depth(now.wall);
        let (packages, of_packages) =
            self.keys(now, owner, KeyKind::KeyPackages)?.0.depth(now.wall);
        Ok(Depth { prekeys, packages, last_resorts: of_prekeys.saturating_add(of_packages) })
    }

    fn take(
        &mut self,
        now: Timestamp,
        caller: AgentId,
        (target, kind): (AgentId, KeyKind),
        id: TakeId,
    ) -> Result<Decision, Stop> {
        let most = self.limits.requester_takes;
        self.rates.check(&caller, now, Counted::Takes, 1, most)?;
        let (keys, context) = self.keys(now, target, kind)?;
        let (decision, handed) = keys.take(&context, caller, id)?;
        self.rates.count(&caller, now, Counted::Takes, 1);
        match handed {
            Handed::Key { left } => {
                self.metrics.keys_taken += 1;
                if left == Limits::LOW_POOL || left == 0 {
                    self.nudges.push((target, Nudge::LowPool));
                }
            }
            Handed::LastResort { drained } => {
                self.metrics.last_resorts += 1;
                self.metrics.drains_refused += u64::from(drained);
            }
            Handed::Again => {}
        }
        Ok(decision)
    }

    fn deposit(
        &mut self,
        now: Timestamp,
        caller: AgentId,
        deposits: &[Deposit],
    ) -> Result<Decision, Stop> {
        let mut changes = Vec::with_capacity(deposits.len());
        let mut outcomes = Vec::with_capacity(deposits.len());
        for deposit in deposits {
            match self.deposit_one(now, caller, deposit) {
                Ok(Deposited::New(change, number)) => {
                    self.metrics.deposits += 1;
                    self.nudges.push((deposit.recipient, Nudge::Mail));
                    changes.push(change);
                    outcomes.push(Ok(number));
                }
                Ok(Deposited::Repeated(number)) => {
                    self.metrics.repeated_deposits += 1;
                    outcomes.push(Ok(number));
                }
                Err(Stop::Refused(refusal)) => {
                    self.metrics.refused(refusal);
                    outcomes.push(Err(refusal));
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(Decision { changes, answer: Answer::Deposited(outcomes) })
    }

    fn deposit_one(
        &mut self,
        now: Timestamp,
        caller: AgentId,
        deposit: &Deposit,
    ) -> Result<Deposited, Stop> {
        let length = deposit.packet.len() as u64;
        let Limits { sender_pieces, sender_bytes, .. } = self.limits;
        self.rates.check(&caller, now, Counted::Pieces, 1, sender_pieces)?;
        self.rates.check(&caller, now, Counted::Bytes, length, sender_bytes)?;
        let (mailbox, context) = self.mailbox(now, deposit.recipient)?;
        let deposited = mailbox.deposit(&context, caller, deposit)?;
        self.rates.count(&caller, now, Counted::Pieces, 1);
        self.rates.count(&caller, now, Counted::Bytes, length);
        Ok(deposited)
    }

    fn append(
        &mut self,
        now: Timestamp,
        caller: AgentId,
        append: &Append,
    ) -> Result<Decision, Stop> {
        let foundings = self.limits.foundings;
        let founds = self.log(now, append.log)?.0.is_new();
        if founds {
            self.rates.check(&caller, now, Counted::Foundings, 1, foundings)?;
        }
        let (log, context) = self.log(now, append.log)?;
        let decision = log.append(&context, caller, &append.entry)?;
        let others = log.readers().filter(|reader| **reader != caller);
        let nudges: Vec<_> = others.map(|reader| (*reader, Nudge::Log(append.log))).collect();
        if !decision.changes.is_empty() {
            self.nudges.extend(nudges);
            self.metrics.appended += 1;
        }
        if founds {
            self.rates.count(&caller, now, Counted::Foundings, 1);
        }
        Ok(decision)
    }

    fn fetch(&mut self, now: Timestamp, caller: &AgentId, fetch: &Fetch) -> Result<Outcome, Stop> {
        own(caller, &fetch.mailbox)?;
        let mail = mailbox::fetch(&self.storage, fetch, now.wall)?;
        if mail.is_empty() && fetch.wait > 0 {
            let subject = entry::mailbox(&fetch.mailbox);
            return Ok(Outcome::Wait(Waiting { subject, millis: fetch.wait }));
        }
        self.metrics.fetches += 1;
        self.metrics.fetched += mail.len() as u64;
        Ok(Outcome::Answer(Answer::Mail(mail)))
    }

    fn read_log(
        &mut self,
        now: Timestamp,
        caller: &AgentId,
        read: &ReadLog,
    ) -> Result<Outcome, Stop> {
        let (log, context) = self.log(now, read.log)?;
        let answer = log.entries(context.storage, caller, read)?;
        let is_empty = matches!(&answer, Answer::Entries { entries, .. } if entries.is_empty());
        if is_empty && read.wait > 0 {
            let subject = entry::log(&read.log);
            return Ok(Outcome::Wait(Waiting { subject, millis: read.wait }));
        }
        Ok(Outcome::Answer(answer))
    }

    fn mailbox(
        &mut self,
        now: Timestamp,
        owner: AgentId,
    ) -> Result<(&mut Mailbox, Context<'_>), StorageError> {
        let context = context(&self.storage, &*self.provider, &self.limits, now);
        let read = || Mailbox::read(context.storage, context.provider, owner);
        Ok((self.held.mailboxes.of(owner, read)?, context))
    }

    fn keys(
        &mut self,
        now: Timestamp,
        owner: AgentId,
        kind: KeyKind,
    ) -> Result<(&mut Keys, Context<'_>), StorageError> {
        let context = context(&self.storage, &*self.provider, &self.limits, now);
        let read = || Keys::read(context.storage, owner, kind);
        Ok((self.held.pools.of((owner, kind), read)?, context))
    }

    fn log(&mut self, now: Timestamp, id: LogId) -> Result<(&mut Log, Context<'_>), StorageError> {
        let context = context(&self.storage, &*self.provider, &self.limits, now);
        let read = || Log::read(context.storage, id);
        Ok((self.held.logs.of(id, read)?, context))
    }
}

impl Held {
    fn new(most: usize) -> Self {
        Self {
            mailboxes: Folds::new(most),
            pools: Folds::new(most / 8),
            logs: Folds::new(most / 8),
            shelves: Folds::new(most / 8),
        }
    }

    fn trim(&mut self) {
        self.mailboxes.trim();
        self.pools.trim();
        self.logs.trim();
        self.shelves.trim();
    }

    /// Forgets what a change that was not done had adopted.
    fn forget(&mut self, change: &Change) {
        let Some(Condition::Append { subject, .. }) = &change.condition else {
            return;
        };
        let agent = AgentId::from_bytes(subject.id());
        match subject.kind() {
            entry::PREKEYS => self.pools.forget(&(agent, KeyKind::Prekeys)),
            entry::KEY_PACKAGES => self.pools.forget(&(agent, KeyKind::KeyPackages)),
            entry::LOG => self.logs.forget(&LogId(subject.id())),
            entry::SHELF => self.shelves.forget(&agent),
            // Mail, rules and cards are all of the mailbox's state.
            _ => self.mailboxes.forget(&agent),
        }
    }
}

fn context<'a>(
    storage: &'a dyn Storage,
    provider: &'a dyn Provider,
    limits: &'a Limits,
    now: Timestamp,
) -> Context<'a> {
    Context { storage, provider, limits, now }
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

/// How much one step of a sweep looks at: a second has one, and a hundred thousand mailboxes have
/// had their turn within half an hour.
const SWEPT_SUBJECTS: usize = 64;
const SWEPT_VALUES: usize = 64;

/// How often a request is judged anew because another writer over the same storage was first.
const ROUNDS: usize = 3;

/// Seconds after which a full relay may have room.
const FULL_RETRY: u16 = 300;
