//! Byte arrays longer than serde's derives know, encoded as their bytes and nothing else.
//!
//! For `#[serde(with = "byte_array")]`. Knows nothing of what the bytes mean.

use alloc::boxed::Box;
use core::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserializer, Serializer};

pub(super) fn serialize<const N: usize, S: Serializer>(
    bytes: &[u8; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(N)?;
    for byte in bytes {
        tuple.serialize_element(byte)?;
    }
    tuple.end()
}

pub(super) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Box<[u8; N]>, D::Error> {
    deserializer.deserialize_tuple(N, Bytes::<N>)
}

struct Bytes<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for Bytes<N> {
    type Value = Box<[u8; N]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut bytes = Box::new([0; N]);
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte =
                sequence.next_element()?.ok_or_else(|| A::Error::invalid_length(index, &self))?;
        }
        Ok(bytes)
    }
}
