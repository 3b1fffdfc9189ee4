//! Where an agent listens.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::identity::endpoint::{Endpoint, EndpointError};

/// A transport and an endpoint, as `tcp:127.0.0.1:7400`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Address {
    /// What is spoken there.
    pub transport: Transport,
    /// Where it is.
    pub endpoint: Endpoint,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.endpoint)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (transport, endpoint) = text.split_once(':').ok_or(AddressError::NoTransport)?;
        Ok(Self { transport: transport.parse()?, endpoint: endpoint.parse()? })
    }
}

/// A transport that live sessions run over. A card of this format names no other; a later one
/// comes in an extension field, which readers of this format pass over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub enum Transport {
    /// Records over TCP.
    Tcp,
    /// QUIC.
    Quic,
    /// Datagrams of our own.
    Udp,
}

impl Transport {
    /// Whether nothing is lost or overtaken while a session stands.
    pub const fn is_reliable(self) -> bool {
        match self {
            Self::Tcp | Self::Quic => true,
            Self::Udp => false,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Quic => "quic",
            Self::Udp => "udp",
        })
    }
}

impl FromStr for Transport {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "quic" => Ok(Self::Quic),
            "udp" => Ok(Self::Udp),
            _ => Err(AddressError::UnknownTransport),
        }
    }
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is no `transport:` at the start.
    #[error("the transport is missing: write tcp:host:port")]
    NoTransport,
    /// A transport that is none of ours.
    #[error("the transport is none of tcp, quic, udp")]
    UnknownTransport,
    /// What follows the transport is not an endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}
