//! Which keys were published here, so that none of them is taken for a new one once it was handed
//! out or taken back.

use std::collections::BTreeSet;

use meshwork_protocols::relay::Refusal;
use meshwork_protocols::time::WallTime;
use serde::{Deserialize, Serialize};

/// What tells a key from its owner's others.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Mark([u8; 16]);

impl Mark {
    /// Half of a key's hash: only its owner could make two alike, and has one of them handed out.
    pub(crate) fn of(hash: &[u8; 32]) -> Self {
        Self(hash.first_chunk().copied().unwrap_or_default())
    }
}

/// The marks of what was published, each as long as it could be handed out.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Past(Vec<(WallTime, BTreeSet<Mark>)>);

impl Past {
    /// Whether one of them was published.
    pub(crate) fn has_any(&self, marks: &BTreeSet<Mark>, now: WallTime) -> bool {
        self.0.iter().any(|(until, past)| *until > now && !past.is_disjoint(marks))
    }

    /// These are published now, and remembered until then.
    pub(crate) fn note(
        &mut self,
        marks: BTreeSet<Mark>,
        until: WallTime,
        now: WallTime,
    ) -> Result<(), Refusal> {
        self.0.retain(|(until, _)| *until > now);
        let count: usize = self.0.iter().map(|(_, past)| past.len()).sum();
        if count + marks.len() > MAX_PAST {
            return Err(Refusal::NotNow { retry_after: u16::MAX });
        }
        self.0.push((until, marks));
        Ok(())
    }
}

/// Keys of one agent that are remembered: two weeks of a pool that is drained at the default rate
/// have half as many. More are not taken before some are forgotten.
const MAX_PAST: usize = 32_768;

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(numbers: std::ops::Range<usize>) -> BTreeSet<Mark> {
        let hash = |number: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            hash
        };
        numbers.map(|number| Mark::of(&hash(number))).collect()
    }

    #[test]
    fn what_was_published_is_remembered_for_its_time() {
        let (mut past, at) = (Past::default(), WallTime::from_secs);
        past.note(marks(0..3), at(10), at(1)).unwrap();
        past.note(marks(3..6), at(20), at(1)).unwrap();
        assert!(past.has_any(&marks(2..3), at(9)) && !past.has_any(&marks(2..3), at(10)));
        assert!(past.has_any(&marks(2..4), at(19)) && !past.has_any(&marks(6..9), at(1)));
    }

    #[test]
    fn as_many_as_are_remembered_are_taken_and_one_more_when_some_are_forgotten() {
        let (mut past, at) = (Past::default(), WallTime::from_secs);
        let most = MAX_PAST;
        past.note(marks(0..1), at(10), at(1)).unwrap();
        past.note(marks(1..most), at(20), at(1)).unwrap();
        let refused = past.note(marks(most..most + 1), at(20), at(9));
        assert_eq!(refused, Err(Refusal::NotNow { retry_after: u16::MAX }));
        past.note(marks(most..most + 1), at(20), at(10)).unwrap();
    }
}
