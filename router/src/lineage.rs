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
    let remembered = remembered.filter(|remembered| !is_stale(remembered, said))?;
    if is_sibling(remembered, said) {
        return Some(Suspicion::PeerCloned);
    }
    (said.number < remembered.number).then_some(Suspicion::PeerRestored)
}

/// Compares what a peer remembers of us with `ours`, where we stood when this start began.
pub(crate) fn of_ours(remembered: Option<&Lineage>, ours: &Lineage) -> Option<Suspicion> {
    // What this start said since then has a higher number, and no start is restored while it runs.
    let remembered = remembered.filter(|remembered| remembered.incarnation != ours.incarnation)?;
    let suspicious = remembered.number > ours.number || is_sibling(remembered, ours);
    suspicious.then_some(Suspicion::WeAreRestored)
}

/// Whether a peer said this before what is remembered: a Hello was overtaken by a later one, of the
/// same start or of the next.
pub(crate) fn is_stale(remembered: &Lineage, said: &Lineage) -> bool {
    let same_start = said.incarnation == remembered.incarnation;
    (same_start && said.number < remembered.number) || said.incarnation == remembered.parent
}

/// Whether two starts come from one.
fn is_sibling(one: &Lineage, other: &Lineage) -> bool {
    one.incarnation != other.incarnation
        && one.parent == other.parent
        && one.parent != Incarnation::NONE
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
        for after in [lineage(3, 2, 99), lineage(7, 6, 5)] {
            assert_eq!(of_peer(Some(&before), &after), Some(Suspicion::PeerRestored), "{after:?}");
            assert_eq!(of_ours(Some(&before), &after), Some(Suspicion::WeAreRestored), "{after:?}");
        }
    }

    #[test]
    fn a_hello_that_was_overtaken_raises_nothing() {
        let before = lineage(2, 1, 100);
        for overtaken in [lineage(2, 1, 99), lineage(1, 9, 80)] {
            assert_eq!(of_peer(Some(&before), &overtaken), None, "{overtaken:?}");
        }
    }

    #[test]
    fn what_this_start_said_later_raises_nothing() {
        assert_eq!(of_ours(Some(&lineage(2, 1, 130)), &lineage(2, 1, 100)), None);
    }

    #[test]
    fn two_starts_of_one_parent_are_a_clone() {
        let before = lineage(2, 1, 100);
        assert_eq!(of_peer(Some(&before), &lineage(3, 1, 120)), Some(Suspicion::PeerCloned));
        assert_eq!(of_ours(Some(&before), &lineage(3, 1, 120)), Some(Suspicion::WeAreRestored));
    }
}
