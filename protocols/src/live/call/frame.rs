//! What is said about calls: one type byte, the numbers in postcard, and the body as the rest.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use postcard::ser_flavors::Size;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{MAX_CALL_BODY, MAX_DEADLINE};
use crate::identity::ServiceName;

/// The most bytes before a body: the type, two numbers, a service's name behind its length, and
/// milliseconds.
pub(super) const MAX_HEADER: usize = 1 + 10 + 10 + 1 + 64 + 5;

/// What one end says to the other about a call. The first two and the fourth are said by the caller,
/// who numbers its calls from zero, the others by the callee.
#[derive(Clone, Eq, PartialEq)]
pub enum CallFrame {
    /// 0x20: do this.
    Request {
        /// The call.
        id: u64,
        /// All calls below have ended for the caller: what comes of them now is too late.
        lowest: u64,
        /// Which service.
        service: ServiceName,
        /// How long the caller still waits; as a span, so that no clock has to agree with another.
        remaining: Duration,
        /// What the service is told.
        body: Vec<u8>,
    },
    /// 0x23: the caller does not wait any more.
    Cancel {
        /// The call.
        id: u64,
    },
    /// 0x21: the answer.
    Answer {
        /// The call.
        id: u64,
        /// What the service says.
        body: Vec<u8>,
    },
    /// 0x22: there will be no answer.
    Refused {
        /// The call.
        id: u64,
        /// Why.
        refusal: Refusal,
    },
    /// 0x24, where frames can be lost: the request is here, and need not be sent again.
    Taken {
        /// The call.
        id: u64,
    },
    /// 0x25, where frames can be lost, said by the caller: the answer is here.
    Settled {
        /// The call.
        id: u64,
    },
}

/// Why a callee does not answer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It has no service of this name.
    #[error("the peer has no service of this name")]
    NoSuchService,
    /// The caller may not use the service.
    #[error("the peer does not allow this call")]
    NotAllowed,
    /// It has too much to do: try again later.
    #[error("the peer is busy; try again later")]
    Busy,
    /// What runs the service failed.
    #[error("the peer's handler failed")]
    HandlerFailed,
    /// The answer was not there in time.
    #[error("the peer's answer was not there before the deadline")]
    DeadlinePassed,
    /// The answer is longer than the path carries, or than any may be.
    #[error("the peer's answer is longer than the path carries")]
    AnswerTooLarge,
}

impl Refusal {
    /// Whether some of what was asked may have been done.
    pub const fn may_have_run(self) -> bool {
        match self {
            Self::NoSuchService | Self::NotAllowed | Self::Busy => false,
            Self::HandlerFailed | Self::DeadlinePassed | Self::AnswerTooLarge => true,
        }
    }
}

const REQUEST: u8 = 0x20;
const ANSWER: u8 = 0x21;
const REFUSED: u8 = 0x22;
const CANCEL: u8 = 0x23;
const TAKEN: u8 = 0x24;
const SETTLED: u8 = 0x25;

/// What stands before the body of a request.
#[derive(Deserialize, Serialize)]
struct RequestHeader {
    id: u64,
    lowest: u64,
    service: ServiceName,
    remaining: u32,
}

impl CallFrame {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Request { id, lowest, service, remaining, body } => {
                encode_request(*id, *lowest, service, *remaining, body)
            }
            Self::Answer { id, body } => encode_answer(*id, body),
            Self::Refused { id, refusal } => encode(REFUSED, &(id, refusal), &[]),
            Self::Cancel { id } => encode(CANCEL, id, &[]),
            Self::Taken { id } => encode(TAKEN, id, &[]),
            Self::Settled { id } => encode(SETTLED, id, &[]),
        }
    }

    /// Reads a frame and checks its bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, CallFrameError> {
        let (kind, content) = bytes.split_first().ok_or(CallFrameError::Malformed)?;
        match *kind {
            REQUEST => {
                let (header, body) = split::<RequestHeader>(content)?;
                let RequestHeader { id, lowest, service, remaining } = header;
                let remaining = Duration::from_millis(remaining.into());
                if remaining > MAX_DEADLINE || lowest > id {
                    return Err(CallFrameError::Malformed);
                }
                Ok(Self::Request { id, lowest, service, remaining, body: bounded(body)? })
            }
            ANSWER => {
                let (id, body) = split(content)?;
                Ok(Self::Answer { id, body: bounded(body)? })
            }
            REFUSED => whole(content).map(|(id, refusal)| Self::Refused { id, refusal }),
            CANCEL => whole(content).map(|id| Self::Cancel { id }),
            TAKEN => whole(content).map(|id| Self::Taken { id }),
            SETTLED => whole(content).map(|id| Self::Settled { id }),
            _ => Err(CallFrameError::UnknownType),
        }
    }
}

/// A request, without a copy of its own of the body.
pub(super) fn encode_request(
    id: u64,
    lowest: u64,
    service: &ServiceName,
    remaining: Duration,
    body: &[u8],
) -> Vec<u8> {
    let remaining = u32::try_from(remaining.as_millis()).unwrap_or(u32::MAX);
    encode(REQUEST, &(id, lowest, service, remaining), body)
}

/// An answer, without a copy of its own of the body.
pub(super) fn encode_answer(id: u64, body: &[u8]) -> Vec<u8> {
    encode(ANSWER, &id, body)
}

fn encode(kind: u8, header: &impl Serialize, body: &[u8]) -> Vec<u8> {
    let mut header_bytes = [0; MAX_HEADER];
    let header = postcard::to_slice(header, &mut header_bytes).unwrap_or_default();
    let mut bytes = Vec::with_capacity(1 + header.len() + body.len());
    bytes.push(kind);
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(body);
    bytes
}

/// The value that `bytes` begin with in its one encoding, and what stands behind it.
fn split<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<(T, &[u8]), CallFrameError> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|_| CallFrameError::Malformed)?;
    let length = postcard::serialize_with_flavor(&value, Size::default());
    if length != Ok(bytes.len() - rest.len()) {
        return Err(CallFrameError::Malformed);
    }
    Ok((value, rest))
}

fn whole<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, CallFrameError> {
    let (value, rest) = split(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(CallFrameError::Malformed) }
}

fn bounded(body: &[u8]) -> Result<Vec<u8>, CallFrameError> {
    if body.len() > MAX_CALL_BODY { Err(CallFrameError::TooLarge) } else { Ok(body.to_vec()) }
}

impl fmt::Debug for CallFrame {
    /// Without bodies, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { id, service, body, .. } => {
                write!(f, "Request({id}, {service}, {} bytes)", body.len())
            }
            Self::Cancel { id } => write!(f, "Cancel({id})"),
            Self::Answer { id, body } => write!(f, "Answer({id}, {} bytes)", body.len()),
            Self::Refused { id, refusal } => write!(f, "Refused({id}, {refusal:?})"),
            Self::Taken { id } => write!(f, "Taken({id})"),
            Self::Settled { id } => write!(f, "Settled({id})"),
        }
    }
}

/// Why a frame about a call is not one, or cannot be. Each is the peer's fault: the session is
/// closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallFrameError {
    /// Not the encoding of a frame.
    #[error("not a frame about a call")]
    Malformed,
    /// The body is longer than any may be.
    #[error("a call's body is longer than {MAX_CALL_BODY} bytes")]
    TooLarge,
    /// A type that this version does not know.
    #[error("a frame about a call is of an unknown type")]
    UnknownType,
    /// An answer to a call that was never made.
    #[error("an answer to a call that was never made")]
    NeverCalled,
    /// A number that was used before, on a path where nothing comes twice.
    #[error("two calls of one number")]
    NumberReused,
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn request(body: Vec<u8>) -> CallFrame {
        let (service, remaining) = ("a.b-1".parse().unwrap(), Duration::from_secs(3));
        CallFrame::Request { id: 300, lowest: 7, service, remaining, body }
    }

    #[test]
    fn every_frame_survives_its_encoding() {
        for frame in [
            request(vec![1, 2]),
            request(vec![]),
            CallFrame::Answer { id: 0, body: vec![9; 400] },
            CallFrame::Refused { id: u64::MAX, refusal: Refusal::AnswerTooLarge },
            CallFrame::Cancel { id: 1 },
            CallFrame::Taken { id: 1 },
            CallFrame::Settled { id: 1 },
        ] {
            assert_eq!(CallFrame::decode(&frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn the_longest_header_fits_its_bound() {
        let service: ServiceName = "s".repeat(64).parse().unwrap();
        let frame = encode_request(u64::MAX, u64::MAX, &service, Duration::MAX, &[]);
        assert_eq!(frame.len(), MAX_HEADER);
    }

    #[test]
    fn a_body_is_refused_one_byte_past_the_bound() {
        let mut bytes = request(vec![0; MAX_CALL_BODY]).encode();
        assert!(CallFrame::decode(&bytes).is_ok());
        bytes.push(0);
        assert_eq!(CallFrame::decode(&bytes), Err(CallFrameError::TooLarge));
    }

    #[test]
    fn a_deadline_is_refused_past_the_longest_and_a_lowest_call_above_its_own() {
        let service: ServiceName = "a".parse().unwrap();
        let decode = |lowest, remaining| {
            CallFrame::decode(&encode_request(5, lowest, &service, remaining, &[])).map(drop)
        };
        assert_eq!(decode(5, MAX_DEADLINE), Ok(()));
        let malformed = Err(CallFrameError::Malformed);
        assert_eq!(decode(5, MAX_DEADLINE + Duration::from_millis(1)), malformed);
        assert_eq!(decode(6, MAX_DEADLINE), malformed);
    }

    #[test]
    fn other_encodings_other_types_and_bytes_behind_are_refused() {
        let malformed = Err(CallFrameError::Malformed);
        assert_eq!(CallFrame::decode(&[CANCEL, 0x81, 0x00]), malformed, "an overlong number");
        assert_eq!(CallFrame::decode(&[CANCEL, 1, 0]), malformed, "a byte behind");
        assert_eq!(CallFrame::decode(&[REFUSED, 1, 6]), malformed, "a refusal of a later version");
        assert_eq!(CallFrame::decode(&[REQUEST, 1, 0, 1, b'A', 1]), malformed, "not a name");
        assert_eq!(CallFrame::decode(&[]), malformed);
        assert_eq!(CallFrame::decode(&[0x26, 1]), Err(CallFrameError::UnknownType));
    }
}
