//! What stands inside a sealed datagram.
//!
//! The first byte says what it is. From 0x10 on it is that of a frame, which then is the whole
//! content; below it, it is the session's own. Knows nothing of keys, nor of what follows from what.

use alloc::vec::Vec;

use super::super::session::FIRST_FRAME_TYPE;
use super::packet::{DATA_HEADER, MAX_CONTENT};
use crate::provider::TAG_LENGTH;

/// The most bytes of a Hello in one datagram.
pub(super) const HELLO_CHUNK: usize = MAX_CONTENT - HELLO_HEADER;

/// The most bytes of a long frame in one datagram.
pub(super) const FRAME_CHUNK: usize = MAX_CONTENT - FRAGMENT_HEADER;

/// The name of a long frame: the start of its hash, so that a part that was lost the first time may
/// come with the second.
pub type FrameName = [u8; 8];

/// The content of a sealed datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content<'a> {
    /// A part of the one thing that each side says before the peer is accepted.
    Hello {
        /// The receiver's keys that are to be replaced, or zero.
        replaces: u32,
        /// The part.
        part: Part<'a>,
    },
    /// Which parts of it came: bit 0 for part 0.
    HelloReceived(u32),
    /// A part of a frame that one datagram does not hold.
    Fragment {
        /// Of which frame.
        name: FrameName,
        /// The part.
        part: Part<'a>,
    },
    /// The highest counter that came with something that asks for it, and which of the 64 before.
    Received {
        /// The highest.
        highest: u64,
        /// Bit 0 for the one before it.
        before: u64,
    },
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
    /// Is this address yours?
    Challenge([u8; 8]),
    /// Yes.
    Response([u8; 8]),
    /// Nothing follows.
    Close,
    /// A whole frame.
    Frame(&'a [u8]),
}

/// One of several parts of something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part<'a> {
    /// Which one.
    pub number: u8,
    /// How many there are.
    pub count: u8,
    /// What it says.
    pub bytes: &'a [u8],
}

impl<'a> Content<'a> {
    /// Reads a content, if it is one.
    pub fn decode(content: &'a [u8]) -> Option<Self> {
        let (kind, rest) = content.split_first()?;
        if *kind >= FIRST_FRAME_TYPE {
            return Some(Self::Frame(content));
        }
        match (*kind, rest.len()) {
            (HELLO, _) => {
                let (replaces, rest) = rest.split_first_chunk()?;
                let replaces = u32::from_be_bytes(*replaces);
                Some(Self::Hello { replaces, part: Part::decode(rest)? })
            }
            (HELLO_RECEIVED, 4) => {
                Some(Self::HelloReceived(u32::from_be_bytes(*rest.first_chunk()?)))
            }
            (FRAGMENT, _) => {
                let (name, rest) = rest.split_first_chunk()?;
                Some(Self::Fragment { name: *name, part: Part::decode(rest)? })
            }
            (RECEIVED, 16) => {
                let highest = u64::from_be_bytes(*rest.first_chunk()?);
                Some(Self::Received { highest, before: u64::from_be_bytes(*rest.last_chunk()?) })
            }
            (PING, 0) => Some(Self::Ping),
            (PONG, 0) => Some(Self::Pong),
            (CHALLENGE, 8) => Some(Self::Challenge(*rest.first_chunk()?)),
            (RESPONSE, 8) => Some(Self::Response(*rest.first_chunk()?)),
            (CLOSE, 0) => Some(Self::Close),
            _ => None,
        }
    }

    /// A datagram with this content that is to be sealed.
    pub fn draft(&self) -> Vec<u8> {
        match self {
            Self::Hello { replaces, part } => {
                let (header, bytes) = part.split();
                draft(&[&[HELLO], &replaces.to_be_bytes(), &header, bytes])
            }
            Self::HelloReceived(parts) => draft(&[&[HELLO_RECEIVED], &parts.to_be_bytes()]),
            Self::Fragment { name, part } => {
                let (header, bytes) = part.split();
                draft(&[&[FRAGMENT], name, &header, bytes])
            }
            Self::Received { highest, before } => {
                draft(&[&[RECEIVED], &highest.to_be_bytes(), &before.to_be_bytes()])
            }
            Self::Ping => draft(&[&[PING]]),
            Self::Pong => draft(&[&[PONG]]),
            Self::Challenge(token) => draft(&[&[CHALLENGE], token]),
            Self::Response(token) => draft(&[&[RESPONSE], token]),
            Self::Close => draft(&[&[CLOSE]]),
            Self::Frame(frame) => draft(&[frame]),
        }
    }
}

impl<'a> Part<'a> {
    fn decode(bytes: &'a [u8]) -> Option<Self> {
        match bytes {
            [number, count, bytes @ ..] if number < count && !bytes.is_empty() => {
                Some(Self { number: *number, count: *count, bytes })
            }
            _ => None,
        }
    }

    fn split(&self) -> ([u8; 2], &'a [u8]) {
        ([self.number, self.count], self.bytes)
    }
}

/// Room for the header, the content, room for the tag: one allocation for each datagram.
fn draft(parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut draft = Vec::with_capacity(DATA_HEADER + length + TAG_LENGTH);
    draft.extend_from_slice(&[0; DATA_HEADER]);
    for part in parts {
        draft.extend_from_slice(part);
    }
    draft
}

const HELLO: u8 = 0x05;
const HELLO_RECEIVED: u8 = 0x06;
const FRAGMENT: u8 = 0x07;
const RECEIVED: u8 = 0x08;
const PING: u8 = 0x09;
const PONG: u8 = 0x0a;
const CHALLENGE: u8 = 0x0b;
const RESPONSE: u8 = 0x0c;
const CLOSE: u8 = 0x0d;

const HELLO_HEADER: usize = 1 + 4 + 2;
const FRAGMENT_HEADER: usize = 1 + 8 + 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drafted_decodes_and_nothing_shorter_or_longer() {
        let part = Part { number: 3, count: 5, bytes: b"bytes" };
        for content in [
            Content::Hello { replaces: 7, part },
            Content::HelloReceived(0b101),
            Content::Fragment { name: *b"name1234", part },
            Content::Received { highest: 77, before: u64::MAX - 1 },
            Content::Ping,
            Content::Pong,
            Content::Challenge([1; 8]),
            Content::Response([2; 8]),
            Content::Close,
            Content::Frame(&[0x10, 1, 2]),
        ] {
            let draft = content.draft();
            let bytes = &draft[DATA_HEADER..];
            assert_eq!(Content::decode(bytes), Some(content));
            let is_of_any_length = matches!(
                content,
                Content::Hello { .. } | Content::Fragment { .. } | Content::Frame(_)
            );
            if !is_of_any_length {
                assert_eq!(Content::decode(&bytes[..bytes.len() - 1]), None);
                assert_eq!(Content::decode(&[bytes, &[0]].concat()), None);
            }
        }
    }

    #[test]
    fn a_part_past_the_last_is_none_and_neither_is_an_empty_one() {
        for (number, count, bytes) in [(5, 5, &b"x"[..]), (0, 0, b"x"), (0, 1, b"")] {
            let part = Part { number, count, bytes };
            let draft = Content::Hello { replaces: 0, part }.draft();
            assert_eq!(Content::decode(&draft[DATA_HEADER..]), None);
        }
    }

    #[test]
    fn the_longest_contents_fill_a_datagram() {
        let bytes = &[0x10; MAX_CONTENT][..];
        let hello = Part { number: 0, count: 1, bytes: &bytes[..HELLO_CHUNK] };
        let frame = Part { number: 0, count: 1, bytes: &bytes[..FRAME_CHUNK] };
        for content in [
            Content::Hello { replaces: 0, part: hello },
            Content::Fragment { name: [0; 8], part: frame },
            Content::Frame(bytes),
        ] {
            assert_eq!(content.draft().len(), DATA_HEADER + MAX_CONTENT);
        }
    }
}
