//! What others add this agent with: offers, which each relay of its own is given and hands out once
//! each. They name the agent's card, so a newer card makes them anew.

use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{GroupError, Offer, OfferError, Step};
use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_protocols::relay::{Answer, Opaque, Publication, Publish, PublishMode, Request};
use meshwork_protocols::time::WallTime;
use meshwork_state::StoreError;

use super::Ask;
use super::summoning::SUMMONED;
use crate::desk::Desk;
use crate::fleet::{OfferRow, key};
use crate::input::RelayFailure;
use crate::transition::Transition;

/// How many offers a relay has: each is some 6 KB there and as much here, and is used once.
const OFFERS: usize = 8;

/// With so few a relay gets more.
const FEW: usize = 4;

/// How long an offer counts.
const VALID: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// After so long a relay gets others in their place, before any has ended.
const RENEWED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// So many offers of one relay are kept, used or not, until nobody comes in by them: 1.5 MB. Who takes
/// them all leaves the last resort for the others.
const MAX_KEPT: usize = 256;

impl Desk {
    /// A relay of ours answers: it gets offers, where it has few or old ones.
    pub(crate) fn offer_at(
        &mut self,
        step: &mut Transition<'_>,
        relay: AgentId,
        depth: usize,
    ) -> Result<(), StoreError> {
        let Some(fleet) = &self.config.fleet else { return Ok(()) };
        let named = fleet.card().relays().iter().find(|named| named.agent == relay).cloned();
        let Some(place) = named else { return Ok(()) };
        let (card, now) = (fleet.card().hash(), step.now.wall);
        let row = OfferRow::read(step, &key::offer(&relay))?.unwrap_or_default();
        let mut row = self.without_ended(step, relay, row)?;
        let is_new = |(named, made)| named == card && now < made + RENEWED;
        let stands = row.given.is_some_and(is_new);
        if stands && (depth > FEW || row.made.len() > MAX_KEPT - OFFERS) {
            return Ok(());
        }
        let wanted = if stands { OFFERS - depth.min(OFFERS) } else { OFFERS };
        // A card that has ended is about to be replaced: the next meeting makes them.
        let Some(Made { mut packages, names, not_after }) = self.make_offers(step, wanted)? else {
            return Ok(());
        };
        let last_resort = Some(packages.remove(0));
        row.given = if stands { row.given } else { Some((card, now)) };
        row.made.extend(names.into_iter().map(|name| (not_after + SUMMONED, name)));
        row.write(step, key::offer(&relay));
        let mode = if stands { PublishMode::Add } else { PublishMode::Replace };
        let publication = Publication::KeyPackages { packages, last_resort };
        self.publish_offers(step, place, Publish { mode, publication });
        Ok(())
    }

    /// So many offers, and a last resort before them; none where they would not count.
    fn make_offers(
        &mut self,
        step: &mut Transition<'_>,
        wanted: usize,
    ) -> Result<Option<Made>, StoreError> {
        let Self { config, random, .. } = self;
        let Some(fleet) = &config.fleet else { return Ok(None) };
        let not_after = (step.now.wall + VALID).min(fleet.card().validity().not_after);
        let made = fleet.run(step, &mut **random, |around, local| {
            let (mut packages, mut names, mut changes) = (Vec::new(), Vec::new(), Vec::new());
            for place in 0..=wanted {
                let offer = Offer::make(around, local, not_after, place == 0).map_err(of_making)?;
                changes.extend(offer.changes);
                packages.push(Opaque(offer.output.encode()));
                names.push(offer.output.name(around).map_err(of_making)?);
            }
            Ok(Step { output: Made { packages, names, not_after }, changes })
        })?;
        Ok(made.ok())
    }

    /// Gives up the keys of those by which nobody comes in any more.
    fn without_ended(
        &mut self,
        step: &mut Transition<'_>,
        relay: AgentId,
        mut row: OfferRow,
    ) -> Result<OfferRow, StoreError> {
        let Self { config, random, .. } = self;
        let Some(fleet) = &config.fleet else { return Ok(row) };
        let now = step.now.wall;
        let ended: Vec<_> = row.made.extract_if(.., |(end, _)| *end < now).collect();
        for (_, name) in &ended {
            let forgotten =
                fleet.run(step, &mut **random, |around, _| Offer::forget(around, name))?;
            forgotten.map_err(|_| StoreError::Damaged)?;
        }
        if !ended.is_empty() {
            row.write(step, key::offer(&relay));
        }
        Ok(row)
    }

    /// The last resort was used: each relay of ours gets other offers when it is met again, and
    /// another last resort with them.
    pub(super) fn replace_offers(&self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        let Some(fleet) = &self.config.fleet else { return Ok(()) };
        for relay in fleet.card().relays() {
            let key = key::offer(&relay.agent);
            if let Some(row) = OfferRow::read(step, &key)? {
                OfferRow { given: None, ..row }.write(step, key);
            }
        }
        Ok(())
    }

    fn publish_offers(&mut self, step: &mut Transition<'_>, relay: Relay, publish: Publish) {
        let agent = relay.agent;
        self.ask_of(step, relay, Ask::Offers(agent), Request::Publish(publish));
    }

    /// A relay has offers, or has not: then it gets others when it is met again.
    pub(super) fn offers_kept(
        &mut self,
        step: &mut Transition<'_>,
        relay: AgentId,
        answer: &Result<Answer, RelayFailure>,
    ) -> Result<(), StoreError> {
        if !matches!(answer, Ok(Answer::Depth(_))) {
            let row = OfferRow::read(step, &key::offer(&relay))?.unwrap_or_default();
            OfferRow { given: None, ..row }.write(step, key::offer(&relay));
        }
        Ok(())
    }
}

/// Offers that were made.
struct Made {
    packages: Vec<Opaque>,
    /// What their keys are called here.
    names: Vec<Vec<u8>>,
    not_after: WallTime,
}

fn of_making(error: OfferError) -> GroupError {
    match error {
        OfferError::Store(error) => GroupError::Store(error),
        OfferError::Signing(error) => GroupError::Crypto(error),
        OfferError::KeyNotInCard => GroupError::KeyNotInCard,
        _ => GroupError::Internal,
    }
}
