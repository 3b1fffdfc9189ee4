//! Hybrid Noise sessions with a peer that is online.
//!
//! Bytes, time and randomness come in as arguments; no socket is opened here.
//!
//! - [`suite`], [`handshake`]: the Noise handshake, the same on every transport.
//! - [`record`], [`cipher_state`]: frames inside a byte stream, for TCP.

pub mod cipher_state;
pub mod dh_key;
#[cfg(test)]
mod fixture;
pub mod handshake;
pub mod record;
mod resolver;
pub mod suite;
