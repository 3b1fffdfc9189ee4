//! Earlier epochs, whose late messages still open for a while.
//!
//! openmls would keep them inside the group, all members of each with it, and write them with every
//! message. Here each is a copy of the group's rows under the epoch's number, which the next commits
//! or time take away: the time in which the group's log is followed, since what stands there and
//! was not read yet must open, however long nobody could read it.

use alloc::vec::Vec;
use core::time::Duration;

use openmls::group::MlsGroup;
use serde::{Deserialize, Serialize};

use super::Record;
use crate::fleet::error::GroupError;
use crate::fleet::mls::{Label, Mls, Place};
use crate::secret::SecretBytes;

/// How many epochs are kept: senders learn of a commit within seconds, and two commits in a row are
/// rare once a group is filled. Each copy is as large as the tree.
pub const MAX_PAST: usize = 2;

/// How long an epoch is kept after its end, in time in which the log is followed: what leaks from this
/// agent meanwhile still opens that epoch's messages.
pub const PAST_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// An epoch that is over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Past {
    pub(super) epoch: u64,
    /// For how long yet.
    pub(super) left: Duration,
}

/// An epoch's rows, taken before a commit replaces them.
pub(super) struct Snapshot {
    epoch: u64,
    values: Vec<(Label, Option<SecretBytes>)>,
}

impl Snapshot {
    pub(super) fn take(mls: &Mls<'_>, group: &MlsGroup) -> Result<Self, GroupError> {
        let values = Label::OF_AN_EPOCH
            .into_iter()
            .map(|label| Ok((label, mls.overlay().raw(Place::Current, label, group.group_id())?)))
            .collect::<Result<_, GroupError>>()?;
        Ok(Self { epoch: group.epoch().as_u64(), values })
    }

    /// Keeps it, and gives up what is one too many.
    pub(super) fn keep(
        self,
        mls: &Mls<'_>,
        group: &MlsGroup,
        record: &mut Record,
    ) -> Result<(), GroupError> {
        let place = Place::Past(self.epoch);
        for (label, value) in self.values {
            // The state before the commit may hold the whole next epoch, waiting.
            let value = match label {
                Label::GroupState => mls.overlay().raw(Place::Current, label, group.group_id())?,
                _ => value,
            };
            mls.overlay().put_raw(place, label, group.group_id(), value)?;
        }
        record.past.push(Past { epoch: self.epoch, left: PAST_LIFETIME });
        let excess = record.past.len().saturating_sub(MAX_PAST);
        let mut number = 0;
        give_up(mls, group, record, |_| {
            number += 1;
            number <= excess
        })
    }
}

/// Takes so long from what is left to the epochs that are kept, and gives up those it is over for.
pub(super) fn age(
    mls: &Mls<'_>,
    group: &MlsGroup,
    record: &mut Record,
    followed: Duration,
) -> Result<(), GroupError> {
    for past in &mut record.past {
        past.left = past.left.saturating_sub(followed);
    }
    give_up(mls, group, record, |past| past.left.is_zero())
}

/// Gives up the epochs that `goes` names.
pub(super) fn give_up(
    mls: &Mls<'_>,
    group: &MlsGroup,
    record: &mut Record,
    mut goes: impl FnMut(&Past) -> bool,
) -> Result<(), GroupError> {
    let (gone, kept): (Vec<_>, Vec<_>) = record.past.iter().copied().partition(|past| goes(past));
    for past in gone {
        for label in Label::OF_AN_EPOCH {
            mls.overlay().put_raw(Place::Past(past.epoch), label, group.group_id(), None)?;
        }
    }
    record.past = kept;
    Ok(())
}
