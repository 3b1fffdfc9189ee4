//! What two ends tell each other of the history of their states, so that a restored or cloned one
//! is recognised. Compares nothing: that is the router's.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// One start of an agent on its state, by the number that the start drew and made durable.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Incarnation([u8; 16]);

impl Incarnation {
    /// What the first start of a state has for a parent.
    pub const NONE: Self = Self([0; 16]);

    /// Draws a fresh one.
    pub fn random(random: &mut dyn Random) -> Self {
        Self(random.array())
    }

    /// The incarnation with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Where a state stands: which start runs on it, which start came before, and how far it got.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lineage {
    /// The start that runs now.
    pub incarnation: Incarnation,
    /// The start before it on the same state, or [`Incarnation::NONE`].
    pub parent: Incarnation,
    /// The last commit that is durable; it only grows, over all starts.
    pub number: u64,
}
