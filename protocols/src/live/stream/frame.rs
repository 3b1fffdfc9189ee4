//! What the two ends of a session's streams say, byte for byte.
//!
//! ```text
//! 40 || id u32 || credit u32 || name      open
//! 41 || id u32 || bytes                   data
//! 42 || id u32 || taken u64 || credit u32 window
//! 43 || id u32                            finish
//! 44 || id u32                            done
//! 45 || id u32 || code u32                reset
//! 46 || id u32 || code u32                stop
//! ```

use alloc::vec::Vec;
use core::fmt;
use core::str;

use super::code::StreamCode;
use super::violation::StreamViolation;
use crate::identity::ServiceName;
use crate::live::handshake::Role;
use crate::live::record::MAX_CHUNK;

/// What stands in front of the bytes of a data frame.
pub(super) const DATA_HEADER: usize = 5;

/// The most bytes in one data frame: with its header it fills one record.
pub const MAX_DATA: usize = MAX_CHUNK - DATA_HEADER;

/// Which stream of a session. The initiator of the session opens odd ones, the responder even
/// ones, each in their order from the lowest, and none is ever used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StreamId(pub(super) u32);

impl StreamId {
    /// The first that this side opens.
    pub(super) const fn first(opener: Role) -> Self {
        match opener {
            Role::Initiator => Self(1),
            Role::Responder => Self(2),
        }
    }

    /// The one that its side opens next, while there are any.
    pub(super) const fn next(self) -> Option<Self> {
        match self.0.checked_add(2) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }

    /// Which side opens it.
    pub(super) const fn opener(self) -> Role {
        if self.0 % 2 == 1 { Role::Initiator } else { Role::Responder }
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A frame about a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StreamFrame<'a> {
    /// A new stream. Its opener takes `credit` bytes from the other end; the other takes
    /// [`FIRST_CREDIT`](super::FIRST_CREDIT) from the opener.
    Open {
        /// How many bytes the opener takes for now.
        credit: u32,
        /// What it is for.
        name: ServiceName,
    },
    /// The next bytes.
    Data(&'a [u8]),
    /// How far the sender of this frame has taken what came, and how many bytes more may come.
    Window {
        /// How many bytes its application took, in all.
        taken: u64,
        /// How many bytes it takes after those.
        credit: u32,
    },
    /// No more bytes will come.
    Finish,
    /// All bytes, and that there are no more, were taken.
    Done,
    /// No more bytes will come, and those that came are not all.
    Reset(StreamCode),
    /// No more bytes are wanted: the other end is to reset.
    Stop(StreamCode),
}

const OPEN: u8 = 0x40;
const DATA: u8 = 0x41;
const WINDOW: u8 = 0x42;
const FINISH: u8 = 0x43;
const DONE: u8 = 0x44;
const RESET: u8 = 0x45;
const STOP: u8 = 0x46;

impl<'a> StreamFrame<'a> {
    /// Reads a frame.
    pub fn decode(bytes: &'a [u8]) -> Result<(StreamId, Self), StreamViolation> {
        let (kind, rest) = bytes.split_first().ok_or(StreamViolation::Malformed)?;
        let (id, content) = rest.split_first_chunk().ok_or(StreamViolation::Malformed)?;
        let frame = match *kind {
            OPEN => open(content)?,
            DATA if (1..=MAX_DATA).contains(&content.len()) => Self::Data(content),
            WINDOW => window(content)?,
            FINISH if content.is_empty() => Self::Finish,
            DONE if content.is_empty() => Self::Done,
            RESET => Self::Reset(code(content)?),
            STOP => Self::Stop(code(content)?),
            DATA | FINISH | DONE => return Err(StreamViolation::Malformed),
            _ => return Err(StreamViolation::UnknownType),
        };
        Ok((StreamId(u32::from_be_bytes(*id)), frame))
    }

    /// The bytes.
    pub fn encode(&self, id: StreamId) -> Vec<u8> {
        let mut bytes = header(self.kind(), id);
        match self {
            Self::Open { credit, name } => {
                bytes.extend_from_slice(&credit.to_be_bytes());
                bytes.extend_from_slice(name.as_str().as_bytes());
            }
            Self::Data(data) => bytes.extend_from_slice(data),
            Self::Window { taken, credit } => {
                bytes.extend_from_slice(&taken.to_be_bytes());
                bytes.extend_from_slice(&credit.to_be_bytes());
            }
            Self::Finish | Self::Done => {}
            Self::Reset(code) | Self::Stop(code) => bytes.extend_from_slice(&code.0.to_be_bytes()),
        }
        bytes
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Open { .. } => OPEN,
            Self::Data(_) => DATA,
            Self::Window { .. } => WINDOW,
            Self::Finish => FINISH,
            Self::Done => DONE,
            Self::Reset(_) => RESET,
            Self::Stop(_) => STOP,
        }
    }
}

/// The start of a data frame, to which its bytes are appended.
pub(super) fn data_header(id: StreamId) -> [u8; DATA_HEADER] {
    let [a, b, c, d] = id.0.to_be_bytes();
    [DATA, a, b, c, d]
}

fn header(kind: u8, id: StreamId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    bytes.push(kind);
    bytes.extend_from_slice(&id.0.to_be_bytes());
    bytes
}

fn open(content: &[u8]) -> Result<StreamFrame<'_>, StreamViolation> {
    let (credit, name) = content.split_first_chunk().ok_or(StreamViolation::Malformed)?;
    let name = str::from_utf8(name).ok().and_then(|name| name.parse().ok());
    let name = name.ok_or(StreamViolation::Malformed)?;
    Ok(StreamFrame::Open { credit: u32::from_be_bytes(*credit), name })
}

fn window(content: &[u8]) -> Result<StreamFrame<'_>, StreamViolation> {
    let (taken, credit) = content.split_first_chunk().ok_or(StreamViolation::Malformed)?;
    let credit = credit.try_into().map_err(|_| StreamViolation::Malformed)?;
    Ok(StreamFrame::Window {
        taken: u64::from_be_bytes(*taken),
        credit: u32::from_be_bytes(credit),
    })
}

fn code(content: &[u8]) -> Result<StreamCode, StreamViolation> {
    let code = content.try_into().map_err(|_| StreamViolation::Malformed)?;
    Ok(StreamCode(u32::from_be_bytes(code)))
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::live::traffic::Traffic;

    const ID: StreamId = StreamId(0x0102_0304);

    fn frames() -> Vec<StreamFrame<'static>> {
        vec![
            StreamFrame::Open { credit: 7, name: "files".parse().unwrap() },
            StreamFrame::Data(b"bytes"),
            StreamFrame::Window { taken: u64::MAX, credit: u32::MAX },
            StreamFrame::Finish,
            StreamFrame::Done,
            StreamFrame::Reset(StreamCode::BUSY),
            StreamFrame::Stop(StreamCode(0xffff_ffff)),
        ]
    }

    #[test]
    fn every_frame_survives_its_encoding() {
        for frame in frames() {
            assert_eq!(StreamFrame::decode(&frame.encode(ID)), Ok((ID, frame)));
        }
    }

    #[test]
    fn every_cut_is_refused_or_a_shorter_frame_of_its_kind() {
        for frame in frames() {
            let bytes = frame.encode(ID);
            for end in 0..bytes.len() {
                match StreamFrame::decode(&bytes[..end]) {
                    Ok((id, shorter)) => {
                        assert_eq!((id, shorter.kind()), (ID, frame.kind()));
                        assert!(matches!(shorter, StreamFrame::Data(_) | StreamFrame::Open { .. }));
                    }
                    Err(error) => assert_eq!(error, StreamViolation::Malformed),
                }
            }
        }
    }

    #[test]
    fn a_byte_too_many_is_refused() {
        for frame in frames().into_iter().filter(|frame| !matches!(frame, StreamFrame::Data(_))) {
            let mut bytes = frame.encode(ID);
            bytes.push(0xff);
            assert_eq!(StreamFrame::decode(&bytes), Err(StreamViolation::Malformed), "{frame:?}");
        }
    }

    #[test]
    fn data_fills_a_record_and_is_refused_one_past_it() {
        let mut bytes = StreamFrame::Data(&[9; MAX_DATA]).encode(ID);
        assert_eq!(bytes.len(), MAX_CHUNK);
        assert!(StreamFrame::decode(&bytes).is_ok());
        bytes.push(9);
        assert_eq!(StreamFrame::decode(&bytes), Err(StreamViolation::Malformed));
        assert_eq!(StreamFrame::decode(&bytes[..DATA_HEADER]), Err(StreamViolation::Malformed));
    }

    #[test]
    fn a_type_that_is_kept_for_later_is_refused() {
        for kind in STOP + 1..=0x4f {
            assert_eq!(Traffic::of(&[kind]), Traffic::Stream);
            let bytes = [kind, 0, 0, 0, 1];
            assert_eq!(StreamFrame::decode(&bytes), Err(StreamViolation::UnknownType));
        }
    }

    #[test]
    fn each_side_opens_ids_of_its_own() {
        for role in [Role::Initiator, Role::Responder] {
            let first = StreamId::first(role);
            let second = first.next().unwrap();
            assert_eq!((first.opener(), second.opener()), (role, role));
            assert!(first < second);
        }
        assert_eq!(StreamId(u32::MAX - 1).next(), None);
    }
}
