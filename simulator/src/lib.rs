//! Whole meshes of agents on a virtual clock, network and disk, with every promise checked.
//!
//! - [`seeded`]: every random choice, from one seed.
//! - [`provider`]: primitives with the real interfaces and sizes, about 1 us each.
//! - [`recorder`]: watches any provider for a key and nonce that seal twice.
//! - [`queue`], [`clock`], [`network`], [`trace`]: time, clocks, machines that reach each other or do not, and
//!   what happened.
//! - [`disk`]: what outlives a process, and fails.
//! - [`datagrams`], [`chain`]: what stands in for live sessions over UDP and for a ratchet.
//! - [`group_commit`]: the heart of a driver.

pub mod chain;
pub mod clock;
pub mod datagrams;
pub mod disk;
pub mod group_commit;
pub mod network;
pub mod provider;
pub mod queue;
pub mod recorder;
pub mod replay_window;
pub mod seeded;
pub mod trace;
