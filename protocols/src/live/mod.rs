//! Hybrid Noise sessions with a peer that is online.
//!
//! Bytes, time and randomness come in as arguments; no socket is opened here. The same pieces serve
//! every transport. [`TcpSession`] puts them together for a byte stream, [`UdpEndpoint`] for datagrams:
//!
//! - [`suite`], [`handshake`]: the Noise handshake, and the keys and the hash that it leaves.
//! - [`dial`], [`exchange`], [`hello`], [`card_fetch`]: who is at the other end. A [`Local`] is the
//!   agent at this one, a [`Directory`] what its node knows.
//! - [`record`], [`cipher_state`]: frames inside a byte stream.
//! - [`stream`]: streams of bytes over the frames of a session.
//! - [`call`]: requests and their answers. [`datagram`]: what may be lost.
//! - [`admission`]: who may try to prove itself.
//! - `quic`, a feature: the handshake as QUIC's own, and frames inside a QUIC stream.
//! - [`session`]: what a driver sees of it all. [`traffic`]: whom a frame is for.

pub mod admission;
pub mod call;
pub mod card_fetch;
pub mod cipher_state;
pub mod datagram;
pub mod dial;
pub mod directory;
pub mod exchange;
#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod fixture;
mod framer;
pub mod handshake;
pub mod hello;
pub mod local;
pub mod patience;
#[cfg(feature = "quic")]
pub mod quic;
pub mod record;
mod resolver;
pub mod session;
pub mod stream;
pub mod suite;
pub mod tcp;
pub mod traffic;
pub mod udp;

pub use dial::Dial;
pub use directory::Directory;
pub use handshake::Role;
pub use hello::PeerInfo;
pub use local::{Local, LocalError};
pub use session::{Fault, SendError, SessionError, SessionEvent};
pub use suite::Suite;
pub use tcp::TcpSession;
pub use traffic::Traffic;
pub use udp::UdpEndpoint;
