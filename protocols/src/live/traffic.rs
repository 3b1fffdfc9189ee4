//! Whom a frame is for, told by its first byte.
//!
//! | type | for |
//! |---|---|
//! | below 0x10 | the session itself: Hello, card fetch, close; never seen here |
//! | 0x10 to 0x1f | the router: messages, receipts, sealed packets |
//! | 0x20 to 0x2f | calls |
//! | 0x30 | one datagram |
//! | 0x40 to 0x4f | streams, where they share the session's byte stream |
//! | 0x80 and above | nobody here: a later version's, to be skipped |
//!
//! Knows nothing of what stands behind the byte.

/// Whom a frame is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Traffic {
    /// The router, which also judges types that nobody knows.
    Router,
    /// A call or its answer.
    Call,
    /// A datagram.
    Datagram,
    /// A part of a stream.
    Stream,
}

/// The type byte of a datagram.
pub const DATAGRAM: u8 = 0x30;

impl Traffic {
    /// Whom `frame` is for.
    pub fn of(frame: &[u8]) -> Self {
        match frame.first() {
            Some(0x20..=0x2f) => Self::Call,
            Some(&DATAGRAM) => Self::Datagram,
            Some(0x40..=0x4f) => Self::Stream,
            _ => Self::Router,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Traffic;

    #[test]
    fn each_type_byte_has_one_owner() {
        let of = |kind: u8| Traffic::of(&[kind, 1]);
        for kind in 0..=u8::MAX {
            let expected = match kind {
                0x20..=0x2f => Traffic::Call,
                0x30 => Traffic::Datagram,
                0x40..=0x4f => Traffic::Stream,
                _ => Traffic::Router,
            };
            assert_eq!(of(kind), expected, "{kind:#x}");
        }
        assert_eq!(Traffic::of(&[]), Traffic::Router);
    }
}
