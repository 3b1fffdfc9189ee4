//! What the braid puts beside each message of a conversation (field 5 of the ratchet message).
//!
//! ```text
//! 01 || epoch (varint) || index (varint) || type (1) || [chunk index (varint) || chunk (32)]
//! ```
//!
//! It stands in the clear and under the message's MAC. One value has one encoding: a reader refuses
//! overlong integers and bytes behind the end. Knows nothing of what the chunks belong to.

use alloc::vec::Vec;

use super::BraidError;
use super::erasure::{CHUNK_LENGTH, Chunk};

/// The longest that there is: version, ten bytes of epoch, five of index, the type, three of chunk
/// index, the chunk.
pub const MAX_BRAID_MESSAGE: usize = 1 + 10 + 5 + 1 + 3 + CHUNK_LENGTH;

/// One of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BraidMessage {
    /// The agreement that the sender works on. The message is keyed from the chain of the epoch
    /// before.
    pub epoch: u64,
    /// Which of that chain's keys it is sealed under, from 1 on.
    pub index: u32,
    /// A piece of the agreement.
    pub payload: Payload,
}

/// A piece of an agreement, under the names of the ML-KEM Braid specification.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Payload {
    /// Nothing.
    None,
    /// Of the header of the KEM key, with its MAC.
    Hdr(Chunk),
    /// Of the vector of the KEM key.
    Ek(Chunk),
    /// The same, from one who has the whole ct1.
    EkCt1Ack(Chunk),
    /// The sender has the whole ct1.
    Ct1Ack,
    /// Of the ciphertext's first half.
    Ct1(Chunk),
    /// Of the second half, with the MAC.
    Ct2(Chunk),
}

impl BraidMessage {
    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAX_BRAID_MESSAGE);
        bytes.push(VERSION);
        push_varint(&mut bytes, self.epoch);
        push_varint(&mut bytes, self.index.into());
        let (number, chunk) = self.payload.parts();
        bytes.push(number);
        if let Some(chunk) = chunk {
            push_varint(&mut bytes, chunk.index.into());
            bytes.extend_from_slice(&chunk.data);
        }
        bytes
    }

    /// What these bytes say.
    pub fn decode(bytes: &[u8]) -> Result<Self, BraidError> {
        let (version, rest) = bytes.split_first().ok_or(BraidError::Malformed)?;
        if *version != VERSION {
            return Err(BraidError::UnknownVersion);
        }
        Self::decode_body(rest).ok_or(BraidError::Malformed)
    }

    fn decode_body(mut bytes: &[u8]) -> Option<Self> {
        let epoch = take_varint(&mut bytes)?;
        let index = take_varint(&mut bytes)?.try_into().ok()?;
        let (number, mut bytes) = bytes.split_first()?;
        let payload = Payload::take(*number, &mut bytes)?;
        // Both count from 1.
        (epoch > 0 && index > 0 && bytes.is_empty()).then_some(Self { epoch, index, payload })
    }
}

impl Payload {
    fn parts(&self) -> (u8, Option<&Chunk>) {
        match self {
            Self::None => (0, None),
            Self::Hdr(chunk) => (1, Some(chunk)),
            Self::Ek(chunk) => (2, Some(chunk)),
            Self::EkCt1Ack(chunk) => (3, Some(chunk)),
            Self::Ct1Ack => (4, None),
            Self::Ct1(chunk) => (5, Some(chunk)),
            Self::Ct2(chunk) => (6, Some(chunk)),
        }
    }

    fn take(number: u8, bytes: &mut &[u8]) -> Option<Self> {
        let mut chunk = || {
            let index = take_varint(bytes)?.try_into().ok()?;
            let (data, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(Chunk { index, data: *data })
        };
        Some(match number {
            0 => Self::None,
            1 => Self::Hdr(chunk()?),
            2 => Self::Ek(chunk()?),
            3 => Self::EkCt1Ack(chunk()?),
            4 => Self::Ct1Ack,
            5 => Self::Ct1(chunk()?),
            6 => Self::Ct2(chunk()?),
            _ => return None,
        })
    }
}

/// The one version that is spoken: an older peer would have no post-quantum ratchet.
const VERSION: u8 = 1;

#[allow(clippy::cast_possible_truncation, reason = "of seven bits")]
fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// An LEB128 integer in its shortest form.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        let placed = low.checked_shl(shift)?;
        if placed >> shift != low || (*byte == 0 && shift > 0) {
            return None;
        }
        value |= placed;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(index: u16) -> Chunk {
        Chunk { index, data: [0xab; CHUNK_LENGTH] }
    }

    fn every_form() -> Vec<BraidMessage> {
        let payloads = [
            Payload::None,
            Payload::Hdr(chunk(0)),
            Payload::Ek(chunk(127)),
            Payload::EkCt1Ack(chunk(128)),
            Payload::Ct1Ack,
            Payload::Ct1(chunk(16_384)),
            Payload::Ct2(chunk(u16::MAX)),
        ];
        let numbers = [(1, 1), (127, 128), (u64::MAX, u32::MAX)];
        let with = |payload| numbers.map(|(epoch, index)| BraidMessage { epoch, index, payload });
        payloads.into_iter().flat_map(with).collect()
    }

    #[test]
    fn every_form_is_read_as_it_was_written_and_no_truncation_or_addition_is() {
        for message in every_form() {
            let bytes = message.encode();
            assert!(bytes.len() <= MAX_BRAID_MESSAGE);
            assert_eq!(BraidMessage::decode(&bytes), Ok(message));
            for length in 0..bytes.len() {
                assert_eq!(BraidMessage::decode(&bytes[..length]), Err(BraidError::Malformed));
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            assert_eq!(BraidMessage::decode(&longer), Err(BraidError::Malformed));
        }
    }

    #[test]
    fn each_flipped_bit_is_refused_or_is_another_message() {
        for message in every_form() {
            let bytes = message.encode();
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                match BraidMessage::decode(&changed) {
                    Ok(other) => {
                        assert_ne!(other, message);
                        assert_eq!(other.encode(), changed);
                    }
                    Err(error) => {
                        assert_eq!(
                            error == BraidError::UnknownVersion,
                            bit < 8,
                            "{error} at {bit}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn sizes_are_those_of_the_format() {
        let length = |payload| BraidMessage { epoch: 1, index: 1, payload }.encode().len();
        assert_eq!(length(Payload::None), 4);
        assert_eq!(length(Payload::Ct1Ack), 4);
        assert_eq!(length(Payload::Hdr(chunk(0))), 37);
    }

    #[test]
    fn other_versions_types_and_integers_are_refused() {
        let refused = |bytes: &[u8]| BraidMessage::decode(bytes).unwrap_err();
        assert_eq!(refused(&[0, 1, 1, 0]), BraidError::UnknownVersion);
        assert_eq!(refused(&[2, 1, 1, 0]), BraidError::UnknownVersion);
        let malformed: [&[u8]; 8] = [
            // Epoch 0, index 0, type 7.
            &[1, 0, 1, 0],
            &[1, 1, 0, 0],
            &[1, 1, 1, 7],
            // An overlong epoch; one past 64 bits, in two ways; an index past 32.
            &[1, 0x81, 0, 1, 0],
            &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1, 0],
            &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 1, 1, 0],
            &[1, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 0],
            &[],
        ];
        for bytes in malformed {
            assert_eq!(refused(bytes), BraidError::Malformed, "{bytes:?}");
        }
        // A chunk index past 16 bits.
        let mut bytes = [1, 1, 1, 1, 0x80, 0x80, 4].to_vec();
        bytes.extend([0; CHUNK_LENGTH]);
        assert_eq!(refused(&bytes), BraidError::Malformed);
    }
}
