//! Lets rows go whose time is over, a little at a time.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::WallTime;
use meshwork_state::{Namespace, StoreError};

use crate::ledger::SCAN;
use crate::row;
use crate::seen::SeenRow;
use crate::transition::Transition;

/// The rows that end by themselves. Each begins with the time after which it may go.
const MORTAL: [Namespace; 6] = [
    Namespace::Ciphertext,
    Namespace::Held,
    Namespace::Owed,
    Namespace::Seen,
    Namespace::Sent,
    Namespace::UsedPrekey,
];

/// How often a slice of each is looked through: 256 rows in 30 s are more than the four a second
/// that the bound of the largest allows.
const EVERY: Duration = Duration::from_secs(30);

/// Where the next look begins.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    due: Option<Duration>,
    cursors: BTreeMap<Namespace, Vec<u8>>,
}

impl Upkeep {
    /// Whether it is time; the next time is set.
    pub(crate) fn is_due(&mut self, now: Duration) -> bool {
        let due = *self.due.get_or_insert(now + EVERY) <= now;
        if due {
            self.due = Some(now + EVERY);
        }
        due
    }

    /// Removes the next slice of what may go, durably with this step; returns what went.
    pub(crate) fn sweep(
        &mut self,
        step: &mut Transition<'_>,
    ) -> Result<Vec<(Namespace, Vec<u8>)>, StoreError> {
        let mut gone = Vec::new();
        for namespace in MORTAL {
            let cursor = self.cursors.remove(&namespace);
            let rows = step.scan(namespace, cursor.as_deref())?;
            // A slice that is not full ends at the last row: the next one begins with the first.
            if let Some((last, _)) = rows.last().filter(|_| rows.len() == SCAN) {
                self.cursors.insert(namespace, last.clone());
            }
            for (key, _) in rows {
                // The row as it will be, not as it is on disk.
                let Some(value) = step.get(namespace, &key)? else { continue };
                let over = forget_after(&value).is_some_and(|at| at < step.now.wall);
                let needed =
                    namespace == Namespace::Seen && row::decode::<SeenRow>(&value)?.is_here();
                if over && !needed {
                    step.delete(namespace, key.clone());
                    gone.push((namespace, key));
                }
            }
        }
        Ok(gone)
    }

    pub(crate) const fn next_timeout(&self) -> Option<Duration> {
        self.due
    }
}

fn forget_after(value: &SecretBytes) -> Option<WallTime> {
    postcard::take_from_bytes(value.expose()).ok().map(|(at, _)| at)
}
