//! A packet under way: everything around the ciphertext is known before the plaintext is, so that
//! the plaintext can bind it.

use alloc::vec::Vec;

use super::{Packet, PacketKind, SealError, Session};
use crate::deferred::ratchet::MessageKeys;
use crate::deferred::wire::RatchetHeader;
use crate::provider::DeferredProvider;

/// A packet whose plaintext is still to come, and the session after it.
#[derive(Debug)]
pub struct Draft {
    next: Session,
    header: RatchetHeader,
    keys: MessageKeys,
    length: usize,
    outer: Outer,
}

/// The bytes of a packet before and behind the message that has a MAC.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outer {
    /// Before it.
    pub before: Vec<u8>,
    /// Behind it.
    pub after: Vec<u8>,
}

impl Draft {
    pub(super) fn new(
        next: Session,
        header: RatchetHeader,
        keys: MessageKeys,
        length: usize,
    ) -> Self {
        let outer = match &next.pending {
            Some(pending) => {
                let message_length = header.message_length(ciphertext_length(length));
                let local = &next.identities.local;
                let (before, after) = pending.fields.encode(local, message_length);
                Outer { before, after }
            }
            None => Outer::default(),
        };
        Self { next, header, keys, length, outer }
    }

    /// What the packet will have around the message. Empty once the peer has answered.
    pub fn outer(&self) -> &Outer {
        &self.outer
    }

    /// Which kind of packet it will be.
    pub fn kind(&self) -> PacketKind {
        if self.next.pending.is_some() { PacketKind::First } else { PacketKind::Ratchet }
    }

    /// Seals the plaintext, which has the length that was announced.
    pub fn seal(
        self,
        provider: &dyn DeferredProvider,
        plaintext: &[u8],
    ) -> Result<(Packet, Session), SealError> {
        if plaintext.len() != self.length {
            return Err(SealError::WrongLength);
        }
        let kind = self.kind();
        let ciphertext = self.keys.encrypt(provider, plaintext)?;
        let message = self.header.encode(&ciphertext);
        let (sender, receiver) = (&self.next.identities.local, &self.next.identities.remote);
        let mac = self.keys.mac(provider, &[&sender.encode(), &receiver.encode(), &message]);
        let Outer { before, after } = self.outer;
        let bytes = [before, message, mac.expose().to_vec(), after].concat();
        Ok((Packet { kind, bytes }, self.next))
    }
}

/// Padding fills a block, or is one.
const fn ciphertext_length(length: usize) -> usize {
    (length / BLOCK + 1) * BLOCK
}

/// Bytes of a block of AES.
const BLOCK: usize = 16;
