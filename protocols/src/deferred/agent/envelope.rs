//! The bytes around a packet between our own agents.
//!
//! ```text
//! version (1) || suite (1) || sender (32) || recipient (32) || kind (1)
//!     || of a first message: bundle number (8, big-endian) || bundle hash (32)
//!     || packet
//! ```
//!
//! They carry no MAC; the plaintext holds their hash.

use alloc::vec::Vec;

use super::bundle::{BundleMark, BundleNumber};
use crate::deferred::session::PacketKind;
use crate::deferred::suite::Suite;
use crate::identity::AgentId;

/// An envelope as it came, or is to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Envelope {
    /// Who says to have sent it.
    pub sender: AgentId,
    /// Whom it is for.
    pub recipient: AgentId,
    /// The bundle that a first message uses. None for a message of an answered session.
    pub bundle: Option<BundleMark>,
}

impl Envelope {
    /// Which kind of packet is inside.
    pub fn kind(&self) -> PacketKind {
        if self.bundle.is_some() { PacketKind::First } else { PacketKind::Ratchet }
    }

    /// All before the packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAX_LENGTH);
        out.extend_from_slice(&[VERSION, Suite::MlKem1024.code()]);
        out.extend_from_slice(self.sender.as_bytes());
        out.extend_from_slice(self.recipient.as_bytes());
        match &self.bundle {
            None => out.push(RATCHET),
            Some(bundle) => {
                out.push(FIRST);
                out.extend_from_slice(&bundle.number.0.to_be_bytes());
                out.extend_from_slice(&bundle.hash);
            }
        }
        out
    }

    /// Splits an envelope from the packet behind it.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), EnvelopeError> {
        let ([version, suite], rest) = bytes.split_first_chunk().ok_or(EnvelopeError::TooShort)?;
        if *version != VERSION {
            return Err(EnvelopeError::UnsupportedVersion(*version));
        }
        if *suite != Suite::MlKem1024.code() {
            return Err(EnvelopeError::UnsupportedSuite(*suite));
        }
        let (sender, rest) = rest.split_first_chunk().ok_or(EnvelopeError::TooShort)?;
        let (recipient, rest) = rest.split_first_chunk().ok_or(EnvelopeError::TooShort)?;
        let (kind, rest) = rest.split_first().ok_or(EnvelopeError::TooShort)?;
        let (bundle, packet) = match *kind {
            RATCHET => (None, rest),
            FIRST => {
                let (number, rest) = rest.split_first_chunk().ok_or(EnvelopeError::TooShort)?;
                let (hash, rest) = rest.split_first_chunk().ok_or(EnvelopeError::TooShort)?;
                let number = BundleNumber(u64::from_be_bytes(*number));
                (Some(BundleMark { number, hash: *hash }), rest)
            }
            kind => return Err(EnvelopeError::UnknownKind(kind)),
        };
        let (sender, recipient) = (AgentId::from_bytes(*sender), AgentId::from_bytes(*recipient));
        Ok((Self { sender, recipient, bundle }, packet))
    }
}

/// Why bytes are not an envelope of this version. Each is the fault of who sent them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// There is no room for its parts.
    #[error("the envelope is cut short")]
    TooShort,
    /// A format that this version does not read.
    #[error("format version {0} of an envelope is not one that this version reads")]
    UnsupportedVersion(u8),
    /// Another suite than the one between our agents.
    #[error("suite 0x{0:02x} is not spoken between agents")]
    UnsupportedSuite(u8),
    /// Neither kind of packet.
    #[error("kind {0} of packet is unknown")]
    UnknownKind(u8),
}

const VERSION: u8 = 1;

/// As the official client numbers the two kinds.
const RATCHET: u8 = 2;
const FIRST: u8 = 3;

/// Bytes of a first message's envelope.
const MAX_LENGTH: usize = 2 + 2 * AgentId::LENGTH + 1 + 8 + 32;

#[cfg(test)]
mod tests {
    use super::{AgentId, BundleMark, BundleNumber, Envelope, EnvelopeError, MAX_LENGTH};

    fn envelope(bundle: Option<BundleMark>) -> Envelope {
        let (sender, recipient) = (AgentId::from_bytes([1; 32]), AgentId::from_bytes([2; 32]));
        Envelope { sender, recipient, bundle }
    }

    fn first() -> Envelope {
        envelope(Some(BundleMark { number: BundleNumber(7), hash: [3; 32] }))
    }

    #[test]
    fn both_kinds_are_read_as_they_were_written() {
        for envelope in [first(), envelope(None)] {
            let bytes = [envelope.encode(), b"packet".to_vec()].concat();
            assert_eq!(Envelope::decode(&bytes), Ok((envelope, &b"packet"[..])));
        }
        assert_eq!(first().encode().len(), MAX_LENGTH);
    }

    #[test]
    fn every_truncation_and_unknown_byte_has_its_error() {
        let bytes = first().encode();
        for end in 0..bytes.len() {
            assert_eq!(Envelope::decode(&bytes[..end]), Err(EnvelopeError::TooShort), "{end}");
        }
        for (place, error) in [
            (0, EnvelopeError::UnsupportedVersion(0x55)),
            (1, EnvelopeError::UnsupportedSuite(0x55)),
            (66, EnvelopeError::UnknownKind(0x55)),
        ] {
            let mut changed = bytes.clone();
            changed[place] = 0x55;
            assert_eq!(Envelope::decode(&changed), Err(error));
        }
    }
}
