//! Whole meshes of agents on a virtual clock, network and disk, with every promise checked.
//!
//! [`run`] takes a [`Scenario`] and a seed, and everything follows from them: real routers over
//! real states and real live sessions, in a world where all that can go wrong does. See
//! `docs/simulation.md` for what is simulated and what is not.
//!
//! - [`seeded`], [`queue`], [`clock`], [`network`], [`disk`]: the world.
//! - [`provider`], [`recorder`]: primitives that cost a microsecond, and a watch over any.
//! - [`quic`]: QUIC on virtual time.
//! - [`node`]: a machine, its agent and its driver; and, in `relay`, one with a relay.
//! - [`scenario`], [`world`], [`checker`], [`broken`]: what happens, and what must hold.

pub mod broken;
pub mod campaign;
pub mod checker;
pub mod clock;
pub mod disk;
pub mod happening;
pub mod mesh;
pub mod network;
pub mod node;
pub mod note;
pub mod provider;
pub mod queue;
pub mod quic;
pub mod recorder;
mod relay;
pub mod scenario;
pub mod seeded;
pub mod trace;
pub mod world;

pub use scenario::Scenario;
pub use world::{Options, Outcome, Primitives, run};
