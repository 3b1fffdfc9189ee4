//! The unit that a session carries and a path transmits.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{HeldPrekeys, MAX_BODY, MAX_RECEIPTS, MessageId, OfferedPrekeys, Place, Receipt};
use crate::deferred::agent::repair::MAX_HASHES;
use crate::secret::SecretBytes;

/// The largest frame: a message of the largest body, sealed or not, with everything around it.
pub const MAX_FRAME: usize = MAX_BODY + 4_096;

/// What one end of a session says to the other once both Hellos were accepted.
///
/// Type bytes below 0x10 belong to the session itself. A type from 0x80 up that a reader does not
/// know is skipped, so that later versions can add what older ones may ignore; any other unknown
/// type is an error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame {
    /// 0x10: what a message or its receipts are made of, in clear within the session.
    Clear(Payload),
    /// 0x11: a packet sealed by a stored session, which its receiver opens.
    Sealed(Vec<u8>),
    /// 0x80 and above: from a later version, to be skipped.
    Skipped(u8),
}

/// What a message or its receipts are made of, whether a live session carries it in clear or a
/// stored session sealed it.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub enum Payload {
    /// A message.
    Message {
        /// The lowest place in the order that the sender still tries to fill.
        lowest_wanted: u64,
        /// The encoding of a [`Message`](super::Message).
        #[serde(with = "super::bytes")]
        message: Vec<u8>,
    },
    /// Receipts, at most [`MAX_RECEIPTS`].
    Receipts(Vec<Receipt>),
    /// The sender has these final receipts, durably: they need not be repeated.
    Settled(Vec<MessageId>),
    /// Ordered messages wait for the one at this place: is it still wanted?
    WaitingFor(Place),
    /// The lowest place that the sender still tries to fill; all below are settled or given up.
    LowestWanted(Place),
    /// The packet with this SHA-256 did not open: seal its message anew.
    CannotOpen([u8; 32]),
    /// What the sender holds of the receiver's prekeys.
    PrekeysHeld(HeldPrekeys),
    /// The sender's prekeys.
    Prekeys(OfferedPrekeys),
    /// The packets with these SHA-256, at most [`MAX_HASHES`], opened in no session that the
    /// sender still has: this one replaces them.
    Repair(Vec<[u8; 32]>),
    /// Nothing, so that a conversation keeps healing.
    Heartbeat,
}

impl Payload {
    /// The payload that carries `message`.
    pub fn message(lowest_wanted: u64, message: &SecretBytes) -> Self {
        Self::Message { lowest_wanted, message: message.expose().to_vec() }
    }

    /// The encoding.
    pub fn encode(&self) -> SecretBytes {
        SecretBytes::new(postcard::to_allocvec(self).unwrap_or_default())
    }

    /// Reads an encoding and checks its bounds; the message inside is checked by
    /// [`Message::decode`](super::Message::decode).
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let payload: Self = super::decode(bytes).ok_or(FrameError::Malformed)?;
        if payload.is_bounded() { Ok(payload) } else { Err(FrameError::Malformed) }
    }
}

impl Payload {
    fn is_bounded(&self) -> bool {
        match self {
            Self::Receipts(receipts) => receipts.len() <= MAX_RECEIPTS,
            Self::Settled(ids) => ids.len() <= MAX_RECEIPTS,
            Self::Prekeys(offered) => offered.is_bounded(),
            Self::Repair(hashes) => hashes.len() <= MAX_HASHES,
            _ => true,
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { message, .. } => write!(f, "Message({} bytes)", message.len()),
            Self::Receipts(receipts) => f.debug_tuple("Receipts").field(receipts).finish(),
            Self::Settled(ids) => f.debug_tuple("Settled").field(ids).finish(),
            Self::WaitingFor(place) => f.debug_tuple("WaitingFor").field(place).finish(),
            Self::LowestWanted(place) => f.debug_tuple("LowestWanted").field(place).finish(),
            Self::CannotOpen(_) => f.write_str("CannotOpen"),
            Self::PrekeysHeld(held) => f.debug_tuple("PrekeysHeld").field(held).finish(),
            Self::Prekeys(offered) => write!(f, "Prekeys({} bytes)", offered.bundle.len()),
            Self::Repair(hashes) => write!(f, "Repair({})", hashes.len()),
            Self::Heartbeat => f.write_str("Heartbeat"),
        }
    }
}

const CLEAR: u8 = 0x10;
const SEALED: u8 = 0x11;
const FIRST_SKIPPED: u8 = 0x80;

impl Frame {
    /// The bytes: a type byte and its content.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Clear(payload) => behind(CLEAR, payload.encode().expose()),
            Self::Sealed(packet) => behind(SEALED, packet),
            Self::Skipped(kind) => behind(*kind, &[]),
        }
    }

    /// Reads a frame.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > MAX_FRAME {
            return Err(FrameError::TooLarge);
        }
        match bytes.split_first().ok_or(FrameError::Malformed)? {
            (&CLEAR, content) => Payload::decode(content).map(Self::Clear),
            (&SEALED, packet) => Ok(Self::Sealed(packet.to_vec())),
            (&kind, _) if kind >= FIRST_SKIPPED => Ok(Self::Skipped(kind)),
            _ => Err(FrameError::UnknownType),
        }
    }
}

fn behind(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + content.len());
    bytes.push(kind);
    bytes.extend_from_slice(content);
    bytes
}

/// Why bytes are not a frame. Each is the peer's fault: the session is closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Not the encoding of a frame, or bytes stand behind it.
    #[error("not a frame")]
    Malformed,
    /// Larger than [`MAX_FRAME`].
    #[error("a frame larger than {MAX_FRAME} bytes")]
    TooLarge,
    /// A type that this version does not know and may not skip.
    #[error("a frame of an unknown type")]
    UnknownType,
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::deferred::agent::bundle::MAX_BUNDLE_LENGTH;
    use crate::deferred::agent::{BundleMark, BundleNumber};
    use crate::deferred::{CurvePublic, PrekeyId};
    use crate::wire::Verdict;

    fn offered(length: usize) -> OfferedPrekeys {
        let one_time = Some((PrekeyId(3), CurvePublic::from_u([4; 32])));
        OfferedPrekeys { bundle: vec![5; length], one_time }
    }

    #[test]
    fn every_frame_survives_its_encoding() {
        let receipt = Receipt { id: MessageId::from_bytes([1; 16]), verdict: Verdict::Processed };
        let mark = BundleMark { number: BundleNumber(9), hash: [8; 32] };
        for frame in [
            Frame::Clear(Payload::Message { lowest_wanted: 9, message: vec![1, 2] }),
            Frame::Clear(Payload::Receipts(vec![receipt; MAX_RECEIPTS])),
            Frame::Clear(Payload::Settled(vec![receipt.id])),
            Frame::Sealed(vec![5; 40]),
            Frame::Clear(Payload::CannotOpen([6; 32])),
            Frame::Clear(Payload::PrekeysHeld(HeldPrekeys { bundle: Some(mark), one_time: None })),
            Frame::Clear(Payload::Prekeys(offered(MAX_BUNDLE_LENGTH))),
            Frame::Clear(Payload::Repair(vec![[7; 32]; MAX_HASHES])),
            Frame::Clear(Payload::Heartbeat),
        ] {
            assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn a_second_encoding_of_a_payload_is_refused() {
        let lowest = Payload::LowestWanted(Place { conversation: [4; 8], number: 3 });
        let mut bytes = Frame::Clear(lowest).encode();
        assert!(Frame::decode(&bytes).is_ok());
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push(0);
        assert_eq!(Frame::decode(&bytes), Err(FrameError::Malformed));
    }

    #[test]
    fn one_receipt_too_many_is_refused() {
        let receipt = Receipt { id: MessageId::from_bytes([1; 16]), verdict: Verdict::Delivered };
        let frame = Frame::Clear(Payload::Receipts(vec![receipt; MAX_RECEIPTS + 1]));
        assert_eq!(Frame::decode(&frame.encode()), Err(FrameError::Malformed));
    }

    #[test]
    fn one_hash_or_one_byte_of_a_bundle_too_many_is_refused() {
        let hashes = Frame::Clear(Payload::Repair(vec![[7; 32]; MAX_HASHES + 1]));
        assert_eq!(Frame::decode(&hashes.encode()), Err(FrameError::Malformed));
        let bundle = Frame::Clear(Payload::Prekeys(offered(MAX_BUNDLE_LENGTH + 1)));
        assert_eq!(Frame::decode(&bundle.encode()), Err(FrameError::Malformed));
    }

    #[test]
    fn unknown_types_are_skipped_only_where_the_format_says_so() {
        assert_eq!(Frame::decode(&[0x80, 1, 2]), Ok(Frame::Skipped(0x80)));
        assert_eq!(Frame::decode(&[0x7f, 1, 2]), Err(FrameError::UnknownType));
        assert_eq!(Frame::decode(&[0x0f]), Err(FrameError::UnknownType));
        assert_eq!(Frame::decode(&[]), Err(FrameError::Malformed));
    }

    #[test]
    fn a_frame_is_refused_one_byte_past_the_bound() {
        let mut bytes = vec![SEALED; MAX_FRAME];
        assert!(Frame::decode(&bytes).is_ok());
        bytes.push(0);
        assert_eq!(Frame::decode(&bytes), Err(FrameError::TooLarge));
    }
}
