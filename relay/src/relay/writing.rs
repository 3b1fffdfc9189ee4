//! Requests that change something: each is judged against what is held, and becomes changes that
//! are to be durable before its answer is given.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{
    Answer, Append, Deposit, Depth, KeyKind, Nudge, Opaque, Publication, Publish, Refusal, Request,
    TakeId,
};
use meshwork_protocols::time::Timestamp;

use super::held::context;
use super::{Asked, Relay, own};
use crate::blobs::Shelf;
use crate::cards;
use crate::decision::{Decision, Stop};
use crate::limits::Limits;
use crate::mailbox::Deposited;
use crate::pools::Handed;
use crate::rates::Counted;
use crate::storage::Storage;

impl<S: Storage> Relay<S> {
    pub(super) fn decide(&mut self, now: Timestamp, asked: &Asked) -> Result<Decision, Stop> {
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
                    self.nudges.push(target, Nudge::LowPool);
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
                    self.nudges.mail(deposit.recipient);
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
            nudges.into_iter().for_each(|(reader, nudge)| self.nudges.push(reader, nudge));
            self.metrics.appended += 1;
        }
        if founds {
            self.rates.count(&caller, now, Counted::Foundings, 1);
        }
        Ok(decision)
    }
}
