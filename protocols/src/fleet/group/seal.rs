//! Application messages going out.

use alloc::vec::Vec;

use super::{Group, check_admin_left};
use crate::fleet::charter::Charter;
use crate::fleet::entry::MAX_MESSAGE_LENGTH;
use crate::fleet::error::GroupError;
use crate::fleet::mls::Mls;
use crate::fleet::{Local, LogEntry, Step, Surroundings};

/// The most bytes of a payload: sealed, it is an entry that fits.
pub const MAX_PAYLOAD_LENGTH: usize = MAX_MESSAGE_LENGTH - 1024;

/// What is inside a sealed message.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Payload,
    Leave,
}

impl Kind {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Payload => 0,
            Self::Leave => 1,
        }
    }
}

impl Group {
    /// Seals a payload to all members of this epoch.
    pub fn seal(
        &mut self,
        around: &mut Surroundings<'_>,
        local: &Local<'_>,
        payload: &[u8],
    ) -> Result<Step<LogEntry>, GroupError> {
        self.seal_kind(around, local, Kind::Payload, payload)
    }

    /// Asks to be removed by the next admin that commits. Until then this agent stays a member.
    pub fn leave(
        &mut self,
        around: &mut Surroundings<'_>,
        local: &Local<'_>,
    ) -> Result<Step<LogEntry>, GroupError> {
        let agent = local.card.agent();
        let view = self.view(around)?;
        let charter = Charter::of_extensions(view.loaded.mls.extensions())?;
        check_admin_left(&view.loaded.mls, &charter, &[agent])?;
        self.seal_kind(around, local, Kind::Leave, &[])
    }

    fn seal_kind(
        &mut self,
        around: &mut Surroundings<'_>,
        local: &Local<'_>,
        kind: Kind,
        payload: &[u8],
    ) -> Result<Step<LogEntry>, GroupError> {
        local.check()?;
        if payload.len() > MAX_PAYLOAD_LENGTH {
            return Err(GroupError::TooLong);
        }
        let content = crate::secret::SecretBytes::new([&[kind.code()], payload].concat());
        self.operate(around.mls(), |mls: &Mls<'_>, loaded| {
            if !loaded.is_own_key(local.key) {
                return Err(GroupError::OtherKey);
            }
            let message = loaded
                .mls
                .create_message(mls, local.key, content.expose())
                .map_err(|_| GroupError::Internal)?;
            let bytes: Vec<u8> = message.to_bytes().map_err(|_| GroupError::Internal)?;
            Ok(LogEntry::Message(bytes))
        })
    }
}
