//! The rules that our relays have for our mail: whom we know, and how much all others may leave.
//!
//! Owns when which relay is given them. They are made of the known peers alone and kept in memory:
//! each start makes its own, under a key of their own, and the time is their revision.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{MAX_KNOWN, Rules, RulesKey, StrangerQuota};

use crate::desk::Desk;
use crate::held::{HELD_BODY, OF_ALL};
use crate::policy::FirstContact;
use crate::transition::Transition;

/// How long contacts that change are waited for, so that many at once make one list.
const GATHER: Duration = Duration::from_secs(1);

/// What strangers may leave where all of it would be dropped.
const NOTHING: StrangerQuota = StrangerQuota { pieces: 0, bytes: 0 };

/// As much as would be held for the owner to decide: so many pieces, each as large as is held.
const HELD: StrangerQuota = StrangerQuota { pieces: 1_000, bytes: 1_000 * (64 << 10) };

const _: () = assert!(HELD.pieces as usize == OF_ALL);
const _: () = assert!(HELD.bytes == (OF_ALL * HELD_BODY) as u64);

/// No other bound than that of the mailbox.
const ANYTHING: StrangerQuota = StrangerQuota { pieces: u32::MAX, bytes: u64::MAX };

/// The newest rules, and who has them.
#[derive(Debug, Default)]
pub(crate) struct OwnRules {
    newest: Option<Rules>,
    /// The change of the peers that was seen last.
    seen: Option<u64>,
    /// When they are made anew.
    due: Option<Duration>,
    /// The relays of ours that were met, and the revision that each confirmed.
    met: BTreeMap<AgentId, Option<u64>>,
    /// A later one has a higher revision, whatever becomes of the clock.
    last_revision: u64,
}

impl OwnRules {
    pub(crate) const fn next_timeout(&self) -> Option<Duration> {
        self.due
    }

    /// The peers are read anew: whom we know may be others.
    pub(crate) const fn contacts_are_read_anew(&mut self) {
        self.seen = None;
    }

    /// A relay keeps these.
    pub(crate) fn kept(&mut self, relay: AgentId, revision: u64) {
        if let Some(confirmed) = self.met.get_mut(&relay) {
            *confirmed = Some(revision);
        }
    }
}

impl Desk {
    /// Contacts may have changed: the rules follow in a moment.
    pub(crate) fn watch_contacts(&mut self, now: Duration) {
        let changes = self.peers.changes();
        if self.rules.seen.replace(changes) != Some(changes) && !self.rules.met.is_empty() {
            self.rules.due.get_or_insert(now + GATHER);
        }
    }

    /// Makes rules that are due, and gives them to the relays that were met.
    pub(crate) fn look_after_rules(&mut self, step: &mut Transition<'_>) {
        if self.rules.due.take_if(|due| *due <= step.now.monotonic).is_none() {
            return;
        }
        self.rules.newest = None;
        let Some(deferred) = self.config.stored.deferred() else { return };
        let own = deferred.own_relays();
        self.rules.met.retain(|relay, _| own.contains(relay));
        for relay in self.rules.met.keys().copied().collect::<Vec<_>>() {
            self.give_rules(step, relay);
        }
    }

    /// A relay of ours answers: it gets the rules, unless it is known to have them.
    pub(crate) fn rule(&mut self, step: &mut Transition<'_>, relay: AgentId, is_back: bool) {
        let newest = self.rules.newest.as_ref().map(|rules| rules.revision);
        let before = self.rules.met.get(&relay).copied();
        match before {
            Some(Some(confirmed)) if !is_back && Some(confirmed) == newest => return,
            // They were lost, or refused as older than what is there: a later revision follows.
            Some(None) => self.rules.newest = None,
            _ => {}
        }
        self.rules.met.insert(relay, None);
        self.give_rules(step, relay);
    }

    fn give_rules(&mut self, step: &mut Transition<'_>, relay: AgentId) {
        let newest = self.rules.newest.take();
        let rules = newest.unwrap_or_else(|| self.make_rules(step));
        step.set_rules(relay, Box::new(rules.clone()));
        self.rules.newest = Some(rules);
    }

    fn make_rules(&mut self, step: &Transition<'_>) -> Rules {
        let key = RulesKey(self.random.array());
        let revision = step.now.wall.as_millis().max(self.rules.last_revision + 1);
        self.rules.last_revision = revision;
        let known: Vec<_> = self.peers.known().collect();
        // A list that is cut off would make strangers of contacts.
        let (known, others) = if known.len() > MAX_KNOWN {
            (Vec::new(), ANYTHING)
        } else {
            (known, quota(self.config.policy.first_contact))
        };
        let known = known.iter().copied();
        Rules::new(&*self.config.provider, revision, key, known, others)
    }
}

const fn quota(first_contact: FirstContact) -> StrangerQuota {
    match first_contact {
        FirstContact::Drop => NOTHING,
        FirstContact::Hold => HELD,
        FirstContact::Accept => ANYTHING,
    }
}
