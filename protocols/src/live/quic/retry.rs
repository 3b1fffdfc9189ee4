//! The tag of a Retry packet, which asks a client to show that it is where it says.
//!
//! As RFC 9001 section 5.8, with a key and a nonce of our own, and AES-256-GCM where it has
//! AES-128-GCM. Everybody can make it: it tells a Retry of this connection from noise.

use subtle::ConstantTimeEq;

use crate::provider::{Aead, Provider, TAG_LENGTH};
use crate::secret::Secret;

/// The key of every Retry's tag, which is no secret: SHA-256("meshwork quic 1 retry key").
pub const KEY: [u8; 32] = [
    0x17, 0x0f, 0x0e, 0x19, 0x7d, 0x1a, 0xc1, 0x5e, 0xb6, 0x73, 0x59, 0x9f, 0x26, 0x26, 0xfc, 0x50,
    0x95, 0x0b, 0x9e, 0x09, 0x61, 0x25, 0x77, 0x9c, 0x71, 0x7b, 0x6c, 0x22, 0xd4, 0x17, 0xb3, 0x7e,
];

/// The start of SHA-256("meshwork quic 1 retry nonce").
pub(super) const NONCE: [u8; 12] =
    [0x01, 0xd8, 0x13, 0xef, 0x88, 0xf7, 0x5f, 0x91, 0x0c, 0x12, 0x9d, 0xb3];

/// The tag over the connection id that the client chose first, and the packet without its tag.
pub(super) fn tag(
    provider: &dyn Provider,
    first_id: &[u8],
    packet: &[&[u8]],
) -> Option<[u8; TAG_LENGTH]> {
    let mut associated = alloc::vec![u8::try_from(first_id.len()).ok()?];
    associated.extend_from_slice(first_id);
    for part in packet {
        associated.extend_from_slice(part);
    }
    let key = provider.aead(Aead::Aes256Gcm, &Secret::new(KEY));
    key.seal_in_place(&NONCE, &associated, &mut []).ok()
}

/// Whether `payload`, behind `header`, ends with the tag.
pub(super) fn is_valid(
    provider: &dyn Provider,
    first_id: &[u8],
    header: &[u8],
    payload: &[u8],
) -> bool {
    let Some((token, shown)) = payload.split_last_chunk::<TAG_LENGTH>() else { return false };
    tag(provider, first_id, &[header, token]).is_some_and(|tag| tag.ct_eq(shown).into())
}
