//! What the ratchet seals between our own agents: who to whom, what stood around the packet, the
//! payload, and padding.
//!
//! ```text
//! length of the content (4, big-endian) || content || zeros up to the bucket
//! ```

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::introduction::Introduction;
use crate::deferred::session::Outer;
use crate::deferred::stored;
use crate::identity::{AgentId, EncodingError};
use crate::provider::Provider;
use crate::secret::SecretBytes;

/// The smallest bucket: a receipt, a heartbeat and a short message look alike.
pub const MIN_BUCKET: usize = 256;

/// A plaintext. The message's id, times and content type are inside the payload.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Plaintext {
    /// SHA-256 over every outer byte.
    pub outer: [u8; 32],
    /// Who sends.
    pub sender: AgentId,
    /// To whom.
    pub recipient: AgentId,
    /// What proves whose session it is, until the peer has answered.
    pub introduction: Option<Introduction>,
    /// What is sent.
    #[serde(with = "stored::secret_bytes")]
    pub payload: SecretBytes,
}

impl Plaintext {
    /// The encoding, padded. Its length depends on nothing but the payload's and the introduction's.
    pub fn encode(&self) -> Result<SecretBytes, PlaintextError> {
        let content = stored::encode(&[], self)?;
        let length = u32::try_from(content.len()).map_err(|_| PlaintextError::TooLong)?;
        let padded = bucket(LENGTH + content.len());
        let mut out = SecretBytes::new(Vec::with_capacity(padded));
        out.extend(&length.to_be_bytes());
        out.extend(content.expose());
        while out.len() < padded {
            out.extend(ZEROS.get(..ZEROS.len().min(padded - out.len())).unwrap_or(&[0]));
        }
        Ok(out)
    }

    /// Reads an encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, PlaintextError> {
        let (length, rest) =
            bytes.split_first_chunk::<LENGTH>().ok_or(PlaintextError::BadPadding)?;
        let length =
            usize::try_from(u32::from_be_bytes(*length)).map_err(|_| PlaintextError::TooLong)?;
        let (content, padding) = rest.split_at_checked(length).ok_or(PlaintextError::BadPadding)?;
        let padded = bucket(LENGTH.saturating_add(length));
        if bytes.len() != padded || padding.iter().any(|byte| *byte != 0) {
            return Err(PlaintextError::BadPadding);
        }
        Ok(stored::decode(&[], content)?)
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plaintext")
            .field("sender", &self.sender)
            .field("recipient", &self.recipient)
            .field("introduced", &self.introduction.is_some())
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

/// The hash of every byte around a packet's inner message: the envelope with what a first message
/// has before it, and what it has behind.
pub(super) fn outer_hash(provider: &dyn Provider, envelope: &[u8], outer: &Outer) -> [u8; 32] {
    hash_around(provider, envelope, &outer.before, &outer.after)
}

pub(super) fn hash_around(
    provider: &dyn Provider,
    envelope: &[u8],
    before: &[u8],
    after: &[u8],
) -> [u8; 32] {
    // The length keeps a byte from moving from one side of the message to the other.
    let length = (envelope.len() as u64).wrapping_add(before.len() as u64).to_be_bytes();
    provider.digest(&[OUTER_LABEL, &length, envelope, before, after])
}

/// The padded length: the next multiple of an eighth of the power of two below, so that padding
/// costs at most an eighth and a length tells about three bits of its logarithm's fraction.
const fn bucket(length: usize) -> usize {
    if length <= MIN_BUCKET {
        return MIN_BUCKET;
    }
    let step = 1 << ((length - 1).ilog2() - 3);
    length.next_multiple_of(step)
}

/// Why a plaintext that the ratchet opened is none. The sender's software is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaintextError {
    /// It is not encoded as one is.
    #[error("the plaintext is malformed: {0}")]
    Encoding(#[from] EncodingError),
    /// It is not padded as one is.
    #[error("the plaintext is not padded to its bucket")]
    BadPadding,
    /// It is longer than can be sealed.
    #[error("the plaintext is too long")]
    TooLong,
}

const OUTER_LABEL: &[u8] = b"meshwork/v1/packet\0";

/// Bytes of the length.
const LENGTH: usize = 4;

const ZEROS: [u8; 256] = [0; 256];

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{AgentId, MIN_BUCKET, Plaintext, PlaintextError, SecretBytes, bucket};

    fn plaintext(length: usize) -> Plaintext {
        Plaintext {
            outer: [3; 32],
            sender: AgentId::from_bytes([1; 32]),
            recipient: AgentId::from_bytes([2; 32]),
            introduction: None,
            payload: SecretBytes::new(vec![7; length]),
        }
    }

    #[test]
    fn a_plaintext_of_any_length_survives_and_fills_its_bucket() {
        for length in (0..2_000).chain([65_535, 65_536, 1 << 20]) {
            let encoded = plaintext(length).encode().unwrap();
            assert_eq!(Plaintext::decode(encoded.expose()), Ok(plaintext(length)));
            assert_eq!(encoded.len(), bucket(encoded.len()), "{length}");
            assert!(encoded.len() >= MIN_BUCKET && encoded.len().is_multiple_of(16));
            let content = length + 120;
            assert!(encoded.len() <= MIN_BUCKET.max(content + content / 7 + 16), "{length}");
        }
    }

    #[test]
    fn only_a_few_lengths_are_seen() {
        let mut seen: Vec<_> = (0..=65_536).map(bucket).collect();
        seen.dedup();
        assert_eq!(seen.len(), 65);
    }

    #[test]
    fn other_padding_is_refused() {
        let encoded = plaintext(10).encode().unwrap();
        let bytes = encoded.expose();
        for end in 0..bytes.len() {
            assert!(Plaintext::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        let mut filled = bytes.to_vec();
        *filled.last_mut().unwrap() = 1;
        assert_eq!(Plaintext::decode(&filled), Err(PlaintextError::BadPadding));
        let longer = [bytes, &[0; 16]].concat();
        assert_eq!(Plaintext::decode(&longer), Err(PlaintextError::BadPadding));
        let mut beyond = bytes.to_vec();
        beyond[..4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(Plaintext::decode(&beyond), Err(PlaintextError::BadPadding));
    }

    #[test]
    fn debug_shows_no_byte_of_the_payload() {
        let shown = alloc::format!("{:?}", plaintext(3));
        assert!(shown.contains("SecretBytes(3 bytes)") && !shown.contains("7, 7"), "{shown}");
    }
}
