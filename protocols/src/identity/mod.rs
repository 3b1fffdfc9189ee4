//! Who an agent is, and how it proves it.
//!
//! A [`Root`], which can be kept off line, names an agent by the hash of its keys ([`AgentId`]) and
//! says in a signed [`Card`] which keys speak for it, where it is and what it can do. What a peer
//! sends is [`Unverified`] until its signatures are checked. Every signature is a [`hybrid`] one.
//! Knows nothing of sessions, of stores, nor of who is allowed what.

mod agent_id;
pub(crate) mod armour;
mod byte_array;
pub(crate) mod canonical;
pub mod card;
mod contact;
mod endorsement;
mod endpoint;
#[cfg(feature = "pure")]
#[cfg(test)]
pub(crate) mod fixture;
pub mod hybrid;
mod live_key;
mod name;
mod revocation;
mod root;
mod signing_pair;
mod statement;
mod supersession;
mod unverified;

pub use agent_id::{AgentId, AgentIdError};
pub use armour::ArmourError;
pub use canonical::EncodingError;
pub use card::{
    Address, AddressError, Capabilities, Card, CardBody, CardError, CardHash, CardPart, Protocol,
    Region, RegionError, Relay, Sequence, Service, Transport, Validity,
};
pub use contact::{Contact, ContactError};
pub use endorsement::{Endorsement, EndorsementError, Grant, MAX_LINKS};
pub use endpoint::{Endpoint, EndpointError, Host, HostName};
pub use hybrid::{HybridKey, HybridPublic, HybridSeeds, HybridSignature, Purpose};
pub use live_key::{LiveKey, LivePublic};
pub use name::{Name, NameError, Role, ServiceName};
pub use revocation::{Revocation, RevocationError, Scope};
pub use root::{Root, RootFileError, RootPublic};
pub use signing_pair::SigningPair;
pub use statement::StatementError;
pub use supersession::{CardMark, Newest, Supersession, supersede};
pub use unverified::{Unverified, Verifiable};
