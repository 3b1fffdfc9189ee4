//! Why one end gave up a direction of a stream.

use core::fmt;

/// Why one end gave up a direction of a stream: it will send no more, or wants no more. Those below
/// [`StreamCode::FIRST_OF_APPLICATION`] are named here; the others mean what two applications agree on.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StreamCode(pub u32);

impl StreamCode {
    /// Nobody holds this end any more.
    pub const DROPPED: Self = Self(0);
    /// Nobody takes streams of this name here.
    pub const NAME_UNKNOWN: Self = Self(1);
    /// More streams wait to be taken than may.
    pub const BUSY: Self = Self(2);
    /// The peer may not open streams here.
    pub const NOT_ALLOWED: Self = Self(3);
    /// The first code that belongs to the application.
    pub const FIRST_OF_APPLICATION: Self = Self(256);
}

impl fmt::Display for StreamCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DROPPED => f.write_str("the other end let go of it"),
            Self::NAME_UNKNOWN => f.write_str("nobody takes streams of this name there"),
            Self::BUSY => f.write_str("too many streams wait there to be taken"),
            Self::NOT_ALLOWED => f.write_str("the peer does not take streams from this agent"),
            Self(code) => write!(f, "code {code}"),
        }
    }
}
