//! How something was protected, in the words that the user reads.

use core::fmt;

use serde::{Deserialize, Serialize};

/// What an adversary would have to break.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub enum Strength {
    /// One classical scheme; a quantum computer does.
    Classical,
    /// A classical and a post-quantum scheme, both of them.
    Hybrid,
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classical => "classical",
            Self::Hybrid => "hybrid",
        })
    }
}

/// How a message was protected on its way.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Posture {
    /// Who could read it.
    pub encryption: Strength,
    /// Who could have forged it.
    pub authentication: Strength,
}

impl Posture {
    /// Hybrid in both.
    pub const HYBRID: Self =
        Self { encryption: Strength::Hybrid, authentication: Strength::Hybrid };
}

impl fmt::Display for Posture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} encryption, {} authentication", self.encryption, self.authentication)
    }
}
