//! Sessions over datagrams, which may be lost, doubled, reordered, changed and made up.
//!
//! A [`UdpEndpoint`] holds all sessions of one socket: datagrams, time and randomness come in,
//! datagrams and events go out. Each of the first two handshake messages is one datagram; whatever
//! does not hold gets silence, is counted, and changes nothing.
//!
//! - [`packet`]: the datagrams; [`content`]: what is sealed in one.
//! - `initiator`, `responder`, `opening`, `greeting`: from message 1 until the peer is accepted.
//! - `session`: a session that stands, with `keys`, [`replay_window`], `route`, `pace`, `received`,
//!   `assembly`, `liveness`.
//! - `endpoint`, `lobby`, `cookie`, [`Caps`]: who is found, and who is let in.

mod allowance;
mod assembly;
mod caps;
pub mod content;
mod cookie;
mod endpoint;
mod greeting;
mod initiator;
mod keys;
mod liveness;
mod lobby;
mod opening;
mod out;
mod pace;
pub mod packet;
mod parts;
mod received;
pub mod replay_window;
mod responder;
mod retry;
mod route;
mod session;
mod tally;
mod timers;

pub use assembly::{Assembly, MAX_UDP_CLEAR, MAX_UDP_FRAME};
pub use caps::Caps;
pub use endpoint::{SessionIndex, UdpEndpoint};
pub use out::{Transmit, UdpEvent};
pub use packet::MAX_DATAGRAM;
pub use session::{MAX_WAITING, RENEW_AFTER_TIME};
pub use tally::{Ignored, UdpTally};

#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod tests;
