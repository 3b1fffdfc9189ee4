//! Power lost at 500 random points under load: what was answered is there, once; no key goes out
//! twice; no log has a gap or a fork.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::relay::*;
use meshwork_relay::storage::{RedbStorage, StorageError};
use meshwork_relay::{Asked, Limits, Outcome, Relay};
use meshwork_state::suites::{Disk, Medium};

use crate::common::*;

const LOG: LogId = LogId([4; 32]);

/// What those who ask remember; it outlives every relay.
struct Ordeal {
    owner: Agent,
    random: Seeded,
    next: u32,
    /// Deposits whose answer came, by packet, and those that are owed one.
    answered: BTreeMap<Vec<u8>, MailNumber>,
    owed: Vec<(AgentId, Vec<u8>)>,
    /// What the owner took into its inbox.
    inbox: Vec<Vec<u8>>,
    acknowledged: BTreeSet<u64>,
    /// Keys that somebody was given, and to whom.
    keys: BTreeMap<u32, (AgentId, u16)>,
    /// Entries whose append was answered.
    entries: BTreeMap<u64, Vec<u8>>,
    last_commit: u64,
    made: bool,
    losses: u32,
    answers: u32,
}

type Life = Relay<RedbStorage>;

impl Ordeal {
    fn new(seed: u64) -> Self {
        Self {
            owner: Agent::new(1, 200),
            random: Seeded(seed),
            next: 0,
            answered: BTreeMap::new(),
            owed: Vec::new(),
            inbox: Vec::new(),
            acknowledged: BTreeSet::new(),
            keys: BTreeMap::new(),
            entries: BTreeMap::new(),
            last_commit: 0,
            made: false,
            losses: 0,
            answers: 0,
        }
    }

    /// Serves batches until the power goes, from a random moment on.
    fn live_until_power_goes(&mut self, disk: &Disk) {
        if !self.made {
            // A creation that was cut short is done again, as it is for a file.
            let _off = Medium::set_len(disk, 0);
        }
        let storage = match RedbStorage::on(disk.clone()) {
            Ok(storage) => storage,
            Err(error) => return assert!(disk.is_off(), "{error}"),
        };
        self.made = true;
        let limits = Limits { target_keys: 1_000, requester_keys: 200, ..Limits::default() };
        let mut relay = Relay::new(storage, Arc::new(AwsLc), limits);
        while self.step(&mut relay).is_ok() {}
        assert!(disk.is_off(), "the storage failed with the power on");
    }

    fn step(&mut self, relay: &mut Life) -> Result<(), StorageError> {
        let mut batch = vec![
            Asked { caller: self.owner.id(), request: self.owner.put_card() },
            Asked { caller: self.owner.id(), request: self.owner.publish() },
            Asked { caller: self.owner.id(), request: fetch(self.owner.id(), 0) },
        ];
        for _ in 0..1 + self.random.below(8) {
            batch.push(self.something());
        }
        let outcomes = relay.serve(NOW, &batch)?;
        for (asked, outcome) in batch.into_iter().zip(outcomes) {
            let Outcome::Answer(answer) = outcome else { panic!("nobody waits") };
            self.answers += 1;
            self.note(asked, answer, relay)?;
        }
        Ok(())
    }

    fn something(&mut self) -> Asked {
        let caller = someone(1 + self.random.below(5) as u16);
        match self.random.below(4) {
            // What was owed an answer is asked again first.
            0 if !self.owed.is_empty() => {
                let (caller, packet) = self.owed.remove(0);
                self.deposit(caller, packet)
            }
            0 | 1 => {
                self.next += 1;
                let mut packet = vec![7; self.random.below(3_000) as usize];
                packet.extend_from_slice(&self.next.to_be_bytes());
                self.deposit(caller, packet)
            }
            2 => {
                let id = self.random.below(60) as u16;
                Asked { caller, request: take(self.owner.id(), id) }
            }
            _ => self.entry(),
        }
    }

    fn deposit(&mut self, caller: AgentId, packet: Vec<u8>) -> Asked {
        let request = Request::Deposit(vec![mail(self.owner.id(), &packet)]);
        self.owed.push((caller, packet));
        Asked { caller, request }
    }

    /// A commit on the last one that is known, or the first.
    fn entry(&mut self) -> Asked {
        self.next += 1;
        let caller = someone(1);
        let bytes = self.next.to_be_bytes().to_vec();
        let entry = if self.entries.is_empty() || self.random.below(2) == 0 {
            Entry::Commit(Commit {
                epoch: 1,
                builds_on: (self.last_commit > 0).then_some(EntryIndex(self.last_commit)),
                admitted: vec![(caller, MayAppend::Admin), (someone(2), MayAppend::Admin)],
                removed: vec![],
                bytes: bytes.into(),
            })
        } else {
            Entry::Message(bytes.into())
        };
        Asked { caller, request: Request::Append(Append { log: LOG, entry }) }
    }

    fn note(&mut self, asked: Asked, answer: Answer, relay: &mut Life) -> Result<(), StorageError> {
        match (asked.request, answer) {
            (Request::Deposit(deposits), Answer::Deposited(outcomes)) => {
                let packet = deposits[0].packet.0.clone();
                let number = outcomes[0].unwrap_or_else(|refusal| panic!("{refusal}"));
                self.owed.retain(|(_, owed)| *owed != packet);
                let before = self.answered.insert(packet, number);
                assert!(before.is_none_or(|before| before == number));
            }
            (
                Request::Take { id, .. },
                Answer::Taken(Taken::Prekeys { one_time: Some(key), .. }),
            ) => {
                let mut name = [0; 2];
                name.copy_from_slice(&id.0[..2]);
                let whose = (asked.caller, u16::from_be_bytes(name));
                let before = self.keys.insert(key.key.id.0, whose);
                assert!(before.is_none_or(|before| before == whose), "a key went out twice");
            }
            (Request::Append(append), Answer::Appended(index)) => {
                if matches!(append.entry, Entry::Commit(_)) {
                    self.last_commit = index.0;
                }
                self.entries.insert(index.0, bytes_of(&append.entry));
            }
            (Request::Append(_), Answer::Refused(Refusal::NotLast { last })) => {
                self.last_commit = last.0;
            }
            (Request::Append(_), Answer::Refused(Refusal::NotNow { .. })) => {
                let on = EntryIndex(self.last_commit);
                let kind = StatementKind::Confirmed;
                let entry = Entry::Statement(Statement { on, kind, bytes: Opaque::default() });
                let request = Request::Append(Append { log: LOG, entry });
                relay.serve(NOW, &[Asked { caller: someone(2), request }])?;
            }
            (Request::Fetch(_), Answer::Mail(mail)) => self.take_in(mail, relay)?,
            (_, Answer::Done | Answer::Depth(_) | Answer::Taken(_)) => {}
            // Before the first card was durable.
            (Request::Publish(_), Answer::Refused(Refusal::NotServed)) => {}
            (Request::Take { .. }, Answer::Refused(Refusal::NoKeys)) => {}
            (request, answer) => panic!("{request:?}: {answer:?}"),
        }
        Ok(())
    }

    /// The owner takes mail in, once by its number, and then acknowledges some of it.
    fn take_in(&mut self, mail: Vec<Kept>, relay: &mut Life) -> Result<(), StorageError> {
        let mut numbers = Vec::new();
        for kept in mail {
            if self.acknowledged.insert(kept.number.0) {
                self.inbox.push(kept.packet.0);
            }
            if self.random.below(3) == 0 {
                numbers.push(kept.number.0);
            }
        }
        if !numbers.is_empty() {
            let request = acknowledge(self.owner.id(), &numbers);
            relay.serve(NOW, &[Asked { caller: self.owner.id(), request }])?;
        }
        Ok(())
    }

    fn check_in_calm(&mut self, disk: &Disk) {
        let storage = RedbStorage::on(disk.clone()).unwrap();
        let mut relay = Relay::new(storage, Arc::new(AwsLc), Limits::default());
        // Who is owed an answer asks once more, and the owner fetches to the end.
        for (caller, packet) in std::mem::take(&mut self.owed) {
            let asked = self.deposit(caller, packet);
            let outcome = relay.serve(NOW, std::slice::from_ref(&asked)).unwrap().remove(0);
            let Outcome::Answer(answer) = outcome else { panic!() };
            self.note(asked, answer, &mut relay).unwrap();
        }
        let mail = fetched(&mut relay, self.owner.id());
        self.take_in(mail, &mut relay).unwrap();
        let mut once = self.inbox.clone();
        once.sort();
        assert!(once.is_sorted_by(|one, next| one < next), "a packet was delivered twice");
        let arrived: BTreeSet<_> = once.into_iter().collect();
        assert!(self.answered.keys().all(|packet| arrived.contains(packet)), "mail was lost");
        self.check_log(&mut relay);
    }

    fn check_log(&self, relay: &mut Life) {
        let (mut after, mut seen, mut last_commit) = (0, BTreeMap::new(), 0);
        loop {
            let read = ReadLog { log: LOG, after: EntryIndex(after), most: 1_024, wait: 0 };
            let answer = ask(relay, someone(1), Request::ReadLog(read));
            let Answer::Entries { entries, .. } = answer else { break };
            let Some(last) = entries.last() else { break };
            let next = last.index.0;
            for logged in entries {
                after += 1;
                assert_eq!(logged.index.0, after, "a gap");
                if let Entry::Commit(commit) = &logged.entry {
                    assert_eq!(commit.builds_on.map_or(0, |on| on.0), last_commit, "a fork");
                    last_commit = after;
                }
                seen.insert(after, bytes_of(&logged.entry));
            }
            assert_eq!(after, next);
        }
        assert!(self.entries.iter().all(|(index, bytes)| seen.get(index) == Some(bytes)));
    }
}

fn bytes_of(entry: &Entry) -> Vec<u8> {
    match entry {
        Entry::Commit(commit) => commit.bytes.0.clone(),
        Entry::Message(bytes) => bytes.0.clone(),
        _ => Vec::new(),
    }
}

#[test]
fn what_was_answered_survives_500_power_losses_once() {
    let (mut losses, mut answers, mut keys) = (0, 0, 0);
    for seed in 0..20 {
        let mut disk = Disk::new(seed);
        let mut ordeal = Ordeal::new(seed);
        for _ in 0..25 {
            let reach = if ordeal.random.below(3) == 0 { 20 } else { 300 };
            disk.cut_power_after(ordeal.random.below(reach) as u32);
            ordeal.live_until_power_goes(&disk);
            ordeal.losses += 1;
            disk = disk.power_cycle();
        }
        ordeal.check_in_calm(&disk);
        losses += ordeal.losses;
        answers += ordeal.answers;
        keys += ordeal.keys.len();
    }
    println!("{losses} losses, {answers} answers, {keys} keys");
    assert_eq!(losses, 500);
    assert!(answers > 5_000 && keys > 500, "{answers} answers, {keys} keys");
}
