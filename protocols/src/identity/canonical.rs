//! One encoding for each value: postcard, read strictly.
//!
//! A reader refuses trailing bytes and each encoding that the writer would not have produced
//! (overlong integers, unsorted or repeated entries of a set), so that two readers never see one
//! value behind different hashes. Knows nothing of what is encoded.

use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why bytes are not the encoding of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodingError {
    /// They do not decode.
    #[error("the bytes do not decode")]
    Malformed,
    /// Bytes stand behind the value.
    #[error("bytes follow the end")]
    TrailingBytes,
    /// They decode to a value that has another encoding.
    #[error("the value is not in its canonical encoding")]
    NotCanonical,
}

/// The encoding of `value`.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodingError> {
    postcard::to_allocvec(value).map_err(|_| EncodingError::Malformed)
}

/// The value that `bytes` are the encoding of. What it allocates is bounded by a small multiple of
/// their number, which the caller bounds.
pub(crate) fn decode<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, EncodingError> {
    let (value, rest) =
        postcard::take_from_bytes::<T>(bytes).map_err(|_| EncodingError::Malformed)?;
    if !rest.is_empty() {
        return Err(EncodingError::TrailingBytes);
    }
    if encode(&value)? != bytes {
        return Err(EncodingError::NotCanonical);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::{EncodingError, decode, encode};

    #[test]
    fn what_is_encoded_decodes() {
        let set = BTreeSet::from([1_u64, 300]);
        assert_eq!(decode::<BTreeSet<u64>>(&encode(&set).unwrap()), Ok(set));
    }

    #[test]
    fn each_other_encoding_of_a_value_is_refused() {
        let cases: [(&[u8], EncodingError); 5] = [
            (&[2, 1], EncodingError::Malformed),
            (&[1, 1, 0], EncodingError::TrailingBytes),
            (&[1, 0x81, 0x00], EncodingError::NotCanonical),
            (&[2, 2, 1], EncodingError::NotCanonical),
            (&[2, 1, 1], EncodingError::NotCanonical),
        ];
        for (bytes, expected) in cases {
            assert_eq!(decode::<BTreeSet<u64>>(bytes), Err(expected), "{bytes:?}");
        }
    }
}
