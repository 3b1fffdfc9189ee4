//! What a session that is looked for must offer.

use meshwork_protocols::identity::Transport;

/// What a session that is looked for must offer.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Needs {
    /// Nothing: whichever answers first.
    #[default]
    Any,
    /// A transport on which nothing is lost while it stands: it carries frames of every size, and
    /// streams.
    Bulk,
    /// This transport.
    Via(Transport),
}

impl Needs {
    /// All there are, the narrow ones first: what meets one of them meets most of those behind it.
    pub(crate) const ALL: [Self; 5] = [
        Self::Via(Transport::Quic),
        Self::Via(Transport::Tcp),
        Self::Via(Transport::Udp),
        Self::Bulk,
        Self::Any,
    ];

    /// Whether a session over `transport` will do.
    pub fn allow(self, transport: Transport) -> bool {
        match self {
            Self::Any => true,
            Self::Bulk => transport.is_reliable(),
            Self::Via(wanted) => wanted == transport,
        }
    }
}

impl From<Option<Transport>> for Needs {
    fn from(via: Option<Transport>) -> Self {
        via.map_or(Self::Any, Self::Via)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_allows_the_transports_that_meet_it() {
        let rows = [
            // needs => quic, tcp, udp
            (Needs::Any, [true, true, true]),
            (Needs::Bulk, [true, true, false]),
            (Needs::from(Some(Transport::Quic)), [true, false, false]),
            (Needs::from(Some(Transport::Tcp)), [false, true, false]),
            (Needs::from(Some(Transport::Udp)), [false, false, true]),
        ];
        for (needs, expected) in rows {
            let transports = [Transport::Quic, Transport::Tcp, Transport::Udp];
            assert_eq!(transports.map(|transport| needs.allow(transport)), expected, "{needs:?}");
            assert!(Needs::ALL.contains(&needs));
        }
        assert_eq!(Needs::from(None), Needs::Any);
    }
}
