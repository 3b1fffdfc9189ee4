//! The bytes of the official client's format: a ratchet message, and the first message around it.
//!
//! Readers borrow what they read, and are as tolerant as the official client where it matters:
//! unknown fields and bytes behind a key are ignored. Knows nothing of keys and chains.

mod first_message;
mod protobuf;
mod ratchet_message;
mod service_address;

pub(super) use first_message::FirstFields;
pub use first_message::{FirstMessage, KemPart};
pub(super) use ratchet_message::RatchetHeader;
pub use ratchet_message::RatchetMessage;
pub use service_address::{ADDRESSES_LENGTH, ServiceAddress};

/// Why bytes are not a message of this format. Each is the fault of who made them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// There is no room for what each message has.
    #[error("the message is cut short")]
    TooShort,
    /// Longer than a message of this format can be.
    #[error("the message is longer than {MAX_PACKET} bytes")]
    TooLong,
    /// Another version of the format. The official client's third had no post-quantum part.
    #[error("version {0} is not one that is read here")]
    UnsupportedVersion(u8),
    /// The fields do not decode.
    #[error("the fields do not decode")]
    MalformedField,
    /// A field that each message has is not there.
    #[error("field {0} is missing")]
    MissingField(u32),
    /// Not a key of its kind.
    #[error("a key is not one of its kind")]
    MalformedKey,
    /// A KEM key or ciphertext of a type that names no suite.
    #[error("type byte 0x{0:02x} names no suite")]
    UnknownSuite(u8),
    /// Not a name and a device.
    #[error("the address is not a service address")]
    MalformedAddress,
}

/// The most bytes of a packet: a message of the largest body with its padding, an introduction and
/// everything around them.
pub const MAX_PACKET: usize = 1 << 21;

/// The version that stands in both nibbles of the first byte.
const VERSION: u8 = 4;

/// The first byte of what is written here.
const VERSION_BYTE: u8 = VERSION << 4 | VERSION;

/// Splits the first byte off. Only its high nibble says something.
fn split_version(bytes: &[u8]) -> Result<&[u8], WireError> {
    if bytes.len() > MAX_PACKET {
        return Err(WireError::TooLong);
    }
    match bytes.split_first() {
        Some((first, rest)) if first >> 4 == VERSION => Ok(rest),
        Some((first, _)) => Err(WireError::UnsupportedVersion(first >> 4)),
        None => Err(WireError::TooShort),
    }
}
