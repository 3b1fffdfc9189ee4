//! What relays promised: mail that they said they kept is given to its owner, in order, and no key
//! goes to two.

use std::collections::{BTreeMap, BTreeSet};

use meshwork_protocols::deferred::CurvePublic;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Answer, Deposit, Fetch, Kept, Request, Taken};
use meshwork_protocols::time::{CLOCK_TOLERANCE, WallTime};
use meshwork_relay::Asked;

use super::Violation;
use crate::network::Host;

/// A piece of mail by its relay, its owner and its number.
type Place = (Host, AgentId, u64);

/// What relays promised, and what was seen of it.
#[derive(Debug, Default)]
pub(crate) struct RelayPromises {
    violation: Option<Violation>,
    /// Mail whose deposit was answered, and when it need not be kept any longer.
    kept: BTreeMap<Place, (Vec<u8>, WallTime)>,
    /// Mail that its owner was given.
    given: BTreeSet<Place>,
    /// To whom each one-time key went, by whose it is; and from where.
    keys: BTreeMap<(AgentId, Vec<u8>), (AgentId, Option<Host>)>,
    counts: RelayCounts,
}

/// What was done at relays.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RelayCounts {
    /// Deposits that were answered.
    pub deposits: u64,
    /// Pieces that owners were given, each counted once.
    pub given: u64,
    /// One-time keys handed out by relays.
    pub keys: u64,
}

impl RelayPromises {
    /// What went wrong first.
    pub(crate) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub(crate) const fn counts(&self) -> RelayCounts {
        self.counts
    }

    /// A relay answers a request.
    pub(crate) fn answers(&mut self, relay: Host, asked: &Asked, answer: &Answer) {
        match (&asked.request, answer) {
            (Request::Deposit(deposits), Answer::Deposited(outcomes)) => {
                for (deposit, outcome) in deposits.iter().zip(outcomes) {
                    if let Ok(number) = outcome {
                        self.keeps((relay, deposit.recipient, number.0), deposit);
                    }
                }
            }
            (Request::Fetch(fetch), Answer::Mail(mail)) => self.gives(relay, fetch, mail),
            (
                Request::Take { target, .. },
                Answer::Taken(Taken::Prekeys { one_time: Some(one_time), .. }),
            ) => self.key_leaves(*target, &one_time.key.key, asked.caller, Some(relay)),
            _ => {}
        }
    }

    /// A one-time key of `owner` goes to somebody, from a relay or in a session.
    pub(crate) fn key_leaves(
        &mut self,
        owner: AgentId,
        key: &CurvePublic,
        to: AgentId,
        from: Option<Host>,
    ) {
        let place = (owner, key.encode().to_vec());
        let (before, _) = *self.keys.entry(place).or_insert_with(|| {
            self.counts.keys += u64::from(from.is_some());
            (to, from)
        });
        if before != to {
            self.violated(Violation::KeyGivenTwice { owner });
        }
    }

    /// The disk of a relay broke: it promised nothing against that.
    pub(crate) fn lost(&mut self, relay: Host) {
        self.kept.retain(|(at, ..), _| *at != relay);
        self.given.retain(|(at, ..)| *at != relay);
        self.keys.retain(|_, (_, from)| *from != Some(relay));
    }

    /// The run is over: what was kept was given, or its time has passed.
    pub(crate) fn judge_end(&mut self, now: WallTime) {
        // By the relay's clock its time may have passed a little earlier.
        let over = now + CLOCK_TOLERANCE;
        let missing = self
            .kept
            .iter()
            .find(|(place, (_, expires))| !self.given.contains(place) && *expires > over);
        if let Some(((relay, owner, number), _)) = missing {
            let (relay, owner, number) = (*relay, *owner, *number);
            self.violated(Violation::MailLost { relay, owner, number });
        }
    }

    fn keeps(&mut self, place: Place, deposit: &Deposit) {
        let what = (deposit.packet.0.clone(), deposit.expires);
        let known = self.kept.entry(place).or_insert_with(|| {
            self.counts.deposits += 1;
            what.clone()
        });
        if known.0 != what.0 {
            let (relay, owner, number) = place;
            self.violated(Violation::MailNumberTwice { relay, owner, number });
        }
    }

    fn gives(&mut self, relay: Host, fetch: &Fetch, mail: &[Kept]) {
        let owner = fetch.mailbox;
        let mut after = fetch.after;
        for kept in mail {
            let number = kept.number.0;
            if kept.number <= after {
                self.violated(Violation::MailOutOfOrder { relay, owner, number });
            }
            after = kept.number;
            let place = (relay, owner, number);
            if self.kept.get(&place).is_some_and(|(packet, _)| *packet != kept.packet.0) {
                self.violated(Violation::MailNumberTwice { relay, owner, number });
            }
            self.counts.given += u64::from(self.given.insert(place));
        }
    }

    fn violated(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }
}
