//! The datagrams, as they stand on the wire.
//!
//! ```text
//! message 1:  suite (1)  || sender (4) || cookie (11) || Noise message 1 (1216)
//! message 2:  08 || sender (4) || receiver (4) || Noise message 2 (1208)
//! message 3:  09 || receiver (4) || MAC (16) || Noise message 3 (64)
//! cookie:     0a || receiver (4) || cookie (11)
//! data:       0b || receiver (4) || counter (8) || ciphertext || tag (16)
//! ```
//!
//! An index names a handshake, later its keys, at the end that drew it. Every number is big endian.
//! Owns the layout; knows nothing of what is true.

use alloc::vec::Vec;

use super::super::handshake::MESSAGE_1_LENGTH;
use super::super::suite::Suite;
use crate::provider::TAG_LENGTH;

/// The longest datagram: what IPv6's least MTU of 1280 leaves of a packet, so that none is ever
/// cut into fragments.
pub const MAX_DATAGRAM: usize = 1232;

/// Bytes of message 1, which is as long as a datagram may be: nothing that answers it is longer.
pub const MESSAGE_1: usize = 1 + 4 + COOKIE + MESSAGE_1_LENGTH;

/// Bytes of message 2.
pub const MESSAGE_2: usize = 1 + 4 + 4 + NOISE_2;

/// Bytes of message 3.
pub const MESSAGE_3: usize = 1 + 4 + MAC + NOISE_3;

/// Bytes of a cookie.
pub const COOKIE: usize = 11;

/// Bytes of the MAC in front of the Noise message 3.
pub const MAC: usize = 16;

/// Bytes in front of a ciphertext, which its tag binds.
pub const DATA_HEADER: usize = 1 + 4 + 8;

/// The most bytes of plaintext in one datagram.
pub const MAX_CONTENT: usize = MAX_DATAGRAM - DATA_HEADER - TAG_LENGTH;

/// A datagram, taken apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Packet<'a> {
    /// Somebody wants to talk.
    Message1 {
        /// The suite of all that follows.
        suite: Suite,
        /// Names the handshake at the initiator.
        sender: u32,
        /// What the responder gave, or zeros.
        cookie: [u8; COOKIE],
        /// The Noise message.
        noise: &'a [u8],
    },
    /// The answer.
    Message2 {
        /// Names the handshake at the responder.
        sender: u32,
        /// Names it at the initiator.
        receiver: u32,
        /// The Noise message.
        noise: &'a [u8],
    },
    /// The end of the handshake.
    Message3 {
        /// Names it at the responder.
        receiver: u32,
        /// Over the header and the Noise message.
        mac: [u8; MAC],
        /// The Noise message.
        noise: &'a [u8],
    },
    /// Say it again, with this.
    Cookie {
        /// Names the handshake at the initiator.
        receiver: u32,
        /// What message 1 is to show.
        cookie: [u8; COOKIE],
    },
    /// Something sealed.
    Data {
        /// Names the keys at the receiver.
        receiver: u32,
        /// The nonce.
        counter: u64,
    },
}

impl<'a> Packet<'a> {
    /// Takes a datagram apart, if it has the form of one of ours.
    pub fn decode(datagram: &'a [u8]) -> Option<Self> {
        let (kind, rest) = datagram.split_first()?;
        let (index, rest) = rest.split_first_chunk().map(|(at, rest)| (number(*at), rest))?;
        match (*kind, datagram.len()) {
            (MESSAGE_2_KIND, MESSAGE_2) => {
                let (receiver, noise) = rest.split_first_chunk()?;
                Some(Self::Message2 { sender: index, receiver: number(*receiver), noise })
            }
            (MESSAGE_3_KIND, MESSAGE_3) => {
                let (mac, noise) = rest.split_first_chunk()?;
                Some(Self::Message3 { receiver: index, mac: *mac, noise })
            }
            (COOKIE_KIND, COOKIE_REPLY) => {
                Some(Self::Cookie { receiver: index, cookie: *rest.first_chunk()? })
            }
            (DATA_KIND, DATA_LEAST..=MAX_DATAGRAM) => {
                let counter = u64::from_be_bytes(*rest.first_chunk()?);
                Some(Self::Data { receiver: index, counter })
            }
            (suite, MESSAGE_1) => {
                let suite = Suite::from_byte(suite)?;
                let (cookie, noise) = rest.split_first_chunk()?;
                Some(Self::Message1 { suite, sender: index, cookie: *cookie, noise })
            }
            _ => None,
        }
    }

    /// The datagram; of one with something sealed, what stands in front of that.
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            Self::Message1 { suite, sender, cookie, noise } => {
                message1(suite, sender, &cookie, noise)
            }
            Self::Message2 { sender, receiver, noise } => message2(sender, receiver, noise),
            Self::Message3 { receiver, mac, noise } => message3(receiver, &mac, noise),
            Self::Cookie { receiver, cookie } => self::cookie(receiver, &cookie),
            Self::Data { receiver, counter } => data_header(receiver, counter).to_vec(),
        }
    }
}

/// What stands in front of the Noise message 1, without the cookie: the prologue binds it.
pub(super) fn message1_header(suite: Suite, sender: u32) -> [u8; 5] {
    header(suite.byte(), sender)
}

pub(super) fn message1(suite: Suite, sender: u32, cookie: &[u8; COOKIE], noise: &[u8]) -> Vec<u8> {
    [&message1_header(suite, sender), cookie.as_slice(), noise].concat()
}

/// What payload 2 says, so that nobody can change the indices in front of it.
pub(super) fn indices(sender: u32, receiver: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (sender.to_be_bytes(), receiver.to_be_bytes());
    [a, b, c, d, e, f, g, h]
}

pub(super) fn message2(sender: u32, receiver: u32, noise: &[u8]) -> Vec<u8> {
    [&[MESSAGE_2_KIND], indices(sender, receiver).as_slice(), noise].concat()
}

/// What stands in front of message 3's MAC, which is over it and the Noise message.
pub(super) fn message3_header(receiver: u32) -> [u8; 5] {
    header(MESSAGE_3_KIND, receiver)
}

pub(super) fn message3(receiver: u32, mac: &[u8; MAC], noise: &[u8]) -> Vec<u8> {
    [&message3_header(receiver), mac.as_slice(), noise].concat()
}

pub(super) fn cookie(receiver: u32, cookie: &[u8; COOKIE]) -> Vec<u8> {
    [&header(COOKIE_KIND, receiver), cookie.as_slice()].concat()
}

/// What stands in front of a ciphertext.
pub(super) fn data_header(receiver: u32, counter: u64) -> [u8; DATA_HEADER] {
    let [a, b, c, d] = receiver.to_be_bytes();
    let [e, f, g, h, i, j, k, l] = counter.to_be_bytes();
    [DATA_KIND, a, b, c, d, e, f, g, h, i, j, k, l]
}

fn header(kind: u8, index: u32) -> [u8; 5] {
    let [a, b, c, d] = index.to_be_bytes();
    [kind, a, b, c, d]
}

fn number(bytes: [u8; 4]) -> u32 {
    u32::from_be_bytes(bytes)
}

// The bytes below these are suites. None has bit 0x40, by which a QUIC packet is known.
const MESSAGE_2_KIND: u8 = 0x08;
const MESSAGE_3_KIND: u8 = 0x09;
const COOKIE_KIND: u8 = 0x0a;
const DATA_KIND: u8 = 0x0b;

/// Noise messages 2 and 3, the first with both indices as its payload.
const NOISE_2: usize = 32 + 1088 + 16 + 48 + 8 + 16;
const NOISE_3: usize = 64;

const COOKIE_REPLY: usize = 1 + 4 + COOKIE;
/// Something is sealed, if only a byte.
const DATA_LEAST: usize = DATA_HEADER + 1 + TAG_LENGTH;

const _: () = assert!(MESSAGE_1 <= MAX_DATAGRAM && MESSAGE_2 <= MESSAGE_1);

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn datagrams() -> [Vec<u8>; 5] {
        let data = [data_header(5, 6).as_slice(), &[7; 20]].concat();
        [
            message1(Suite::AesGcm, 1, &[2; COOKIE], &[3; MESSAGE_1_LENGTH]),
            message2(1, 2, &[3; NOISE_2]),
            message3(1, &[2; MAC], &[3; NOISE_3]),
            cookie(1, &[2; COOKIE]),
            data,
        ]
    }

    #[test]
    fn the_first_two_messages_fit_one_datagram_each() {
        assert_eq!((MESSAGE_1, MESSAGE_2, MESSAGE_3), (1232, 1217, 85));
        let lengths = datagrams().map(|datagram| datagram.len());
        assert_eq!(lengths, [MESSAGE_1, MESSAGE_2, MESSAGE_3, 16, 33]);
    }

    #[test]
    fn what_was_encoded_decodes() {
        let [first, second, third, cookie, data] = datagrams();
        let suite = Suite::AesGcm;
        let noise = &[3; MESSAGE_1_LENGTH][..];
        let expected = Packet::Message1 { suite, sender: 1, cookie: [2; COOKIE], noise };
        assert_eq!(Packet::decode(&first), Some(expected));
        let expected = Packet::Message2 { sender: 1, receiver: 2, noise: &[3; NOISE_2] };
        assert_eq!(Packet::decode(&second), Some(expected));
        let expected = Packet::Message3 { receiver: 1, mac: [2; MAC], noise: &[3; NOISE_3] };
        assert_eq!(Packet::decode(&third), Some(expected));
        let expected = Packet::Cookie { receiver: 1, cookie: [2; COOKIE] };
        assert_eq!(Packet::decode(&cookie), Some(expected));
        assert_eq!(Packet::decode(&data), Some(Packet::Data { receiver: 5, counter: 6 }));
    }

    #[test]
    fn a_byte_more_or_less_is_no_packet() {
        for datagram in datagrams() {
            for length in 0..datagram.len() {
                let is_data = datagram.first() == Some(&DATA_KIND) && length >= DATA_LEAST;
                assert_eq!(Packet::decode(&datagram[..length]).is_some(), is_data);
            }
        }
        for datagram in datagrams().into_iter().take(4) {
            assert_eq!(Packet::decode(&[datagram.as_slice(), &[0]].concat()), None);
        }
        let mut data = vec![0; MAX_DATAGRAM];
        data[..DATA_HEADER].copy_from_slice(&data_header(1, 2));
        assert!(Packet::decode(&data).is_some());
        data.push(0);
        assert!(Packet::decode(&data).is_none());
    }

    #[test]
    fn no_first_byte_of_ours_is_one_of_quic() {
        for datagram in datagrams() {
            assert!(datagram.first().is_some_and(|kind| *kind < 0x10));
        }
    }
}
