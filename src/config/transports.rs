//! The transports that an agent speaks, best first.

use meshwork_protocols::identity::Transport;

/// All that this build speaks, in the order in which a peer is tried over them. All of it is spoken
/// where nobody says otherwise.
const ALL: [Transport; 3] = [Transport::Quic, Transport::Udp, Transport::Tcp];

/// The transports that an agent speaks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Transports(Vec<Transport>);

impl Default for Transports {
    fn default() -> Self {
        Self(ALL.to_vec())
    }
}

impl Transports {
    /// Those of `wanted` that this build speaks, in the order of the build.
    pub(crate) fn of(wanted: &[Transport]) -> Self {
        Self(ALL.into_iter().filter(|transport| wanted.contains(transport)).collect())
    }

    /// Whether it is one of them.
    pub(crate) fn speak(&self, transport: Transport) -> bool {
        self.0.contains(&transport)
    }

    /// All of them, best first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Transport> {
        self.0.iter().copied()
    }

    /// Where one of them stands.
    pub(crate) fn place(&self, transport: Transport) -> usize {
        self.0.iter().position(|it| *it == transport).unwrap_or(self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use meshwork_protocols::identity::Transport::{Quic, Tcp, Udp};

    use super::Transports;

    #[test]
    fn those_that_are_wanted_stand_in_the_order_in_which_they_are_tried() {
        let of = |wanted: &[_]| Transports::of(wanted).iter().collect::<Vec<_>>();
        assert_eq!(of(&[Tcp, Quic, Quic]), [Quic, Tcp]);
        assert_eq!(of(&[Tcp, Udp, Quic]), [Quic, Udp, Tcp]);
        assert_eq!(of(&[Tcp]), [Tcp]);
        assert_eq!(of(&[]), []);
        assert_eq!(Transports::default(), Transports::of(&[Udp, Tcp, Quic]));
        assert!(!Transports::of(&[Udp]).speak(Quic));
    }
}
