//! Pools: keys handed out at most once.
//!
//! A pool is a log: a *snapshot* of all that stands, then one line for each key that was taken. A
//! taking is an append with the next number, so that no key goes out twice, across a crash or
//! between two relays over one storage; one whose answer was lost is spent. Each publication begins
//! with a new snapshot.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use meshwork_protocols::deferred::agent::{Bundle, BundleError, Pool, PoolError, pool};
use meshwork_protocols::deferred::{CurvePublic, PrekeyId};
use meshwork_protocols::identity::{AgentId, Card, Unverified};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::relay::{
    Answer, KeyKind, OneTime, Opaque, Publication, Publish, PublishMode, Refusal, SignedKeys,
    TakeId, Taken,
};
use meshwork_protocols::time::{CLOCK_TOLERANCE, WallTime};
use serde::{Deserialize, Serialize};

use crate::cards;
use crate::decision::{Decision, Stop};
use crate::entry;
use crate::limits::Limits;
use crate::mailbox::Context;
use crate::past::{Mark, Past};
use crate::storage::{Change, Condition, Most, Storage, StorageError, Then};

/// What is held of one pool.
#[derive(Debug)]
pub(crate) struct Keys {
    owner: AgentId,
    kind: KeyKind,
    last: u64,
    standing: Standing,
    /// Takings by requester and request: what a repetition is answered with.
    given: HashMap<(AgentId, TakeId), Given>,
    /// Keys handed out within the hour, the oldest first.
    recent: VecDeque<(WallTime, AgentId)>,
    /// Keys with their paths, computed once for a lot.
    paths: HashMap<u64, Vec<OneTime>>,
    since_snapshot: usize,
}

/// All that stands.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Standing {
    /// The bundle, or the KeyPackage that is handed out when there is none.
    last_resort: Option<Opaque>,
    /// The number of the bundle.
    number: u64,
    /// In the order in which they are handed out.
    lots: Vec<Lot>,
    next_serial: u64,
    last_resorts: u32,
    /// What was published, also where nothing of it is left.
    past: Past,
}

/// Keys that were published together.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Lot {
    serial: u64,
    content: Content,
    /// How many of them were handed out.
    given: usize,
    not_after: WallTime,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
enum Content {
    Prekeys { pool: Opaque, keys: Vec<(PrekeyId, CurvePublic)> },
    KeyPackages(Vec<Opaque>),
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Given {
    at: WallTime,
    /// The lot and the place in it; nothing for the last resort.
    key: Option<(u64, usize)>,
}

#[derive(Deserialize, Serialize)]
enum PoolRecord {
    Snapshot(Standing, Vec<((AgentId, TakeId), Given)>),
    Taken(AgentId, TakeId, Given),
}

/// What a taking came to, for the metrics and the owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Handed {
    /// A key for the only time; how many are left.
    Key { left: usize },
    /// The last resort; whether keys were left.
    LastResort { drained: bool },
    /// What was handed out before.
    Again,
}

impl Keys {
    pub(crate) fn read(
        storage: &dyn Storage,
        owner: AgentId,
        kind: KeyKind,
    ) -> Result<Self, StorageError> {
        let subject = entry::pool(&owner, kind);
        let mut keys = Self {
            owner,
            kind,
            last: storage.last(&subject)?,
            standing: Standing::default(),
            given: HashMap::new(),
            recent: VecDeque::new(),
            paths: HashMap::new(),
            since_snapshot: 0,
        };
        let mut after = 0;
        loop {
            let records = storage.read(&subject, after, READ_AT_ONCE)?;
            let Some(last) = records.last() else { return Ok(keys) };
            after = last.sequence;
            for record in &records {
                keys.fold(entry::decode(&record.bytes)?);
            }
        }
    }

    fn fold(&mut self, record: PoolRecord) {
        match record {
            PoolRecord::Snapshot(standing, given) => {
                self.standing = standing;
                self.given.clear();
                self.recent.clear();
                self.since_snapshot = 0;
                for (request, given) in given {
                    self.note(request, given);
                }
            }
            PoolRecord::Taken(requester, id, given) => {
                self.spend(given);
                self.note((requester, id), given);
                self.since_snapshot += 1;
            }
        }
    }

    /// How many keys are left, and how often the last resort was handed out.
    pub(crate) fn depth(&self, now: WallTime) -> (u32, u32) {
        (u32::try_from(self.left(now)).unwrap_or(u32::MAX), self.standing.last_resorts)
    }

    /// Takes in what the owner publishes.
    pub(crate) fn publish(
        &mut self,
        context: &Context<'_>,
        publish: &Publish,
    ) -> Result<Change, Stop> {
        let now = context.now.wall;
        let mut standing = self.standing.clone();
        let content = match &publish.publication {
            Publication::Prekeys { bundle, pool } => {
                let card = cards::of(context.storage, context.provider, &self.owner)?
                    .ok_or(Refusal::NotServed)?;
                standing.take_bundle(context.provider, &card, bundle, now)?;
                pool.as_ref()
                    .map(|pool| verified(context.provider, &card, pool, now))
                    .transpose()?
            }
            Publication::KeyPackages { packages, last_resort } => {
                if context.storage.last(&entry::card(&self.owner))? == 0 {
                    return Err(Refusal::NotServed.into());
                }
                if last_resort.is_some() {
                    standing.last_resort.clone_from(last_resort);
                }
                let content = Content::KeyPackages(packages.clone());
                let forever = now + context.limits.keep;
                (!packages.is_empty()).then_some((content, forever))
            }
        };
        if publish.mode == PublishMode::Replace {
            let marks = content.as_ref().map(|(content, _)| content.marks(context.provider));
            standing.withdraw(context.provider, &marks.unwrap_or_default(), now);
        }
        standing.drop_ended(now, &self.given);
        // A lot of which a key was published before is a repetition. Its owner may have signed it
        // anew, and each key still goes out once.
        if let Some((content, not_after)) = content {
            let until = (now + context.limits.keep).max(not_after + CLOCK_TOLERANCE);
            let marks = content.marks(context.provider);
            if !standing.past.has_any(&marks, now) {
                standing.past.note(marks, until, now)?;
                standing.add(content, not_after);
            }
        }
        let standing_lots = standing.lots.iter().filter(|lot| lot.left(now) > 0).count();
        if standing.left(now) > context.limits.pool_keys || standing_lots > MAX_LOTS {
            return Err(Refusal::TooMuch.into());
        }
        standing.last_resorts = 0;
        Ok(self.snapshot(standing, now))
    }

    /// Hands a key out: the one of before to who repeats itself, else the next one, else the last
    /// resort.
    pub(crate) fn take(
        &mut self,
        context: &Context<'_>,
        requester: AgentId,
        id: TakeId,
    ) -> Result<(Decision, Handed), Stop> {
        let now = context.now.wall;
        if let Some(given) = self.given.get(&(requester, id)).copied() {
            let answer = self.answer(context.provider, given)?;
            return Ok((Decision::answer(answer), Handed::Again));
        }
        let next = self.standing.next(now);
        let allowed = self.may_hand_out(context.limits, requester, now);
        let given = Given { at: now, key: next.filter(|_| allowed) };
        let answer = self.answer(context.provider, given)?;
        self.last += 1;
        self.spend(given);
        self.note((requester, id), given);
        self.since_snapshot += 1;
        let subject = entry::pool(&self.owner, self.kind);
        let record = entry::encode(&PoolRecord::Taken(requester, id, given));
        let condition = Some(Condition::Append { subject, sequence: self.last, record });
        let mut changes = vec![Change { condition, then: Vec::new() }];
        if self.since_snapshot >= SNAPSHOT_EVERY {
            let mut standing = self.standing.clone();
            standing.drop_ended(now, &self.given);
            changes.push(self.snapshot(standing, now));
        }
        let handed = match given.key {
            Some(_) => Handed::Key { left: self.left(now) },
            None => Handed::LastResort { drained: next.is_some() },
        };
        Ok((Decision { changes, answer }, handed))
    }

    /// Everything in one record, and the log cut off before it.
    fn snapshot(&mut self, standing: Standing, now: WallTime) -> Change {
        self.given.retain(|_, given| now.saturating_since(given.at) <= REPEATABLE);
        let given = self.given.iter().map(|(request, given)| (*request, *given)).collect();
        let record = entry::encode(&PoolRecord::Snapshot(standing.clone(), given));
        self.paths.retain(|serial, _| standing.lots.iter().any(|lot| lot.serial == *serial));
        self.standing = standing;
        self.since_snapshot = 0;
        let subject = entry::pool(&self.owner, self.kind);
        self.last += 1;
        let through = self.last - 1;
        Change {
            condition: Some(Condition::Append { subject, sequence: self.last, record }),
            then: vec![Then::Truncate { subject, through }],
        }
    }

    /// Whether neither the target nor the requester had its keys of this hour.
    fn may_hand_out(&mut self, limits: &Limits, requester: AgentId, now: WallTime) -> bool {
        while self.recent.front().is_some_and(|(at, _)| now.saturating_since(*at) >= HOUR) {
            self.recent.pop_front();
        }
        let by_requester = self.recent.iter().filter(|(_, by)| *by == requester).count();
        self.recent.len() < limits.target_keys && by_requester < limits.requester_keys
    }

    fn left(&self, now: WallTime) -> usize {
        self.standing.left(now)
    }

    fn spend(&mut self, given: Given) {
        let Some((serial, place)) = given.key else {
            self.standing.last_resorts = self.standing.last_resorts.saturating_add(1);
            return;
        };
        if let Some(lot) = self.standing.lots.iter_mut().find(|lot| lot.serial == serial) {
            lot.given = lot.given.max(place + 1);
        }
    }

    fn note(&mut self, (requester, id): (AgentId, TakeId), given: Given) {
        if given.key.is_some() {
            // A snapshot lists them in no order.
            let place = self.recent.partition_point(|(at, _)| *at <= given.at);
            self.recent.insert(place, (given.at, requester));
        }
        self.given.insert((requester, id), given);
    }

    fn answer(&mut self, provider: &dyn Provider, given: Given) -> Result<Answer, Stop> {
        let key = given.key.and_then(|(serial, place)| self.key(provider, serial, place));
        let last_resort = || self.standing.last_resort.clone().ok_or(Refusal::NoKeys);
        let taken = match (self.kind, key) {
            (KeyKind::Prekeys, key) => {
                let one_time = key.and_then(|key| key.one_time());
                Taken::Prekeys { bundle: last_resort()?, one_time }
            }
            (KeyKind::KeyPackages, Some(KeyOf::Package(package))) => {
                Taken::KeyPackage { package, last_resort: false }
            }
            (KeyKind::KeyPackages, _) => {
                Taken::KeyPackage { package: last_resort()?, last_resort: true }
            }
        };
        Ok(Answer::Taken(taken))
    }

    fn key(&mut self, provider: &dyn Provider, serial: u64, place: usize) -> Option<KeyOf> {
        let lot = self.standing.lots.iter().find(|lot| lot.serial == serial)?;
        match &lot.content {
            Content::KeyPackages(packages) => packages.get(place).cloned().map(KeyOf::Package),
            Content::Prekeys { pool, keys } => {
                let paths =
                    self.paths.entry(serial).or_insert_with(|| with_paths(provider, pool, keys));
                paths.get(place).cloned().map(KeyOf::OneTime)
            }
        }
    }
}

enum KeyOf {
    Package(Opaque),
    OneTime(OneTime),
}

impl KeyOf {
    fn one_time(self) -> Option<OneTime> {
        match self {
            Self::OneTime(key) => Some(key),
            Self::Package(_) => None,
        }
    }
}

impl Standing {
    /// The next key that counts: its lot and its place there.
    fn next(&self, now: WallTime) -> Option<(u64, usize)> {
        let lot = self.lots.iter().find(|lot| lot.left(now) > 0)?;
        Some((lot.serial, lot.given))
    }

    fn left(&self, now: WallTime) -> usize {
        self.lots.iter().map(|lot| lot.left(now)).sum()
    }

    /// Takes all keys back but those that are published instead: what was handed out of these stays
    /// so. Who repeats an old publication takes nothing back.
    fn withdraw(&mut self, provider: &dyn Provider, instead: &BTreeSet<Mark>, now: WallTime) {
        let stays = |lot: &Lot| !lot.content.marks(provider).is_disjoint(instead);
        if self.lots.iter().any(stays) || !self.past.has_any(instead, now) {
            self.lots.retain(stays);
        }
    }

    /// Takes the bundle, if it is the newest and the card's agent answers for it.
    fn take_bundle(
        &mut self,
        provider: &dyn Provider,
        card: &Card,
        bytes: &Opaque,
        now: WallTime,
    ) -> Result<(), Refusal> {
        let bundle = Unverified::<Bundle>::parse(&bytes.0)
            .and_then(|bundle| bundle.verify(provider, card, None, now))
            .map_err(bundle_refusal)?;
        let number = bundle.mark().number.0;
        let conflicts = number == self.number && self.last_resort.as_ref() != Some(bytes);
        if self.last_resort.is_some() && (number < self.number || conflicts) {
            return Err(Refusal::Older);
        }
        (self.number, self.last_resort) = (number, Some(bytes.clone()));
        Ok(())
    }

    /// Adds a lot behind the others.
    fn add(&mut self, content: Content, not_after: WallTime) {
        self.lots.push(Lot { serial: self.next_serial, content, given: 0, not_after });
        self.next_serial += 1;
    }

    /// Without the lots that have no key left and that no repetition asks for.
    fn drop_ended(&mut self, now: WallTime, given: &HashMap<(AgentId, TakeId), Given>) {
        let is_wanted = |lot: &Lot| {
            given.values().any(|given| {
                given.key.is_some_and(|(serial, _)| serial == lot.serial)
                    && now.saturating_since(given.at) <= REPEATABLE
            })
        };
        self.lots.retain(|lot| lot.left(now) > 0 || is_wanted(lot));
    }
}

impl Content {
    fn marks(&self, provider: &dyn Provider) -> BTreeSet<Mark> {
        let mark = |bytes: &[u8]| Mark::of(&provider.digest(&[bytes]));
        match self {
            Self::Prekeys { keys, .. } => keys.iter().map(|(_, key)| mark(&key.encode())).collect(),
            Self::KeyPackages(packages) => packages.iter().map(|it| mark(&it.0)).collect(),
        }
    }
}

impl Lot {
    fn left(&self, now: WallTime) -> usize {
        if now > self.not_after + CLOCK_TOLERANCE {
            return 0;
        }
        let count = match &self.content {
            Content::Prekeys { keys, .. } => keys.len(),
            Content::KeyPackages(packages) => packages.len(),
        };
        count.saturating_sub(self.given)
    }
}

fn verified(
    provider: &dyn Provider,
    card: &Card,
    signed: &SignedKeys,
    now: WallTime,
) -> Result<(Content, WallTime), Refusal> {
    let pool = Unverified::<Pool>::parse(&signed.pool.0)
        .and_then(|pool| pool.verify(provider, card))
        .map_err(pool_refusal)?;
    pool.with_paths(provider, &signed.keys).map_err(pool_refusal)?;
    let not_after = pool.body().not_after;
    if now > not_after + CLOCK_TOLERANCE {
        return Err(Refusal::NotValid);
    }
    Ok((Content::Prekeys { pool: signed.pool.clone(), keys: signed.keys.clone() }, not_after))
}

/// The keys of a pool that was verified when it came; none where it is damaged since.
fn with_paths(
    provider: &dyn Provider,
    signed: &Opaque,
    keys: &[(PrekeyId, CurvePublic)],
) -> Vec<OneTime> {
    let keys = pool::paths(provider, keys).into_iter();
    keys.map(|key| OneTime { pool: signed.clone(), key }).collect()
}

fn bundle_refusal(error: BundleError) -> Refusal {
    match error {
        BundleError::NotYetValid(_) | BundleError::Expired(_) => Refusal::NotValid,
        BundleError::BadSignature
        | BundleError::WrongAgent
        | BundleError::WrongIdentity
        | BundleError::CardTooOld(_) => Refusal::Unsigned,
        _ => Refusal::Malformed,
    }
}

fn pool_refusal(error: PoolError) -> Refusal {
    match error {
        PoolError::Expired(_) => Refusal::NotValid,
        PoolError::BadSignature | PoolError::WrongCard | PoolError::NotOfThisPool => {
            Refusal::Unsigned
        }
        _ => Refusal::Malformed,
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long a requester may repeat itself and get the same key.
const REPEATABLE: Duration = Duration::from_secs(24 * 60 * 60);

/// Takings between two snapshots: a start reads no more than these.
const SNAPSHOT_EVERY: usize = 4_096;

/// Lots that stand at once: keys are published when a lot runs low, so that two are usual.
const MAX_LOTS: usize = 8;

const READ_AT_ONCE: Most = Most { entries: 1_024, bytes: 4 << 20 };
