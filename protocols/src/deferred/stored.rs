//! How records that hold secrets are encoded: as postcard, one encoding for each value, into memory
//! that is wiped. Secrets stand in them as byte strings, so that serde copies them whole and leaves
//! no part of one elsewhere.
//!
//! For `#[serde(with = "stored::..")]`. Knows nothing of what the bytes mean.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use postcard::ser_flavors::Flavor;
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserializer, Serialize, Serializer};

use crate::identity::EncodingError;
use crate::secret::{Secret, SecretBytes};

/// The encoding of `value` behind `prefix`.
pub(super) fn encode<T: Serialize>(prefix: &[u8], value: &T) -> Result<SecretBytes, EncodingError> {
    let mut record = SecretBytes::new(Vec::with_capacity(USUAL_LENGTH));
    record.extend(prefix);
    postcard::serialize_with_flavor(value, Writer(record)).map_err(|_| EncodingError::Malformed)
}

/// The value that `bytes` are the one encoding of, behind `prefix`.
pub(super) fn decode<T: DeserializeOwned + Serialize>(
    prefix: &[u8],
    bytes: &[u8],
) -> Result<T, EncodingError> {
    let encoded = bytes.strip_prefix(prefix).ok_or(EncodingError::Malformed)?;
    let (value, rest) = postcard::take_from_bytes(encoded).map_err(|_| EncodingError::Malformed)?;
    if !rest.is_empty() {
        return Err(EncodingError::TrailingBytes);
    }
    if encode(prefix, &value)?.expose() != bytes {
        return Err(EncodingError::NotCanonical);
    }
    Ok(value)
}

/// A record of one format: a format byte, then the value.
pub(super) fn decode_format<T: DeserializeOwned + Serialize>(
    format: u8,
    bytes: &[u8],
) -> Result<T, RecordError> {
    match bytes.first() {
        Some(first) if *first == format => {
            decode(&[format], bytes).map_err(|_| RecordError::Malformed)
        }
        Some(first) => Err(RecordError::UnsupportedFormat(*first)),
        None => Err(RecordError::Malformed),
    }
}

/// Why bytes are not a record. The store is damaged, or was written by a later version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A format that this version does not read.
    #[error("format {0} of a record is not one that this version reads")]
    UnsupportedFormat(u8),
    /// Not the encoding of a record.
    #[error("the record is damaged")]
    Malformed,
}

/// A [`Secret`].
pub(super) mod secret {
    use super::{Deserializer, Reader, Secret, Serializer};

    pub(in super::super) fn serialize<const N: usize, S: Serializer>(
        secret: &Secret<N>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(secret.expose())
    }

    pub(in super::super) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Secret<N>, D::Error> {
        deserializer.deserialize_bytes(Reader::new())
    }
}

/// [`SecretBytes`].
pub(super) mod secret_bytes {
    use super::{Deserializer, Reader, SecretBytes, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        secret: &SecretBytes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(secret.expose())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SecretBytes, D::Error> {
        deserializer.deserialize_bytes(Reader::new())
    }
}

/// Bytes that anybody may see.
pub(super) mod bytes {
    use alloc::vec::Vec;

    use super::{Deserializer, Reader, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        bytes: &[u8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_bytes(Reader::new())
    }
}

/// A [`Braid`], in its own encoding.
pub(super) mod braid {
    use serde::de::Error;

    use super::{Deserializer, Serializer};
    use crate::deferred::braid::Braid;

    pub(in super::super) fn serialize<S: Serializer>(
        braid: &Braid,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(braid.encode().expose())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Braid, D::Error> {
        let bytes = super::secret_bytes::deserialize(deserializer)?;
        Braid::decode(bytes.expose()).map_err(D::Error::custom)
    }
}

/// Writes to where a copy that is left behind is wiped.
struct Writer(SecretBytes);

impl Flavor for Writer {
    type Output = SecretBytes;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.extend(&[byte]);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<SecretBytes> {
        Ok(self.0)
    }
}

/// What a byte string can be read into.
trait FromBytes: Sized {
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl<const N: usize> FromBytes for Secret<N> {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes)
    }
}

impl FromBytes for SecretBytes {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self::new(bytes.to_vec()))
    }
}

impl FromBytes for Vec<u8> {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

struct Reader<T>(PhantomData<T>);

impl<T> Reader<T> {
    fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: FromBytes> Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes of the right length")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<T, E> {
        T::from_bytes(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
    }
}

/// Room for a session whose peer skipped nothing.
const USUAL_LENGTH: usize = 8 * 1024;
