//! A message of the ratchet: `0x44 || fields || MAC (8)`.

use alloc::vec::Vec;

use super::protobuf::{Fields, put_bytes, put_length, put_number};
use super::{ADDRESSES_LENGTH, VERSION_BYTE, WireError, split_version};
use crate::deferred::curve_key::CurvePublic;
use crate::deferred::ratchet::MAC_LENGTH;

/// A message as it came. Its MAC has not been checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RatchetMessage<'a> {
    bytes: &'a [u8],
    /// The sender's ratchet key.
    pub ratchet_key: CurvePublic,
    /// Its index in the chain of that key.
    pub counter: u32,
    /// What the sealed plaintext became.
    pub ciphertext: &'a [u8],
    /// What the braid says.
    pub braid: &'a [u8],
    /// Sender and recipient, in a first message between service addresses.
    pub addresses: Option<&'a [u8]>,
}

impl<'a> RatchetMessage<'a> {
    /// Reads a message.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let rest = split_version(bytes)?;
        let (fields, _) = rest.split_last_chunk::<MAC_LENGTH>().ok_or(WireError::TooShort)?;
        let mut fields = Fields::new(fields);
        let (mut ratchet_key, mut counter, mut ciphertext) = (None, None, None);
        let (mut braid, mut addresses) = (None, None);
        while let Some((number, value)) = fields.next()? {
            match number {
                RATCHET_KEY => ratchet_key = Some(CurvePublic::decode(value.bytes()?)?),
                COUNTER => counter = Some(value.number()?),
                PREVIOUS_COUNTER => drop(value.number()?),
                CIPHERTEXT => ciphertext = Some(value.bytes()?),
                BRAID => braid = Some(value.bytes()?),
                ADDRESSES => addresses = Some(value.bytes()?),
                _ => {}
            }
        }
        Ok(Self {
            bytes,
            ratchet_key: ratchet_key.ok_or(WireError::MissingField(RATCHET_KEY))?,
            counter: counter.ok_or(WireError::MissingField(COUNTER))?,
            ciphertext: ciphertext.ok_or(WireError::MissingField(CIPHERTEXT))?,
            braid: braid.ok_or(WireError::MissingField(BRAID))?,
            addresses,
        })
    }

    /// Every byte of it.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What the MAC is over, and the MAC.
    pub(in crate::deferred) fn split_mac(&self) -> (&'a [u8], &'a [u8]) {
        self.bytes.split_at(self.bytes.len().saturating_sub(MAC_LENGTH))
    }
}

/// What a message says beside its ciphertext.
#[derive(Clone, Debug)]
pub(in crate::deferred) struct RatchetHeader {
    pub(in crate::deferred) ratchet_key: CurvePublic,
    pub(in crate::deferred) counter: u32,
    pub(in crate::deferred) previous_counter: u32,
    pub(in crate::deferred) braid: Vec<u8>,
    pub(in crate::deferred) addresses: Option<[u8; ADDRESSES_LENGTH]>,
}

impl RatchetHeader {
    /// The message with this ciphertext, but for the MAC.
    pub(in crate::deferred) fn encode(&self, ciphertext: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(ciphertext.len() + OVERHEAD);
        self.put_before(&mut out, ciphertext.len());
        out.extend_from_slice(ciphertext);
        self.put_after(&mut out);
        out
    }

    /// Bytes of the message with a ciphertext of this length, its MAC included.
    pub(in crate::deferred) fn message_length(&self, ciphertext_length: usize) -> usize {
        let mut around = Vec::with_capacity(OVERHEAD);
        self.put_before(&mut around, ciphertext_length);
        self.put_after(&mut around);
        around.len() + ciphertext_length + MAC_LENGTH
    }

    fn put_before(&self, out: &mut Vec<u8>, ciphertext_length: usize) {
        out.push(VERSION_BYTE);
        put_bytes(out, 1, &self.ratchet_key.encode());
        put_number(out, 2, self.counter);
        put_number(out, 3, self.previous_counter);
        put_length(out, 4, ciphertext_length);
    }

    fn put_after(&self, out: &mut Vec<u8>) {
        put_bytes(out, 5, &self.braid);
        if let Some(addresses) = &self.addresses {
            put_bytes(out, 6, addresses);
        }
    }
}

/// Room for all but the ciphertext.
const OVERHEAD: usize = 160;

const RATCHET_KEY: u32 = 1;
const COUNTER: u32 = 2;
/// Unread since the format's second version, but written.
const PREVIOUS_COUNTER: u32 = 3;
const CIPHERTEXT: u32 = 4;
const BRAID: u32 = 5;
const ADDRESSES: u32 = 6;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{CurvePublic, RatchetHeader, RatchetMessage, WireError};

    fn header() -> RatchetHeader {
        RatchetHeader {
            ratchet_key: CurvePublic::from_u([9; 32]),
            counter: 0,
            previous_counter: 300,
            braid: [1, 1, 1, 0].to_vec(),
            addresses: None,
        }
    }

    fn message() -> Vec<u8> {
        [header().encode(b"ciphertext"), [7; 8].to_vec()].concat()
    }

    #[test]
    fn a_message_is_read_as_it_was_written_zeros_included() {
        let bytes = message();
        assert_eq!(bytes.len(), header().message_length(10));
        let read = RatchetMessage::decode(&bytes).unwrap();
        assert_eq!((read.counter, read.ratchet_key), (0, CurvePublic::from_u([9; 32])));
        assert_eq!((read.ciphertext, read.braid), (&b"ciphertext"[..], &[1, 1, 1, 0][..]));
        assert_eq!(read.split_mac().1, [7; 8]);
        assert_eq!(bytes[36..38], [0x10, 0], "a counter of zero is written");
    }

    #[test]
    fn other_versions_and_every_missing_part_are_refused() {
        let mut bytes = message();
        for version in (0..16).filter(|version| *version != 4) {
            bytes[0] = version << 4 | 4;
            let refused = RatchetMessage::decode(&bytes);
            assert_eq!(refused, Err(WireError::UnsupportedVersion(version)));
        }
        let bytes = message();
        for end in 0..bytes.len() {
            // A cut may leave whole fields, but never all of them.
            let cut = RatchetMessage::decode(&bytes[..end]);
            assert!(cut.is_err(), "cut at {end}");
        }
        assert_eq!(RatchetMessage::decode(&[0x44; 8]), Err(WireError::TooShort));
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let more = [header().encode(b"ciphertext"), [0x78, 1].to_vec(), [7; 8].to_vec()].concat();
        assert!(RatchetMessage::decode(&more).is_ok_and(|read| read.ciphertext == b"ciphertext"));
    }
}
