//! Opens the sockets that Meshwork speaks through; the only crate that does.
//!
//! A [`Connection`] is a stream of bytes to somebody: over TCP, or in memory between two ends of
//! one process. [`dial`] opens one, a [`Listener`] is dialled. It knows nothing of what the bytes
//! mean, nor who is at the other end.
//!
//! With the feature `quic`, a `Port` is one UDP socket for two: a `QuicEndpoint`, and the
//! `Datagrams` that are Meshwork's own.

#[cfg(feature = "quic")]
mod attempts;
mod connection;
mod dial;
mod listener;
pub mod loopback;
#[cfg(feature = "quic")]
mod port;
#[cfg(feature = "quic")]
mod quic;
mod race;
#[cfg(all(feature = "quic", unix))]
mod socket;
mod tcp;

pub use connection::{Connection, Reader, Writer};
pub use dial::{DialError, can_dial, dial, resolve};
pub use listener::Listener;
#[cfg(feature = "quic")]
pub use port::{Datagram, DatagramReceiver, DatagramSender, Datagrams, Port};
#[cfg(feature = "quic")]
pub use quic::{
    QUIC_STREAM_WINDOW, QUIC_STREAMS, QUIC_WINDOW, QUIC_WINDOW_BEFORE, QuicCode, QuicConnecting,
    QuicConnection, QuicDialError, QuicEndpoint, QuicError, QuicIncoming, QuicKeys, QuicReadError,
    QuicReceiver, QuicSender, QuicWriteError, quic_transport,
};
pub use race::race;
