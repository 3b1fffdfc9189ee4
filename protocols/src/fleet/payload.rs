//! What is sealed to all members of a group: a message and what its sender asks of those who get
//! it, or a receipt for messages of the log.
//!
//! ```text
//! message:  1 || asks (1) || the message
//! receipt:  2 || first index (8) || delivered (n) || processed (n)
//! ```
//!
//! A receipt names messages by their places in the log, which all members count alike: bit `i` of
//! both maps, the lowest of a byte first, speaks of the place `first + i`. Who sealed it is the
//! leaf that MLS authenticates. Knows no log and no inbox.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::error::GroupError;

/// The most places that one receipt speaks of: 512 bytes of maps. A member that is further behind
/// says it with several.
pub const MAX_RECEIPT_SPAN: u64 = 2_048;

/// What the sender of a message wants to hear of it.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Asks {
    /// Nothing: that it stands in the log is enough.
    #[default]
    Nothing,
    /// That it is durable in each member's inbox.
    Delivered,
    /// That, and that each member's application has dealt with it.
    Processed,
}

/// What a member says of one message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Said {
    /// It is durable in its inbox.
    Delivered,
    /// Its application has dealt with it, which says the first too.
    Processed,
}

/// The content of a sealed message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Payload {
    /// A message.
    Message {
        /// What is asked of those who get it.
        asks: Asks,
        /// The encoded [`Message`](crate::wire::Message).
        message: Vec<u8>,
    },
    /// What a member says of messages.
    Receipt(Receipt),
}

/// What a member says of messages near each other in the log. There is one at least.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    first: u64,
    /// One more than the last place that it speaks of, counted from the first.
    span: u64,
    delivered: Vec<u8>,
    processed: Vec<u8>,
}

impl Receipt {
    /// Of what is said, in the order of the places, as much as one receipt holds; and how much that
    /// is. `None` where nothing is said.
    pub fn gather(said: impl IntoIterator<Item = (u64, Said)>) -> Option<(Self, usize)> {
        let mut said = said.into_iter().peekable();
        let first = said.peek()?.0;
        let fits = |place: &u64| place.checked_sub(first).is_some_and(|it| it < MAX_RECEIPT_SPAN);
        let (mut this, mut count) =
            (Self { first, span: 0, delivered: Vec::new(), processed: Vec::new() }, 0);
        while let Some((place, said)) = said.next_if(|(place, _)| fits(place)) {
            this.set(place - first, said);
            count += 1;
        }
        Some((this, count))
    }

    /// What it says of the message at this place.
    pub fn of(&self, place: u64) -> Option<Said> {
        let offset = place.checked_sub(self.first)?;
        if is_set(&self.processed, offset) {
            return Some(Said::Processed);
        }
        is_set(&self.delivered, offset).then_some(Said::Delivered)
    }

    /// What it says, in the order of the places.
    pub fn said(&self) -> impl Iterator<Item = (u64, Said)> {
        let places = (0..self.span).filter_map(|offset| self.first.checked_add(offset));
        places.filter_map(|place| Some((place, self.of(place)?)))
    }

    fn set(&mut self, offset: u64, said: Said) {
        let (byte, bit) = split(offset);
        let length = self.delivered.len().max(byte + 1);
        self.delivered.resize(length, 0);
        self.processed.resize(length, 0);
        self.span = self.span.max(offset + 1);
        let map = match said {
            Said::Delivered => &mut self.delivered,
            Said::Processed => &mut self.processed,
        };
        if let Some(byte) = map.get_mut(byte) {
            *byte |= bit;
        }
    }

    /// Reads the bytes behind the kind. Each receipt has one encoding: its first place and its last
    /// byte say something, and no place is in both maps.
    fn decode(bytes: &[u8]) -> Result<Self, GroupError> {
        let (first, maps) = bytes.split_first_chunk().ok_or(GroupError::Malformed)?;
        let first = u64::from_be_bytes(*first);
        if maps.len() > 2 * MAP_LENGTH {
            return Err(GroupError::TooLong);
        }
        if maps.len() % 2 != 0 {
            return Err(GroupError::Malformed);
        }
        let (delivered, processed) = maps.split_at(maps.len() / 2);
        let both = || delivered.iter().zip(processed);
        let last = both().next_back().map_or(0, |(one, other)| one | other);
        let starts = both().next().is_some_and(|(one, other)| (one | other) & 1 == 1);
        if !starts || last == 0 || both().any(|(one, other)| one & other != 0) {
            return Err(GroupError::Malformed);
        }
        let unused = u64::from(last.leading_zeros());
        let span = u64::try_from(8 * delivered.len()).map_err(|_| GroupError::TooLong)? - unused;
        // The places are numbers, each of them.
        if first.checked_add(span - 1).is_none() {
            return Err(GroupError::Malformed);
        }
        Ok(Self { first, span, delivered: delivered.to_vec(), processed: processed.to_vec() })
    }
}

impl Payload {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Message { asks, message } => {
                let asks = match asks {
                    Asks::Nothing => NOTHING,
                    Asks::Delivered => DELIVERED,
                    Asks::Processed => PROCESSED,
                };
                [&[MESSAGE, asks], message.as_slice()].concat()
            }
            Self::Receipt(receipt) => {
                let Receipt { first, delivered, processed, .. } = receipt;
                let mut bytes = vec![RECEIPT];
                bytes.extend_from_slice(&first.to_be_bytes());
                bytes.extend_from_slice(delivered);
                bytes.extend_from_slice(processed);
                bytes
            }
        }
    }

    /// Whether the bytes are those of a receipt, where they are a payload's.
    pub fn is_receipt(bytes: &[u8]) -> bool {
        bytes.first() == Some(&RECEIPT)
    }

    /// Reads the bytes. How long they may be is what may be sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, GroupError> {
        match bytes {
            [MESSAGE, asks, message @ ..] => {
                let asks = match *asks {
                    NOTHING => Asks::Nothing,
                    DELIVERED => Asks::Delivered,
                    PROCESSED => Asks::Processed,
                    _ => return Err(GroupError::Malformed),
                };
                Ok(Self::Message { asks, message: message.to_vec() })
            }
            [RECEIPT, rest @ ..] => Receipt::decode(rest).map(Self::Receipt),
            _ => Err(GroupError::Malformed),
        }
    }
}

/// Where the bit of an offset is: its byte, and its place there.
fn split(offset: u64) -> (usize, u8) {
    (usize::try_from(offset / 8).unwrap_or(usize::MAX), 1 << (offset % 8))
}

fn is_set(map: &[u8], offset: u64) -> bool {
    let (byte, bit) = split(offset);
    map.get(byte).is_some_and(|byte| byte & bit != 0)
}

const MESSAGE: u8 = 1;
const RECEIPT: u8 = 2;
const NOTHING: u8 = 0;
const DELIVERED: u8 = 1;
const PROCESSED: u8 = 2;

/// The bytes of the longest map.
#[allow(clippy::cast_possible_truncation, reason = "256")]
const MAP_LENGTH: usize = (MAX_RECEIPT_SPAN / 8) as usize;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn receipt(said: &[(u64, Said)]) -> Receipt {
        let (receipt, count) = Receipt::gather(said.iter().copied()).unwrap();
        assert_eq!(count, said.len());
        receipt
    }

    #[test]
    fn each_payload_has_one_encoding() {
        let said = [(7, Said::Processed), (8, Said::Delivered), (20, Said::Processed)];
        for payload in [
            Payload::Message { asks: Asks::Nothing, message: vec![] },
            Payload::Message { asks: Asks::Delivered, message: vec![1, 2] },
            Payload::Message { asks: Asks::Processed, message: vec![3] },
            Payload::Receipt(receipt(&said)),
            Payload::Receipt(receipt(&[(u64::MAX, Said::Delivered)])),
        ] {
            assert_eq!(Payload::decode(&payload.encode()), Ok(payload));
        }
        assert!(receipt(&said).said().eq(said));
    }

    #[test]
    fn a_receipt_speaks_of_as_many_places_as_it_may_and_not_of_one_more() {
        let (first, last) = (5, 5 + MAX_RECEIPT_SPAN - 1);
        let most = [(first, Said::Delivered), (last, Said::Delivered)];
        let bytes = Payload::Receipt(receipt(&most)).encode();
        assert_eq!(bytes.len(), 1 + 8 + 2 * MAP_LENGTH);
        assert!(Payload::decode(&bytes).is_ok());
        let more = [most[0], most[1], (last + 1, Said::Processed)];
        let (some, count) = Receipt::gather(more).unwrap();
        assert_eq!((some, count), (receipt(&most), 2));
        assert!(Receipt::gather([]).is_none());
        let longer = [&bytes[..9 + MAP_LENGTH], &[1], &bytes[9 + MAP_LENGTH..], &[0]].concat();
        assert_eq!(Payload::decode(&longer), Err(GroupError::TooLong));
    }

    #[test]
    fn what_is_no_payload_is_refused() {
        let place = [0; 8];
        let of = |maps: &[u8]| [&[RECEIPT], place.as_slice(), maps].concat();
        assert!(Payload::decode(&of(&[1, 0])).is_ok());
        let past = [&[RECEIPT], u64::MAX.to_be_bytes().as_slice(), &[3, 0]].concat();
        let cases = [
            vec![],
            vec![0, 1],
            vec![3, 1],
            vec![MESSAGE],
            vec![MESSAGE, 3],
            vec![RECEIPT],
            vec![RECEIPT, 0, 0],
            // Of nothing, of a first place of which it says nothing, with an empty end, of two
            // lengths, of a place in both maps, and of places that are no numbers.
            of(&[]),
            of(&[0, 0]),
            of(&[2, 0]),
            of(&[1, 0, 0, 0]),
            of(&[1, 0, 0]),
            of(&[1, 1]),
            past,
        ];
        for bytes in cases {
            assert_eq!(Payload::decode(&bytes), Err(GroupError::Malformed), "{bytes:?}");
        }
    }
}
