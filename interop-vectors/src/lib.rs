//! Vectors made by others, and the types that they load into.
//!
//! The data is compiled in, so that a missing file is an error of the build; one that is malformed,
//! empty or has a field that nobody reads is an error of the load. The checks are the tests of this
//! crate. Where each file comes from stands in `README.md`. Knows nothing of the code under test.
//!
//! - [`deferred`]: how sessions between our own agents begin.
//! - [`identity`]: an agent's id, cards and revocations.
//! - [`lines`]: how the test peers are talked to.
//! - [`noise`]: whole handshakes of the live suite.
//! - [`primitives`]: known answers of single primitives.
//! - [`ratchet`]: what the official client of deferred messages sent and stored.

pub mod deferred;
pub mod fleet;
pub mod identity;
pub mod lines;
pub mod noise;
pub mod primitives;
pub mod ratchet;

use core::ops::Deref;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

/// Bytes that a file writes in hexadecimal.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hex(Vec<u8>);

impl Hex {
    /// The bytes as an array of just this length.
    pub fn array<const N: usize>(&self) -> Option<[u8; N]> {
        self.0.as_slice().try_into().ok()
    }
}

impl Deref for Hex {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map(Self).map_err(D::Error::custom)
    }
}

/// Why a file of vectors does not load. Each is a fault of the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// The file is not of its type's form.
    #[error("{file} is malformed")]
    Malformed {
        /// The file, below `data`.
        file: &'static str,
        /// Where and how.
        source: serde_json::Error,
    },
    /// The file does not say where it comes from, or under which licence.
    #[error("{file} does not state its origin and licence")]
    Unattributed {
        /// The file, below `data`.
        file: &'static str,
    },
    /// The file has no case, and would pass every check.
    #[error("{file} has no case")]
    Empty {
        /// The file, below `data`.
        file: &'static str,
    },
}

/// A file of cases.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile<T> {
    origin: String,
    licence: String,
    cases: Vec<T>,
}

fn load<T: DeserializeOwned>(file: &'static str, text: &str) -> Result<Vec<T>, VectorError> {
    let read: CaseFile<T> =
        serde_json::from_str(text).map_err(|source| VectorError::Malformed { file, source })?;
    if read.origin.is_empty() || read.licence.is_empty() {
        return Err(VectorError::Unattributed { file });
    }
    if read.cases.is_empty() {
        return Err(VectorError::Empty { file });
    }
    Ok(read.cases)
}

#[cfg(test)]
mod tests {
    use super::{Hex, VectorError, load};

    #[test]
    fn a_file_that_would_check_nothing_does_not_load() {
        let whole = r#"{"origin": "there", "licence": "free", "cases": ["00"]}"#;
        assert_eq!(load::<Hex>("a file", whole).unwrap().len(), 1);

        let error = |from, to| load::<Hex>("a file", &whole.replace(from, to)).unwrap_err();
        assert!(matches!(error("\"00\"", ""), VectorError::Empty { .. }));
        assert!(matches!(error("there", ""), VectorError::Unattributed { .. }));
        assert!(matches!(error("free", ""), VectorError::Unattributed { .. }));
        assert!(matches!(error("origin", "source"), VectorError::Malformed { .. }));
        assert!(matches!(error("{", "{\"unread\": 1, "), VectorError::Malformed { .. }));
    }

    #[test]
    fn hex_takes_either_case_and_nothing_else() {
        let hex: Hex = serde_json::from_str("\"00fFAb\"").unwrap();
        assert_eq!(*hex, [0x00, 0xff, 0xab]);
        assert_eq!(hex.array(), Some([0x00, 0xff, 0xab]));
        assert_eq!(hex.array::<2>(), None);
        for wrong in ["\"0\"", "\"0g\"", "\"0x00\"", "0"] {
            assert!(serde_json::from_str::<Hex>(wrong).is_err(), "{wrong}");
        }
    }
}
