//! A transport, as it is named on the command line.

use clap::ValueEnum;
use meshwork::control;

/// A transport.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Via {
    Quic,
    Udp,
    Tcp,
}

impl From<Via> for control::Via {
    fn from(via: Via) -> Self {
        match via {
            Via::Quic => Self::Quic,
            Via::Udp => Self::Udp,
            Via::Tcp => Self::Tcp,
        }
    }
}
