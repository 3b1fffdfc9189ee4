//! The message around the messages of a session that was not answered yet: `0x44 || fields`. It has
//! no MAC: what it says is in the handshake's keys, or in nothing.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::protobuf::{Fields, put_bytes, put_length, put_number};
use super::{RatchetMessage, VERSION_BYTE, WireError, split_version};
use crate::deferred::curve_key::CurvePublic;
use crate::deferred::prekey_id::PrekeyId;
use crate::deferred::stored;

/// A first message as it came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FirstMessage<'a> {
    /// The one-time key that it uses, if any.
    pub one_time: Option<PrekeyId>,
    /// The key that the sender made for this session.
    pub base_key: CurvePublic,
    /// Who the sender is.
    pub identity: CurvePublic,
    /// The sender's installation, towards the official client.
    pub registration: u32,
    /// The signed key that it uses.
    pub signed: PrekeyId,
    /// The KEM key that it uses.
    pub kem: PrekeyId,
    /// What was encapsulated to it, with its type byte.
    pub kem_ciphertext: &'a [u8],
    /// The message inside.
    pub message: RatchetMessage<'a>,
    /// Every byte before the message inside.
    pub before: &'a [u8],
    /// Every byte behind it.
    pub after: &'a [u8],
}

/// The post-quantum part of a first message.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KemPart {
    /// The key that was used.
    pub id: PrekeyId,
    /// What was encapsulated to it, with its type byte.
    #[serde(with = "stored::bytes")]
    pub ciphertext: Vec<u8>,
}

impl<'a> FirstMessage<'a> {
    /// Reads a first message and the message inside.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(split_version(bytes)?);
        let (mut one_time, mut base_key, mut identity) = (None, None, None);
        let (mut registration, mut signed) = (0, None);
        let (mut kem, mut kem_ciphertext, mut message) = (None, None, None);
        while let Some((number, value)) = fields.next()? {
            match number {
                ONE_TIME => one_time = Some(PrekeyId(value.number()?)),
                BASE_KEY => base_key = Some(CurvePublic::decode(value.bytes()?)?),
                IDENTITY => identity = Some(CurvePublic::decode(value.bytes()?)?),
                MESSAGE => message = Some((value.bytes()?, fields.rest())),
                REGISTRATION => registration = value.number()?,
                SIGNED => signed = Some(PrekeyId(value.number()?)),
                KEM => kem = Some(PrekeyId(value.number()?)),
                KEM_CIPHERTEXT => kem_ciphertext = Some(value.bytes()?),
                _ => {}
            }
        }
        let (inner, after) = message.ok_or(WireError::MissingField(MESSAGE))?;
        let around = bytes.len().saturating_sub(inner.len() + after.len());
        Ok(Self {
            one_time,
            base_key: base_key.ok_or(WireError::MissingField(BASE_KEY))?,
            identity: identity.ok_or(WireError::MissingField(IDENTITY))?,
            registration,
            signed: signed.ok_or(WireError::MissingField(SIGNED))?,
            kem: kem.ok_or(WireError::MissingField(KEM))?,
            kem_ciphertext: kem_ciphertext.ok_or(WireError::MissingField(KEM_CIPHERTEXT))?,
            message: RatchetMessage::decode(inner)?,
            before: bytes.get(..around).unwrap_or_default(),
            after,
        })
    }
}

/// What a first message says around the message inside.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::deferred) struct FirstFields {
    pub(in crate::deferred) one_time: Option<PrekeyId>,
    pub(in crate::deferred) base_key: CurvePublic,
    pub(in crate::deferred) registration: u32,
    pub(in crate::deferred) signed: PrekeyId,
    pub(in crate::deferred) kem: KemPart,
}

impl FirstFields {
    /// What stands before and behind a message of this length.
    pub(in crate::deferred) fn encode(
        &self,
        identity: &CurvePublic,
        message_length: usize,
    ) -> (Vec<u8>, Vec<u8>) {
        let mut before = Vec::with_capacity(100);
        before.push(VERSION_BYTE);
        if let Some(one_time) = self.one_time {
            put_number(&mut before, 1, one_time.0);
        }
        put_bytes(&mut before, 2, &self.base_key.encode());
        put_bytes(&mut before, 3, &identity.encode());
        put_length(&mut before, 4, message_length);

        let mut after = Vec::with_capacity(self.kem.ciphertext.len() + 24);
        put_number(&mut after, 5, self.registration);
        put_number(&mut after, 6, self.signed.0);
        put_number(&mut after, 7, self.kem.id.0);
        put_bytes(&mut after, 8, &self.kem.ciphertext);
        (before, after)
    }
}

const ONE_TIME: u32 = 1;
const BASE_KEY: u32 = 2;
const IDENTITY: u32 = 3;
const MESSAGE: u32 = 4;
const REGISTRATION: u32 = 5;
const SIGNED: u32 = 6;
const KEM: u32 = 7;
const KEM_CIPHERTEXT: u32 = 8;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{CurvePublic, FirstFields, FirstMessage, KemPart, PrekeyId, WireError};
    use crate::deferred::wire::RatchetHeader;

    fn inner() -> Vec<u8> {
        let header = RatchetHeader {
            ratchet_key: CurvePublic::from_u([9; 32]),
            counter: 3,
            previous_counter: 0,
            braid: [1, 1, 1, 0].to_vec(),
            addresses: None,
        };
        [header.encode(b"ciphertext"), [7; 8].to_vec()].concat()
    }

    fn first(one_time: Option<PrekeyId>) -> Vec<u8> {
        let kem = KemPart { id: PrekeyId(0), ciphertext: [8; 1569].to_vec() };
        let fields = FirstFields {
            one_time,
            base_key: CurvePublic::from_u([1; 32]),
            registration: 0,
            signed: PrekeyId(300),
            kem,
        };
        let (before, after) = fields.encode(&CurvePublic::from_u([2; 32]), inner().len());
        [before, inner(), after].concat()
    }

    #[test]
    fn a_first_message_is_read_as_it_was_written() {
        for one_time in [None, Some(PrekeyId(0)), Some(PrekeyId(u32::MAX))] {
            let bytes = first(one_time);
            let read = FirstMessage::decode(&bytes).unwrap();
            assert_eq!(
                (read.one_time, read.signed, read.kem),
                (one_time, PrekeyId(300), PrekeyId(0))
            );
            assert_eq!(read.identity, CurvePublic::from_u([2; 32]));
            assert_eq!(read.message.counter, 3);
            let parts = [read.before, read.message.as_bytes(), read.after];
            assert_eq!(parts.concat(), bytes);
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = first(Some(PrekeyId(1)));
        for end in 0..bytes.len() {
            assert!(FirstMessage::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn the_third_version_and_a_message_without_a_kem_part_are_refused() {
        let mut bytes = first(None);
        bytes[0] = 0x34;
        assert_eq!(FirstMessage::decode(&bytes), Err(WireError::UnsupportedVersion(3)));
        let bytes = first(None);
        let whole = FirstMessage::decode(&bytes).unwrap();
        // Fields 5 and 6 have two and three bytes here; what follows is the KEM part.
        let classical = [whole.before, whole.message.as_bytes(), &whole.after[..5]].concat();
        assert_eq!(FirstMessage::decode(&classical), Err(WireError::MissingField(7)));
        let half = [whole.before, whole.message.as_bytes(), &whole.after[..7]].concat();
        assert_eq!(FirstMessage::decode(&half), Err(WireError::MissingField(8)));
    }
}
