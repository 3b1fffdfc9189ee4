//! The keys that one handshake left, in use on datagrams: each carries its counter, and the header
//! in front of it is bound by the tag. Knows nothing of what is inside.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::super::handshake::Established;
use super::super::record::RecordError;
use super::super::suite::Suite;
use super::content::Content;
use super::packet::{DATA_HEADER, data_header};
use super::received::Received;
use super::replay_window::ReplayWindow;
use super::tally::Ignored;
use crate::provider::{AeadKey, Provider, TAG_LENGTH};

/// How many datagrams one key seals before it is to be replaced.
pub(super) const RENEW_AFTER: u64 = 1 << 32;

/// How many it seals at the most, while it is being replaced.
const LAST: u64 = RENEW_AFTER + (1 << 24);

/// The keys of one handshake, one for each direction.
pub(super) struct Keys {
    /// Names them here.
    pub(super) local: u32,
    /// Names them at the peer.
    pub(super) remote: u32,
    suite: Suite,
    sealing: Box<dyn AeadKey>,
    opening: Box<dyn AeadKey>,
    next: u64,
    window: ReplayWindow,
    /// What the peer is to hear of.
    pub(super) received: Received,
}

impl Keys {
    pub(super) fn new(
        provider: &dyn Provider,
        established: &Established,
        local: u32,
        remote: u32,
    ) -> Self {
        let aead = established.suite.aead();
        Self {
            local,
            remote,
            suite: established.suite,
            sealing: provider.aead(aead, &established.keys.send),
            opening: provider.aead(aead, &established.keys.receive),
            next: 0,
            window: ReplayWindow::default(),
            received: Received::default(),
        }
    }

    /// How many datagrams were sealed.
    pub(super) fn sealed(&self) -> u64 {
        self.next
    }

    /// Seals a content; a datagram.
    pub(super) fn seal(&mut self, content: &Content<'_>) -> Result<Vec<u8>, RecordError> {
        self.seal_draft(content.draft())
    }

    /// Seals a draft in place.
    pub(super) fn seal_draft(&mut self, mut draft: Vec<u8>) -> Result<Vec<u8>, RecordError> {
        if self.next >= LAST {
            return Err(RecordError::Exhausted);
        }
        let header = data_header(self.remote, self.next);
        let (place, content) =
            draft.split_first_chunk_mut::<DATA_HEADER>().ok_or(RecordError::Internal)?;
        *place = header;
        let tag = self
            .sealing
            .seal_in_place(&self.suite.nonce(self.next), &header, content)
            .map_err(RecordError::ProviderFailed)?;
        self.next += 1;
        draft.extend_from_slice(&tag);
        Ok(draft)
    }

    /// Opens a datagram in place. Whatever is wrong changes nothing.
    pub(super) fn open<'a>(
        &mut self,
        counter: u64,
        datagram: &'a mut [u8],
    ) -> Result<Opened<'a>, Ignored> {
        // Before the cipher, so that a replay costs nothing; set behind it, so that a forgery
        // closes no place.
        if !self.window.admits(counter) {
            return Err(Ignored::Replayed);
        }
        let (header, sealed) =
            datagram.split_first_chunk_mut::<DATA_HEADER>().ok_or(Ignored::Malformed)?;
        let (content, tag) =
            sealed.split_last_chunk_mut::<TAG_LENGTH>().ok_or(Ignored::Malformed)?;
        self.opening
            .open_in_place(&self.suite.nonce(counter), header, content, tag)
            .map_err(|_| Ignored::NotAuthentic)?;
        let is_newest = self.window.is_highest(counter);
        self.window.take(counter);
        Ok(Opened { content, is_newest })
    }
}

/// What a datagram said.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) content: &'a [u8],
    /// Whether no higher counter has come.
    pub(super) is_newest: bool,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("local", &self.local).finish_non_exhaustive()
    }
}
