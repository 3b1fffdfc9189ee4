//! Agents with real states and real sockets, as an application uses them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it set it up"
)]

mod away;
mod calls;
mod cancelled;
mod common;
mod delivery;
mod files;
mod groups;
mod hostile;
mod killed;
mod limits;
mod paths;
mod peers;
mod quic;
mod relaying;
mod relays;
mod restart;
mod restore;
mod strangers;
mod streams;
mod udp;
