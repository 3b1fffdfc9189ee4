//! All sessions with one peer: the current one, which seals, and earlier ones, which still open
//! what was sealed for them. One list is one record of the store.

mod record;

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::curve_key::CurveKey;
use super::handshake::Prekeys;
use super::kem_key::KemKey;
use super::prekey_id::PrekeyId;
use super::session::{Draft, OpenError, SealError, Session, Terms};
use super::stored;
use super::wire::{FirstMessage, RatchetMessage};
use crate::provider::DeferredProvider;
use crate::random::Random;
use crate::secret::SecretBytes;
use crate::time::WallTime;

/// The most archived sessions, the newest: as many as the official client keeps.
pub const MAX_ARCHIVED: usize = 40;

/// The most bytes of archived sessions, since each step writes them all. One whose peer skipped as
/// much as it could has some 0.6 MB; most have 5 KB.
pub const MAX_ARCHIVED_BYTES: usize = 1 << 20;

/// The sessions with one peer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct SessionList {
    current: Option<Session>,
    /// The newest first.
    archived: Vec<Archived>,
}

/// An encoded session, which is read only when the current one does not open.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Archived(#[serde(with = "stored::secret_bytes")] SecretBytes);

/// Where the keys of a first message come from.
pub trait PrekeySource {
    /// The signed prekey with this number.
    fn signed(&self, id: PrekeyId) -> Option<&CurveKey>;
    /// The KEM prekey with this number.
    fn kem(&self, id: PrekeyId) -> Option<&KemKey>;
    /// The one-time prekey with this number.
    fn one_time(&self, id: PrekeyId) -> Option<&CurveKey>;
    /// Whether this first message began a session before.
    fn was_used(&self, first: &FirstMessage<'_>) -> bool;
}

/// Who answers first messages.
#[derive(Clone, Copy)]
pub struct Responder<'a> {
    /// One's own identity.
    pub identity: &'a CurveKey,
    /// One's prekeys.
    pub prekeys: &'a dyn PrekeySource,
    /// What both ends know beside their keys.
    pub terms: Terms<'a>,
}

impl fmt::Debug for Responder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Responder({:?})", self.identity.public())
    }
}

/// A plaintext, and the sessions after it.
#[derive(Debug)]
pub struct Opened {
    /// What the peer sealed.
    pub plaintext: SecretBytes,
    /// What replaces the list.
    pub next: SessionList,
    /// Whether the packet began a session, so that its one-time prekey is to be deleted and its use
    /// to be remembered.
    pub began: bool,
}

impl SessionList {
    /// The current session.
    pub fn current(&self) -> Option<&Session> {
        self.current.as_ref()
    }

    /// How many archived sessions there are.
    pub fn archived(&self) -> usize {
        self.archived.len()
    }

    /// The list with a new current session.
    #[must_use]
    pub fn begin(&self, session: Session) -> Self {
        let mut next = self.archive();
        next.current = Some(session);
        next
    }

    /// The list without a current session: nothing seals until a new one begins.
    #[must_use]
    pub fn archive(&self) -> Self {
        let mut next = self.clone();
        if let Some(current) = next.current.take() {
            next.push_archived(current);
        }
        next
    }

    /// The list with every sending key given up, because a later state that is lost may have used
    /// them. These sessions open, and none seals again: not even once the peer has turned the Double
    /// Ratchet, since the place in the post-quantum one would still be used twice.
    #[must_use]
    pub fn spend(&self) -> Self {
        let mut next = self.archive();
        next.archived = next
            .archived
            .iter()
            .filter_map(|archived| record::decode_session(&archived.0).ok())
            .filter_map(|session| record::encode_session(&session.spent()).ok())
            .map(Archived)
            .collect();
        next
    }

    /// A packet under way in the current session.
    pub fn draft(
        &self,
        provider: &dyn DeferredProvider,
        length: usize,
        now: WallTime,
        random: &mut dyn Random,
    ) -> Result<Draft, SealError> {
        let current = self.current.as_ref().ok_or(SealError::NoSession)?;
        current.draft(provider, length, now, random)
    }

    /// The list with the current session one step further.
    #[must_use]
    pub fn with_current(&self, session: Session) -> Self {
        Self { current: Some(session), archived: self.archived.clone() }
    }

    /// Opens a message in whichever session it is of.
    pub fn open(
        &self,
        provider: &dyn DeferredProvider,
        message: &RatchetMessage<'_>,
        random: &mut dyn Random,
    ) -> Result<Opened, OpenError> {
        let mut outcome = OpenError::NoSession;
        if let Some(current) = &self.current {
            match current.open(provider, message, random) {
                Ok((plaintext, session)) => {
                    return Ok(Opened {
                        plaintext,
                        next: self.with_current(session),
                        began: false,
                    });
                }
                Err(OpenError::Duplicate) => return Err(OpenError::Duplicate),
                Err(error) => outcome = error,
            }
        }
        for (place, encoded) in self.archived.iter().enumerate() {
            let Ok(session) = record::decode_session(&encoded.0) else { continue };
            match session.open(provider, message, random) {
                Ok((plaintext, session)) => {
                    return Ok(Opened {
                        plaintext,
                        next: self.take_up(place, session),
                        began: false,
                    });
                }
                // Its chain is of that session: no other will open it.
                Err(OpenError::Duplicate) => return Err(OpenError::Duplicate),
                Err(_) => {}
            }
        }
        Err(outcome)
    }

    /// Opens a first message in the session that it began, or begins that one.
    pub fn open_first(
        &self,
        provider: &dyn DeferredProvider,
        responder: &Responder<'_>,
        first: &FirstMessage<'_>,
        random: &mut dyn Random,
    ) -> Result<Opened, OpenError> {
        // 1. A session that it began already opens it, and no other does.
        if let Some((place, session)) = self.begun_by(first) {
            let (plaintext, session) = session.open(provider, &first.message, random)?;
            let next = match place {
                None => self.with_current(session),
                Some(place) => self.take_up(place, session),
            };
            return Ok(Opened { plaintext, next, began: false });
        }
        // 2. One that began a session whose record is gone must not begin it again.
        let Responder { identity, prekeys, terms } = responder;
        if prekeys.was_used(first) {
            return Err(OpenError::Replayed);
        }
        // 3. All the keys that it names are there.
        let keys = named_keys(*prekeys, first)?;
        // 4. The session that follows from them opens it.
        let session = Session::respond(provider, identity, &keys, first, terms)?;
        let (plaintext, session) = session.open(provider, &first.message, random)?;
        Ok(Opened { plaintext, next: self.begin(session), began: true })
    }

    /// The session that `first` began, and its place in the archive if it is there.
    fn begun_by(&self, first: &FirstMessage<'_>) -> Option<(Option<usize>, Session)> {
        if let Some(current) = self.current.as_ref().filter(|session| session.is_begun_by(first)) {
            return Some((None, current.clone()));
        }
        self.archived.iter().enumerate().find_map(|(place, encoded)| {
            let session = record::decode_session(&encoded.0).ok()?;
            session.is_begun_by(first).then_some((Some(place), session))
        })
    }

    /// An archived session has opened something: it becomes the current one, if it seals.
    fn take_up(&self, place: usize, session: Session) -> Self {
        let mut next = self.clone();
        if session.seals() {
            next.archived.remove(place);
            return next.begin(session);
        }
        if let (Some(archived), Ok(encoded)) =
            (next.archived.get_mut(place), record::encode_session(&session))
        {
            *archived = Archived(encoded);
        }
        next
    }

    fn push_archived(&mut self, session: Session) {
        let Ok(encoded) = record::encode_session(&session.archived()) else { return };
        self.archived.insert(0, Archived(encoded));
        self.archived.truncate(MAX_ARCHIVED);
        while self.archived.len() > 1 && self.archived_bytes() > MAX_ARCHIVED_BYTES {
            self.archived.pop();
        }
    }

    fn archived_bytes(&self) -> usize {
        self.archived.iter().map(|archived| archived.0.len()).sum()
    }
}

fn named_keys<'a>(
    prekeys: &'a dyn PrekeySource,
    first: &FirstMessage<'_>,
) -> Result<Prekeys<'a>, OpenError> {
    let one_time = match first.one_time {
        None => None,
        Some(id) => Some(prekeys.one_time(id).ok_or(OpenError::UnknownOneTimePrekey)?),
    };
    Ok(Prekeys {
        signed: prekeys.signed(first.signed).ok_or(OpenError::UnknownSignedPrekey)?,
        kem: prekeys.kem(first.kem).ok_or(OpenError::UnknownKemPrekey)?,
        one_time,
    })
}

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
