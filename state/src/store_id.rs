//! The name of one store.

use std::fmt;

use data_encoding::HEXLOWER;
use meshwork_protocols::random::Random;
use serde::{Deserialize, Serialize};

/// What a store drew when it was made. It names the witness and binds every record.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct StoreId([u8; 16]);

impl StoreId {
    /// Draws a fresh one.
    pub fn random(random: &mut dyn Random) -> Self {
        Self(random.array())
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}
