//! Tells from what two agents remember of each other whether a state was restored or cloned.
//! A pure comparison; the peer table keeps what is remembered.

use meshwork_protocols::lineage::{Incarnation, Lineage};

/// What does not fit one history.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Suspicion {
    /// The peer's state is older than it was when we last met: it was restored.
    PeerRestored,
    /// Two starts of the peer come from one: its state was cloned.
    PeerCloned,
    /// The peer has seen a later state of ours than this one: ours was restored or cloned.
    WeAreRestored,
}

/// Compares what a peer says of itself with what we remember of it.
pub(crate) fn of_peer(remembered: Option<&Lineage>, said: &Lineage) -> Option<Suspicion> {
    let remembered = remembered?;
    if said.incarnation != remembered.incarnation
        && said.parent == remembered.parent
        && said.parent != Incarnation::NONE
    {
        return Some(Suspicion::PeerCloned);
    }
    (said.number < remembered.number).then_some(Suspicion::PeerRestored)
}

/// Compares what a peer remembers of us with where we stand.
pub(crate) fn of_ours(remembered: Option<&Lineage>, ours: &Lineage) -> Option<Suspicion> {
    let remembered = remembered?;
    let newer = remembered.number > ours.number;
    let sibling = remembered.incarnation != ours.incarnation
        && remembered.parent == ours.parent
        && ours.parent != Incarnation::NONE;
    (newer || sibling).then_some(Suspicion::WeAreRestored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(incarnation: u8, parent: u8, number: u64) -> Lineage {
        Lineage {
            incarnation: Incarnation::from_bytes([incarnation; 16]),
            parent: Incarnation::from_bytes([parent; 16]),
            number,
        }
    }

    #[test]
    fn an_honest_history_raises_nothing() {
        let before = lineage(1, 9, 100);
        for after in
            [lineage(1, 9, 100), lineage(1, 9, 101), lineage(2, 1, 101), lineage(5, 4, 900)]
        {
            assert_eq!(of_peer(Some(&before), &after), None, "{after:?}");
            assert_eq!(of_ours(Some(&before), &after), None, "{after:?}");
        }
        assert_eq!(of_peer(None, &before), None);
    }

    #[test]
    fn a_lower_number_is_a_restored_state() {
        let before = lineage(2, 1, 100);
        for after in [lineage(2, 1, 99), lineage(3, 2, 99), lineage(7, 6, 5)] {
            assert_eq!(of_peer(Some(&before), &after), Some(Suspicion::PeerRestored), "{after:?}");
            assert_eq!(of_ours(Some(&before), &after), Some(Suspicion::WeAreRestored), "{after:?}");
        }
    }

    #[test]
    fn two_starts_of_one_parent_are_a_clone() {
        let before = lineage(2, 1, 100);
        assert_eq!(of_peer(Some(&before), &lineage(3, 1, 120)), Some(Suspicion::PeerCloned));
        assert_eq!(of_ours(Some(&before), &lineage(3, 1, 120)), Some(Suspicion::WeAreRestored));
    }
}
