//! The router's rules, each held by two agents over stores in memory.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod away;
mod common;
mod delivery;
mod fleets;
mod order;
mod peers;
mod relays;
mod sessions;
mod stored;
