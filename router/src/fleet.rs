//! Groups of agents: the product's protocol for them, over rows.
//!
//! `protocols` has the steps of a member; this says in which rows its state lies and which cards it
//! judges by. What is read from and appended to the group's log is in `fleets`.

mod cards;
mod log;
mod record;
mod rows;
mod sent;

use alloc::sync::Arc;

use meshwork_protocols::fleet::{
    FleetKey, Group, GroupError, GroupId, Local, Step, StoreError as FleetStoreError, Suite,
    Surroundings,
};
use meshwork_protocols::identity::{Card, SigningPair};
use meshwork_protocols::provider::{FleetProvider, Provider};
use meshwork_protocols::random::Random;
use meshwork_state::StoreError;

pub(crate) use self::cards::Cards;
pub(crate) use self::log::GroupLog;
pub(crate) use self::record::{
    AskedRow, CommitRow, GroupRow, HistoryRow, InvitationRow, Known, LoggedRow, MessageRow,
    NextLog, OfferRow, Offered, OwedRow, Passed, Prepared, Stage, SummonsRow, Undone, Unlisted,
    Wish, WishState, key, number,
};
use self::rows::{FleetRows, changes_of};
pub(crate) use self::sent::SentToGroupRow;
use crate::transition::Transition;

/// The product's protocol for groups.
#[derive(Debug)]
pub struct Fleet {
    provider: Arc<dyn FleetProvider>,
    key: FleetKey,
    pair: SigningPair,
    card: Arc<Card>,
}

impl Fleet {
    /// The protocol of the agent whose card names this key and this pair; `None` where the card
    /// does not.
    pub fn new(
        provider: Arc<dyn FleetProvider>,
        key: FleetKey,
        pair: SigningPair,
        card: Arc<Card>,
    ) -> Option<Self> {
        let this = Self { provider, key, pair, card };
        this.is_named_by(&this.card).then_some(this)
    }

    /// Speaks by a newer card of the agent from now on.
    pub(crate) fn show(&mut self, card: Arc<Card>) {
        if self.is_named_by(&card) {
            self.card = card;
        }
    }

    fn is_named_by(&self, card: &Card) -> bool {
        card.fleet_key() == Some(self.key.public()) && card.signing_pair() == self.pair.public()
    }

    pub(crate) fn card(&self) -> &Arc<Card> {
        &self.card
    }

    pub(crate) fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    fn local(&self) -> Local<'_> {
        Local { card: &self.card, key: &self.key, pair: &self.pair }
    }

    /// Runs one operation over the rows as they will be, and adopts what follows from it. A row that
    /// could not be read is the outer error; all else is the inner one, and changes nothing.
    pub(crate) fn run<T>(
        &self,
        step: &mut Transition<'_>,
        random: &mut dyn Random,
        operation: impl FnOnce(&mut Surroundings<'_>, &Local<'_>) -> Result<Step<T>, GroupError>,
    ) -> Result<Result<T, GroupError>, StoreError> {
        let (result, failed) = {
            let rows = FleetRows::new(step);
            let mut around = Surroundings {
                provider: &*self.provider,
                rows: &rows,
                random,
                now: step.now.wall,
                suite: Suite::default(),
            };
            let result = operation(&mut around, &self.local());
            (result, rows.failure())
        };
        if let Some(error) = failed {
            return Err(error);
        }
        match result {
            Ok(Step { output, changes }) => {
                step.adopt(changes_of(changes));
                Ok(Ok(output))
            }
            Err(GroupError::Store(FleetStoreError::Unreadable)) => Err(StoreError::Damaged),
            Err(error) => Ok(Err(error)),
        }
    }

    /// The same on a group, which is loaded where it is not in memory.
    pub(crate) fn on<T>(
        &self,
        step: &mut Transition<'_>,
        random: &mut dyn Random,
        (id, slot): (GroupId, &mut Option<Group>),
        operation: impl FnOnce(
            &mut Group,
            &mut Surroundings<'_>,
            &Local<'_>,
        ) -> Result<Step<T>, GroupError>,
    ) -> Result<Result<T, GroupError>, StoreError> {
        self.run(step, random, |around, local| {
            let mut group = match slot.take() {
                Some(group) => group,
                None => Group::load(around, id)?,
            };
            let result = operation(&mut group, around, local);
            *slot = Some(group);
            result
        })
    }
}
