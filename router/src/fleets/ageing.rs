//! Earlier epochs, which are kept for late messages and given up once nothing of them can come.
//!
//! Members append only when they have read the log to its end, so whatever is sealed in an epoch
//! stands in the log some minutes after the commit that ends it. Whoever reads the log to its end an
//! hour after it processed that commit has read it all, however long there was no log to be had
//! between. So no wall clock is asked, and time counts where the end of the log is read.

use core::time::Duration;

use meshwork_protocols::fleet::GroupId;
use meshwork_state::StoreError;

use crate::desk::Desk;
use crate::transition::Transition;

/// Time is counted in parts of this length, each of which is a row written: a restart begins the part
/// under way anew.
const PART: Duration = Duration::from_secs(5 * 60);

/// How the earlier epochs of a group age.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Ageing {
    /// There may be some, and none of their time is counted yet: the log is to be read to its end.
    #[default]
    Begins,
    /// What came after this is not counted yet.
    Since(Duration),
    /// There are none.
    Nothing,
}

impl Ageing {
    /// How much there is to count, at a time at which the log was read to its end.
    fn counts(&mut self, now: Duration) -> Option<Duration> {
        match *self {
            Self::Begins => {
                *self = Self::Since(now);
                None
            }
            Self::Since(since) => Some(now.saturating_sub(since)).filter(|part| *part >= PART),
            Self::Nothing => None,
        }
    }
}

impl Desk {
    /// The log was read to its end: what was kept of epochs that are over long enough goes.
    pub(super) fn age(&mut self, step: &mut Transition<'_>, id: GroupId) -> Result<(), StoreError> {
        let Self { config, fleets, random, .. } = self;
        let (Some(fleet), Some(member)) = (&config.fleet, fleets.members.get_mut(&id)) else {
            return Ok(());
        };
        let Some(followed) = member.ageing.counts(step.now.monotonic) else { return Ok(()) };
        let slot = (id, &mut member.group);
        let left =
            fleet.on(step, &mut **random, slot, |group, around, _| group.age(around, followed))?;
        let is_any_left = left.map_err(|_| StoreError::Damaged)?;
        member.ageing =
            if is_any_left { Ageing::Since(step.now.monotonic) } else { Ageing::Nothing };
        Ok(())
    }
}
