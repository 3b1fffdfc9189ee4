//! The record of a session list, and of one archived session inside: a format byte, then postcard.

use super::{MAX_ARCHIVED, Session, SessionList};
use crate::deferred::stored::{self, RecordError};
use crate::secret::SecretBytes;

impl SessionList {
    /// The record.
    pub fn encode(&self) -> Result<SecretBytes, RecordError> {
        stored::encode(&[FORMAT], self).map_err(|_| RecordError::Malformed)
    }

    /// Reads a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let list: Self = stored::decode_format(FORMAT, bytes)?;
        if list.is_sound() { Ok(list) } else { Err(RecordError::Malformed) }
    }

    /// Whether the parts fit together, as they do in each record that was written here.
    pub(in crate::deferred) fn is_sound(&self) -> bool {
        self.archived.len() <= MAX_ARCHIVED
            && self.current.as_ref().is_none_or(|session| session.chains.are_sound())
    }
}

pub(super) fn encode_session(session: &Session) -> Result<SecretBytes, RecordError> {
    stored::encode(&[FORMAT], session).map_err(|_| RecordError::Malformed)
}

pub(super) fn decode_session(bytes: &SecretBytes) -> Result<Session, RecordError> {
    let session: Session = stored::decode_format(FORMAT, bytes.expose())?;
    if session.chains.are_sound() { Ok(session) } else { Err(RecordError::Malformed) }
}

const FORMAT: u8 = 1;
