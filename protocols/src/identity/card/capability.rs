//! What an agent can do.

use alloc::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Transport;
use crate::identity::name::ServiceName;

/// What an agent can do, as its card says. It is no promise: a peer may still refuse.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Capabilities {
    /// The protocols it speaks.
    pub protocols: BTreeSet<Protocol>,
    /// The transports it can use, as a listener or as a dialler.
    pub transports: BTreeSet<Transport>,
    /// The services it offers.
    pub services: BTreeSet<Service>,
}

/// A protocol that carries messages. A later one comes in an extension field.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub enum Protocol {
    /// Sessions with a peer that is online.
    Live,
    /// A ratchet for a peer that is not.
    Deferred,
    /// Groups.
    Fleet,
}

/// A service with its version. Two versions of one are two services.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// Its version.
    pub version: u32,
}
