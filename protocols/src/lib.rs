//! What Meshwork says on the wire and how it proves who speaks.
//!
//! Time, randomness and bytes come in as arguments: this crate is `no_std` in its own source, so
//! that a clock, a file or a socket does not compile here. It uses none of the other crates of the
//! workspace.
//!
//! - [`provider`]: the primitives, behind one trait, twice: `aws-lc-rs` and pure Rust.
//! - [`identity`]: roots, signing pairs, cards, the hybrid signature.
//! - [`live`]: hybrid Noise sessions with a peer that is online.
//! - [`deferred`]: messages to a peer that is away.
//! - [`fleet`]: groups that share one encrypted channel.
//! - [`relay`]: what an agent and a relay say to each other.
//! - [`wire`]: what travels inside a session: frames, messages, receipts.
#![no_std]
#![doc(test(attr(deny(warnings))))]
extern crate alloc;

pub mod deferred;
#[cfg(feature = "fleet")]
pub mod fleet;
pub mod identity;
pub mod lineage;
pub mod live;
pub mod posture;
pub mod provider;
pub mod random;
pub mod relay;
pub mod secret;
pub mod time;
pub mod wire;
