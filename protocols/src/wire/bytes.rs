//! Bytes that are encoded in one piece: as a sequence they would come to the same encoding, one
//! byte at a time, which for a body of some kilobytes is most of the work.
//!
//! For `#[serde(with = "bytes")]`. Knows nothing of what the bytes mean.

use alloc::vec::Vec;
use core::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

/// Writes the length and the bytes.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Reads the length and the bytes.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_bytes(Bytes)
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use serde::{Deserialize, Serialize};

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct InOnePiece {
        #[serde(with = "super")]
        bytes: Vec<u8>,
        behind: u64,
    }

    #[derive(Serialize)]
    struct OneByOne {
        bytes: Vec<u8>,
        behind: u64,
    }

    #[test]
    fn the_encoding_is_that_of_a_sequence() {
        for length in [0, 1, 127, 128, 16_384] {
            let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
            let encoded = postcard::to_allocvec(&OneByOne { bytes: bytes.clone(), behind: 300 });
            let encoded = encoded.unwrap();
            let whole = InOnePiece { bytes, behind: 300 };
            assert_eq!(postcard::to_allocvec(&whole).unwrap(), encoded);
            assert_eq!(postcard::from_bytes::<InOnePiece>(&encoded).unwrap(), whole);
        }
        let longer_than_it_is = vec![3, 1, 2];
        assert!(postcard::from_bytes::<InOnePiece>(&longer_than_it_is).is_err());
    }
}
