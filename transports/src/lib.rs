//! Opens the sockets that Meshwork speaks through; the only crate that does.
//!
//! A [`Connection`] is a stream of bytes to somebody: over TCP, or in memory between two ends of
//! one process. [`dial`] opens one, a [`Listener`] is dialled. It knows nothing of what the bytes
//! mean, nor who is at the other end. QUIC and UDP join where [`dial`] looks at the transport of an
//! address.

mod connection;
mod dial;
mod listener;
pub mod loopback;
mod race;
mod tcp;

pub use connection::{Connection, Reader, Writer};
pub use dial::{DialError, can_dial, dial};
pub use listener::Listener;
pub use race::race;
