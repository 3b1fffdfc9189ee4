//! The cards that the Hellos of open sessions named: of all known peers, and of the strangers who
//! came last. Knows nothing of what is in a card.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;

use meshwork_protocols::identity::Card;

use crate::output::PathId;

/// Of so many strangers the card is kept while they are connected: 3 MiB. One that writes without
/// it is asked to come again, and comes last then.
const OF_STRANGERS: usize = 256;

/// Cards by session.
#[derive(Debug, Default)]
pub(crate) struct Cards {
    cards: BTreeMap<PathId, Arc<Card>>,
    /// Sessions with strangers, in the order in which they came.
    strangers: VecDeque<PathId>,
}

impl Cards {
    pub(crate) fn keep(&mut self, path: PathId, card: &Arc<Card>, of_stranger: bool) {
        self.cards.insert(path, Arc::clone(card));
        if of_stranger && !self.strangers.contains(&path) {
            self.strangers.push_back(path);
        }
        if self.strangers.len() > OF_STRANGERS
            && let Some(first) = self.strangers.pop_front()
        {
            self.cards.remove(&first);
        }
    }

    /// The holder of this card is known now: the card stays as long as its session.
    pub(crate) fn known(&mut self, path: PathId) {
        self.strangers.retain(|stranger| *stranger != path);
    }

    pub(crate) fn get(&self, path: PathId) -> Option<&Arc<Card>> {
        self.cards.get(&path)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Card>> {
        self.cards.values()
    }

    /// A session is over.
    pub(crate) fn remove(&mut self, path: PathId) {
        self.cards.remove(&path);
        self.known(path);
    }
}
