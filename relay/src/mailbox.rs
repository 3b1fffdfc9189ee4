//! A mailbox: a log of mail, which its owner reads and acknowledges.
//!
//! Mail lies in the log itself; what is held here of it is who left it, its hash and its length, so
//! that quotas, repetitions and numbers are judged without reading it again.

use std::collections::{BTreeMap, HashMap};

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::relay::{
    Answer, Deposit, Fetch, Kept, MAX_ANSWER, MailNumber, Refusal, Rules,
};
use meshwork_protocols::time::{CLOCK_TOLERANCE, Timestamp, WallTime};
use meshwork_protocols::wire::bytes;
use serde::{Deserialize, Serialize};

use crate::cards;
use crate::decision::{Decision, Stop};
use crate::entry;
use crate::limits::Limits;
use crate::storage::{Change, Condition, Most, Storage, StorageError, Then};

/// What is held of a mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox {
    owner: AgentId,
    /// Whether the owner put a card here.
    served: bool,
    rules: Option<Rules>,
    last: u64,
    pieces: BTreeMap<u64, Piece>,
    by_hash: HashMap<[u8; 32], u64>,
    /// What was acknowledged and is not yet remembered durably: who left it, and its number.
    leaving: HashMap<[u8; 32], (AgentId, MailNumber)>,
    by_sender: HashMap<AgentId, Tally>,
    all: Tally,
    strangers: Tally,
}

#[derive(Debug)]
struct Piece {
    sender: AgentId,
    hash: [u8; 32],
    expires: WallTime,
    length: u64,
    stranger: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    pieces: usize,
    bytes: u64,
}

/// Mail as it is stored.
#[derive(Deserialize, Serialize)]
pub(crate) struct MailRecord<'a> {
    sender: AgentId,
    since: WallTime,
    pub(crate) expires: WallTime,
    hash: [u8; 32],
    #[serde(borrow, serialize_with = "bytes::serialize")]
    packet: &'a [u8],
}

impl MailRecord<'_> {
    pub(crate) fn since(&self) -> WallTime {
        self.since
    }
}

/// What remembers mail that is gone.
#[derive(Deserialize, Serialize)]
pub(crate) struct Seen {
    sender: AgentId,
    number: u64,
    pub(crate) until: WallTime,
}

/// What became of a deposit.
pub(crate) enum Deposited {
    /// It is to be stored.
    New(Change, MailNumber),
    /// It was stored before.
    Repeated(MailNumber),
}

impl Mailbox {
    pub(crate) fn read(
        storage: &dyn Storage,
        provider: &dyn Provider,
        owner: AgentId,
    ) -> Result<Self, StorageError> {
        let subject = entry::mailbox(&owner);
        let rules = cards::newest(storage, &entry::rules(&owner))?;
        let rules = rules.map(|record| entry::decode(&record.bytes)).transpose()?;
        let mut mailbox = Self {
            owner,
            served: storage.last(&entry::card(&owner))? > 0,
            rules,
            last: storage.last(&subject)?,
            pieces: BTreeMap::new(),
            by_hash: HashMap::new(),
            leaving: HashMap::new(),
            by_sender: HashMap::new(),
            all: Tally::default(),
            strangers: Tally::default(),
        };
        let mut after = 0;
        loop {
            let records = storage.read(&subject, after, READ_AT_ONCE)?;
            let Some(last) = records.last() else { return Ok(mailbox) };
            after = last.sequence;
            for record in &records {
                let mail: MailRecord<'_> = entry::decode(&record.bytes)?;
                let stranger = mailbox.is_stranger(provider, &mail.sender);
                let length = mail.packet.len() as u64;
                let MailRecord { sender, expires, hash, .. } = mail;
                mailbox.add(record.sequence, Piece { sender, hash, expires, length, stranger });
            }
        }
    }

    /// From now on, the owner is served.
    pub(crate) fn serve(&mut self) {
        self.served = true;
    }

    /// Judges a deposit, and counts it as kept if it is to be.
    pub(crate) fn deposit(
        &mut self,
        context: &Context<'_>,
        sender: AgentId,
        deposit: &Deposit,
    ) -> Result<Deposited, Stop> {
        let Context { storage, provider, limits, now, .. } = *context;
        if !self.served {
            return Err(Refusal::NotServed.into());
        }
        // 1. What was left before is answered as it was then.
        let hash = provider.digest(&[&deposit.packet.0]);
        if let Some(before) = self.before(storage, &hash)? {
            let (depositor, number) = before;
            let same = depositor == sender;
            return if same {
                Ok(Deposited::Repeated(number))
            } else {
                Err(Refusal::OtherDepositor.into())
            };
        }
        // 2. It has some time before it, and not more than any mail has.
        let latest = now.wall + limits.keep + CLOCK_TOLERANCE;
        if deposit.expires <= now.wall || deposit.expires > latest {
            return Err(Refusal::BadExpiry.into());
        }
        // 3. There is room for it.
        let stranger = self.is_stranger(provider, &sender);
        let length = deposit.packet.len() as u64;
        self.check_room(limits, &sender, stranger, length)?;
        // 4. It is kept.
        let sequence = self.last + 1;
        let expires = deposit.expires.min(now.wall + limits.keep);
        let packet = deposit.packet.as_ref();
        let record = MailRecord { sender, since: now.wall, expires, hash, packet };
        let record = entry::encode_around(packet.len(), &record);
        let subject = entry::mailbox(&self.owner);
        self.last = sequence;
        self.add(sequence, Piece { sender, hash, expires, length, stranger });
        let condition = Some(Condition::Append { subject, sequence, record });
        Ok(Deposited::New(Change { condition, then: Vec::new() }, MailNumber(sequence)))
    }

    /// Removes what the owner has.
    pub(crate) fn acknowledge(
        &mut self,
        numbers: &[MailNumber],
    ) -> Result<(Decision, u64), Refusal> {
        if numbers.last().is_some_and(|number| number.0 > self.last) {
            return Err(Refusal::NoSuchMail);
        }
        let subject = entry::mailbox(&self.owner);
        let mut then = Vec::new();
        let mut count = 0;
        for MailNumber(sequence) in numbers {
            let Some(piece) = self.remove(*sequence) else { continue };
            let until = piece.expires + CLOCK_TOLERANCE;
            let seen = Seen { sender: piece.sender, number: *sequence, until };
            then.push(Then::Remove { subject, sequence: *sequence });
            let key = entry::seen(&self.owner, &piece.hash);
            self.leaving.insert(piece.hash, (piece.sender, MailNumber(*sequence)));
            then.push(Then::Put { key, value: entry::encode(&seen) });
            count += 1;
        }
        let changes =
            if then.is_empty() { Vec::new() } else { vec![Change { condition: None, then }] };
        Ok((Decision { changes, answer: Answer::Done }, count))
    }

    /// What was acknowledged is durable: storage says of it that it was there.
    pub(crate) fn settle(&mut self) {
        self.leaving = HashMap::new();
    }

    /// Takes the owner's rules, if they are newer.
    pub(crate) fn set_rules(
        &mut self,
        storage: &dyn Storage,
        provider: &dyn Provider,
        rules: &Rules,
    ) -> Result<Decision, Stop> {
        if !self.served {
            return Err(Refusal::NotServed.into());
        }
        match &self.rules {
            Some(held) if held == rules => return Ok(Decision::answer(Answer::Done)),
            Some(held) if held.revision >= rules.revision => return Err(Refusal::Older.into()),
            _ => {}
        }
        let subject = entry::rules(&self.owner);
        let change = cards::replace(subject, storage.last(&subject)?, entry::encode(rules));
        self.rules = Some(rules.clone());
        self.judge_strangers_anew(provider);
        Ok(Decision::change(change, Answer::Done))
    }

    /// Who left this packet before, and its number then.
    fn before(
        &self,
        storage: &dyn Storage,
        hash: &[u8; 32],
    ) -> Result<Option<(AgentId, MailNumber)>, StorageError> {
        let held =
            self.by_hash.get(hash).and_then(|number| Some((number, self.pieces.get(number)?)));
        if let Some((number, piece)) = held {
            return Ok(Some((piece.sender, MailNumber(*number))));
        }
        // Acknowledged in the same batch.
        if let Some(leaving) = self.leaving.get(hash) {
            return Ok(Some(*leaving));
        }
        let Some(seen) = storage.get(&entry::seen(&self.owner, hash))? else { return Ok(None) };
        let seen: Seen = entry::decode(&seen)?;
        Ok(Some((seen.sender, MailNumber(seen.number))))
    }

    fn check_room(
        &self,
        limits: &Limits,
        sender: &AgentId,
        stranger: bool,
        length: u64,
    ) -> Result<(), Refusal> {
        if let (true, Some(rules)) = (stranger, &self.rules) {
            if rules.strangers.pieces == 0 {
                return Err(Refusal::Unwanted);
            }
            let pieces = usize::try_from(rules.strangers.pieces).unwrap_or(usize::MAX);
            self.strangers.check(length, pieces, rules.strangers.bytes)?;
        }
        let share = self.by_sender.get(sender).copied().unwrap_or_default();
        share.check(length, limits.share_pieces, limits.share_bytes)?;
        self.all.check(length, limits.mailbox_pieces, limits.mailbox_bytes)
    }

    /// Without rules nobody is a stranger.
    fn is_stranger(&self, provider: &dyn Provider, sender: &AgentId) -> bool {
        self.rules.as_ref().is_some_and(|rules| !rules.knows(provider, sender))
    }

    fn judge_strangers_anew(&mut self, provider: &dyn Provider) {
        let rules = self.rules.as_ref();
        self.strangers = Tally::default();
        for piece in self.pieces.values_mut() {
            piece.stranger = rules.is_some_and(|rules| !rules.knows(provider, &piece.sender));
            if piece.stranger {
                self.strangers.add(piece.length);
            }
        }
    }

    fn add(&mut self, number: u64, piece: Piece) {
        self.all.add(piece.length);
        self.by_sender.entry(piece.sender).or_default().add(piece.length);
        if piece.stranger {
            self.strangers.add(piece.length);
        }
        self.by_hash.insert(piece.hash, number);
        self.pieces.insert(number, piece);
    }

    fn remove(&mut self, number: u64) -> Option<Piece> {
        let piece = self.pieces.remove(&number)?;
        self.by_hash.remove(&piece.hash);
        self.all.remove(piece.length);
        if piece.stranger {
            self.strangers.remove(piece.length);
        }
        if let Some(share) = self.by_sender.get_mut(&piece.sender) {
            share.remove(piece.length);
            if share.pieces == 0 {
                self.by_sender.remove(&piece.sender);
            }
        }
        Some(piece)
    }
}

impl Tally {
    fn check(self, length: u64, pieces: usize, bytes: u64) -> Result<(), Refusal> {
        if length > bytes {
            return Err(Refusal::TooMuch);
        }
        if self.pieces >= pieces || self.bytes + length > bytes {
            return Err(Refusal::NotNow { retry_after: FULL_RETRY });
        }
        Ok(())
    }

    fn add(&mut self, length: u64) {
        self.pieces += 1;
        self.bytes += length;
    }

    fn remove(&mut self, length: u64) {
        self.pieces = self.pieces.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(length);
    }
}

/// What judging needs beside the state.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub storage: &'a dyn Storage,
    pub provider: &'a dyn Provider,
    pub limits: &'a Limits,
    pub now: Timestamp,
}

/// The mail that is asked for, as much as fits one answer. Nothing of a mailbox is held for it.
pub(crate) fn fetch(
    storage: &dyn Storage,
    fetch: &Fetch,
    now: WallTime,
) -> Result<Vec<Kept>, StorageError> {
    let subject = entry::mailbox(&fetch.mailbox);
    let most = Most { entries: fetch.most.into(), bytes: MAX_ANSWER - ANSWER_ROOM };
    let mut mail = Vec::new();
    let mut after = fetch.after.0;
    // What has expired is passed over, also where a whole answer's worth of it comes first.
    loop {
        let records = storage.read(&subject, after, most)?;
        let Some(last) = records.last() else { return Ok(mail) };
        after = last.sequence;
        for record in &records {
            let MailRecord { sender, since, expires, packet, .. } = entry::decode(&record.bytes)?;
            if expires > now {
                let number = MailNumber(record.sequence);
                mail.push(Kept { number, sender, since, packet: packet.to_vec().into() });
            }
        }
        if !mail.is_empty() {
            return Ok(mail);
        }
    }
}

/// Seconds after which a full mailbox may have room: its owner fetches when it is nudged.
const FULL_RETRY: u16 = 30;

const READ_AT_ONCE: Most = Most { entries: 1_024, bytes: 4 << 20 };

/// What the answer has around the packets. A stored piece is longer than the same piece in an
/// answer, so that what fits here fits there.
const ANSWER_ROOM: usize = 512;
