//! Seeking the card and an offer of somebody who is to come in, at the relays of its own.
//!
//! Who has left no offers yet, or whose relays do not answer, is waited for: it is sought again with
//! a growing pause, and soon where it is heard of, until it comes, is wished for no more, or its time
//! is over. Nobody else waits for it. What a restart forgets is how often it was sought.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{GroupId, OfferError};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Answer, KeyKind, Request, TakeId, Taken};
use meshwork_state::{Namespace, StoreError};

use super::{Ask, Errand, Member};
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{Wish, WishState};
use crate::input::RelayFailure;
use crate::peer::PeerFacts;
use crate::transition::Transition;

/// The first pause; it doubles. Keys are at a relay seconds after their agent is up.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause: a relay is asked some two hundred times in a week, and not more often.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How long somebody is waited for: who is not up for a week is invited again when it is.
const WAITED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is known in memory of somebody who is to come in.
#[derive(Debug, Default)]
pub(super) struct Sought {
    /// Its card, while its offer is asked for.
    card: Option<Vec<u8>>,
    /// The request for its offer that no relay answered: made again, it uses up no other.
    take: Option<TakeId>,
    /// How often in a row it was sought in vain.
    failures: u32,
    /// When it last was.
    failed: Duration,
    /// When it is sought again; nothing while it is.
    next: Option<Duration>,
}

impl Sought {
    /// Whether others who are to come in are not added without it: it was not sought in vain yet.
    const fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    fn hurry(&mut self) {
        self.failures = self.failures.min(1);
        let soon = self.failed + FIRST_PAUSE;
        self.next = self.next.map(|next| next.min(soon));
    }

    fn pause(&mut self, now: Duration, least: Duration, jitter: f64) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).max(least);
        self.next = Some(now + pause.min(LONGEST_PAUSE).mul_f64(1.0 - jitter));
        self.failures = self.failures.saturating_add(1);
        self.failed = now;
        self.card = None;
    }
}

impl Member {
    /// Who is to come in and is waited for.
    pub(super) fn wanted(&self) -> impl Iterator<Item = AgentId> {
        self.row.wishes.iter().filter_map(|wish| match wish {
            Wish::Add { peer, state: WishState::Wanted, .. } => Some(*peer),
            _ => None,
        })
    }

    /// When the next of them is sought again.
    pub(super) fn seeks_at(&self) -> Option<Duration> {
        self.sought.values().filter_map(|sought| sought.next).min()
    }

    /// Whether offers are under way with which one commit could add more.
    pub(super) fn seeks_first(&self) -> bool {
        let is_fresh = |peer: &AgentId| self.sought.get(peer).is_none_or(Sought::is_fresh);
        self.under_way.iter().any(|errand| match errand {
            Errand::Card(peer) | Errand::Offer(peer) => is_fresh(peer),
            _ => false,
        })
    }

    fn wish_for(&mut self, peer: AgentId) -> Option<&mut Wish> {
        let is_of = |wish: &&mut Wish| matches!(wish, Wish::Add { peer: of, .. } if *of == peer);
        self.row.wishes.iter_mut().find(is_of)
    }

    /// It is sought soon, where it is waited for; whether it is.
    pub(super) fn hurry(&mut self, peer: &AgentId) -> bool {
        let sought = self.sought.get_mut(peer).filter(|sought| sought.next.is_some());
        sought.map(Sought::hurry).is_some()
    }
}

impl Desk {
    /// Asks the relays of those who are to come in for their cards and offers.
    pub(super) fn seek_offers(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        if member.row.wishes.is_empty() && member.sought.is_empty() {
            return;
        }
        let now = step.now.monotonic;
        let invited: BTreeSet<AgentId> = member.row.wishes.iter().filter_map(Wish::adds).collect();
        member.sought.retain(|peer, _| invited.contains(peer));
        let rests = |peer: &AgentId| {
            let next = member.sought.get(peer).and_then(|sought| sought.next);
            next.is_some_and(|at| at > now)
        };
        let is_asked = |peer: &AgentId| {
            let asks = [Errand::Card(*peer), Errand::Offer(*peer)];
            asks.iter().any(|errand| member.under_way.contains(errand))
        };
        let due: Vec<AgentId> =
            member.wanted().filter(|peer| !rests(peer) && !is_asked(peer)).collect();
        for peer in due {
            self.ask_peers_relay(step, id, peer, Errand::Card(peer), Request::GetCard(peer));
        }
    }

    /// Asks one of its relays, another each time that it was sought in vain.
    fn ask_peers_relay(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        peer: AgentId,
        errand: Errand,
        request: Request,
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let sought = member.sought.entry(peer).or_default();
        let relays = self.peers.relays(&peer);
        let Some(relay) = self.relays.usable(&relays, &peer, sought.failures).cloned() else {
            self.not_had(step, id, peer, Duration::ZERO);
            return;
        };
        sought.next = None;
        if member.under_way.insert(errand) {
            self.ask_of(step, relay, Ask::Errand(id, errand), request);
        }
    }

    pub(super) fn card_came(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        peer: AgentId,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let card = match answer {
            Answer::Card(Some(card)) => {
                self.take_card(step, &peer, &card.0)?;
                card.0
            }
            // The relay has none: the one that is held.
            _ => match step.get(Namespace::Peer, peer.as_bytes())? {
                Some(facts) => PeerFacts::decode(&facts)?.card,
                None => {
                    self.not_had(step, id, peer, Duration::ZERO);
                    return Ok(());
                }
            },
        };
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let sought = member.sought.entry(peer).or_default();
        sought.card = Some(card);
        let random = &mut *self.random;
        let take = *sought.take.get_or_insert_with(|| TakeId(random.array()));
        let request = Request::Take { target: peer, kind: KeyKind::KeyPackages, id: take };
        self.ask_peers_relay(step, id, peer, Errand::Offer(peer), request);
        Ok(())
    }

    pub(super) fn offer_came(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        peer: AgentId,
        answer: Answer,
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let Some(sought) = member.sought.get_mut(&peer) else { return };
        sought.take = None;
        let card = sought.card.take();
        let (Answer::Taken(Taken::KeyPackage { package, .. }), Some(card)) = (answer, card) else {
            self.not_had(step, id, peer, Duration::ZERO);
            return;
        };
        if let Some(Wish::Add { state, .. }) = member.wish_for(peer) {
            *state = WishState::Ready { offer: package.0, card };
            member.write(step, &id);
        }
    }

    /// A relay of somebody who is to come in did not answer, or has something else to do.
    pub(super) fn relay_of_peer_failed(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        peer: AgentId,
        why: RelayFailure,
    ) {
        let least = match why {
            RelayFailure::NotNow { retry_after } => retry_after,
            RelayFailure::Gone => Duration::ZERO,
            RelayFailure::Refused => LONGEST_PAUSE,
        };
        self.not_had(step, id, peer, least);
    }

    /// An offer does not count: another is asked for, and its owner is told why.
    pub(super) fn offer_is_bad(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        (peer, why): (AgentId, OfferError),
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        if let Some(Wish::Add { state, .. }) = member.wish_for(peer) {
            *state = WishState::Wanted;
            member.write(step, &id);
            Self::tell_of_group(step, id, GroupEvent::BadOffer { peer, why });
            self.not_had(step, id, peer, Duration::ZERO);
        }
    }

    /// Nothing is to be had of somebody who is to come in: it is sought again after a pause, or no
    /// more.
    fn not_had(&mut self, step: &mut Transition<'_>, id: GroupId, peer: AgentId, least: Duration) {
        let now = step.now;
        let jitter = self.jitter();
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let since = match member.wish_for(peer) {
            Some(Wish::Add { since, state: WishState::Wanted, .. }) => *since,
            // It was taken back meanwhile.
            _ => return,
        };
        if now.wall >= since + WAITED_FOR {
            self.not_added(step, id, peer);
            return;
        }
        let sought = member.sought.entry(peer).or_default();
        let is_first = sought.is_fresh();
        sought.pause(now.monotonic, least, jitter);
        if is_first {
            Self::tell_of_group(step, id, GroupEvent::WaitsFor(peer));
        }
    }

    /// Somebody is heard of: it may have left offers since it was sought in vain.
    pub(crate) fn heard_of(&mut self, peer: &AgentId) {
        let fleets = &mut self.fleets;
        for (id, member) in &mut fleets.members {
            if member.hurry(peer) {
                fleets.dirty.insert(*id);
            }
        }
    }

    /// Somebody is wished for no more; whether a commit that is under way adds it all the same.
    pub(super) fn take_back(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        peer: &AgentId,
    ) -> bool {
        let Some(member) = self.fleets.members.get_mut(&id) else { return false };
        let adds = |wish: &Wish| wish.adds() == Some(*peer);
        member.sought.remove(peer);
        if member.row.wishes.iter().any(adds) {
            member.row.wishes.retain(|wish| !adds(wish));
            member.write(step, &id);
        }
        member.row.offered.as_ref().is_some_and(|offered| offered.wishes.iter().any(adds))
    }

    /// Somebody cannot come in now.
    fn not_added(&mut self, step: &mut Transition<'_>, id: GroupId, peer: AgentId) {
        self.take_back(step, id, &peer);
        Self::tell_of_group(step, id, GroupEvent::NotAdded(peer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_to_its_bound_and_is_short_again_where_somebody_is_heard_of() {
        let (mut sought, mut now) = (Sought::default(), Duration::ZERO);
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 3_600, 3_600] {
            sought.pause(now, Duration::ZERO, 0.0);
            let next = sought.next.unwrap();
            assert_eq!((next - now).as_secs(), expected);
            now = next;
        }
        sought.hurry();
        assert_eq!(sought.next, Some(sought.failed + FIRST_PAUSE));
        sought.pause(now, Duration::from_secs(10), 0.0);
        assert_eq!(sought.next, Some(now + Duration::from_secs(10)), "the relay asks for more");
        // While it is asked for, there is nothing to hurry.
        sought.next = None;
        sought.hurry();
        assert_eq!(sought.next, None);
    }
}
