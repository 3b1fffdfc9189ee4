//! Messages to an agent that is away: sealed now, to keys that it published, and healing with every
//! message that follows.
//!
//! A handshake ([`handshake`]) begins a [`session`], whose messages go through the Double Ratchet
//! ([`ratchet`]) and the sparse post-quantum ratchet ([`braid`]), in the official client's format
//! ([`wire`]). A step takes a session and gives the packet or the plaintext with the session that
//! follows; who calls adopts that one, or leaves all as it was. Knows no clock, no store, and not
//! who may send.

pub mod agent;
pub mod braid;
pub mod curve_key;
#[cfg(feature = "pure")]
#[cfg(test)]
mod fixture;
pub mod handshake;
pub mod kem_key;
pub mod plain_bundle;
pub mod prekey_id;
pub mod ratchet;
pub mod session;
pub mod session_list;
mod stored;
pub mod suite;
pub mod wire;

pub use curve_key::{CurveKey, CurvePublic};
pub use kem_key::{KemKey, KemPublic};
pub use prekey_id::PrekeyId;
pub use stored::RecordError;
pub use suite::{Suite, UnknownSuite};
