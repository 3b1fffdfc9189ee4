//! QUIC whose handshake is Noise: what takes the place of TLS in it, and the session on top.
//!
//! quinn-proto carries packets, streams, loss and congestion; it asks a trait for keys. These are
//! that trait's implementations over the same handshake as everywhere else, so that QUIC adds no
//! second identity and no second key exchange:
//!
//! ```text
//! Initial    client: suite, Noise message 1 (protocol, transport parameters)
//! Initial    server: Noise message 2 (protocol, transport parameters, sealed)
//! Handshake  server: marker              keys: Noise's split after message 2
//! Handshake  client: Noise message 3
//! 1-RTT      both                        keys: Noise's final split, moved on by key updates
//! ```
//!
//! - [`NoiseClient`], [`NoiseServer`]: what a connection is made with; `handshake` is the state
//!   between.
//! - `protection`: packet and header keys from Noise's secrets, by rustls. `initial` and `retry` are
//!   QUIC's own, under a version of ours.
//! - `tls_control`, behind a feature: TLS 1.3 in the same place, to be compared with.
//! - [`QuicSession`]: Hello, and then frames, on the first stream of a connection.
//!
//! A version of its own keeps this apart from every QUIC that somebody else speaks.

mod client;
mod frames;
mod handshake;
mod initial;
mod negotiation;
mod protection;
mod refusal;
mod retry;
mod server;
mod session;
#[cfg(feature = "tls-control")]
mod tls_control;

pub use client::NoiseClient;
pub use refusal::Refusal;
pub use retry::KEY as RETRY_KEY;
pub use server::NoiseServer;
pub use session::QuicSession;
#[cfg(feature = "tls-control")]
pub use tls_control::{TLS_QUIC_VERSION, TlsControl, TlsError};

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::suite::Suite;
use crate::identity::Transport;
use crate::random::Random;

/// Our version of QUIC: "MW", and a number. Not one of those that IETF reserves (RFC 9000, section
/// 15), so that no other QUIC takes it for its own.
pub const QUIC_VERSION: u32 = 0x4d57_0001;

/// Gives a source of randomness for one handshake.
pub type Randomness = Arc<dyn Fn() -> Box<dyn Random> + Send + Sync>;

/// What the handshake binds beside its messages: the version of QUIC, and the suite.
fn prologue(suite: Suite) -> Vec<u8> {
    let [a, b, c, d] = QUIC_VERSION.to_be_bytes();
    super::handshake::prologue(Transport::Quic, suite, &[a, b, c, d, suite.byte()])
}

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
