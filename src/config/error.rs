//! Why an agent did not start.

use std::io;
use std::net::{AddrParseError, SocketAddr};

use meshwork_state::{CreateError, OpenError, StoreError, UnlockKind};

use crate::own::OwnError;

/// Why an agent did not start.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The caller said neither where the state is nor that it is in memory.
    #[error("say where the state is, or that it is in memory")]
    NoPlace,
    /// The caller brought no crypto provider, and none is linked that is used by default.
    #[error("no crypto provider was given, and none is linked that is used by default")]
    NoProvider,
    /// The user has no data folder for the witness: say where it is to be kept.
    #[error("there is no data folder to keep the witness in; say where it is")]
    NoWitnessPlace,
    /// An address to listen on is not an address and a port.
    #[error("an address to listen on is not an IP address and a port: {0}")]
    ListenAddress(#[from] AddrParseError),
    /// Relays are named by an agent that speaks neither QUIC nor TCP: requests to them may be too
    /// large for UDP.
    #[error("a relay is reached over QUIC or TCP, and this agent speaks neither")]
    RelayTransport,
    /// The state asks for something that the caller did not bring.
    #[error("the state opens with {}", match .0 {
        UnlockKind::Passphrase => "a passphrase",
        _ => "a key file",
    })]
    UnlockWanted(UnlockKind),
    /// The key file of a new state was not written.
    #[error("the key file cannot be written: {0}")]
    KeyFile(io::ErrorKind),
    /// No state was made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The state did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The agent's own keys or card cannot be used.
    #[error(transparent)]
    Own(#[from] OwnError),
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// The agent cannot listen there.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::ErrorKind,
    },
    /// The runtime shut down meanwhile.
    #[error("the runtime shut down")]
    Cancelled,
}

impl StartError {
    pub(super) fn listen(address: SocketAddr, error: &io::Error) -> Self {
        Self::Listen { address, error: error.kind() }
    }

    /// Whether the same start can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        matches!(
            self,
            Self::Create(CreateError::Locked)
                | Self::Open(OpenError::Locked)
                | Self::Listen { .. }
                | Self::Cancelled
        )
    }
}
