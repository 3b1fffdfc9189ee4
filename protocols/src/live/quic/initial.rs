//! Keys of Initial packets: everybody can make them, so that they keep off noise and no more.
//!
//! As RFC 9001 section 5.2, with a salt and labels of our own, and AES-256-GCM where it has
//! AES-128-GCM.

use alloc::sync::Arc;

use quinn_proto::crypto::Keys;
use quinn_proto::{ConnectionId, Side};

use super::protection::{Protection, Secrets, expand, role};
use crate::live::suite::Suite;
use crate::provider::Provider;

/// The start of SHA-256("meshwork quic 1 salt").
pub(super) const SALT: [u8; 20] = [
    0x07, 0x7b, 0xd3, 0x17, 0x38, 0x37, 0xf0, 0x23, 0x19, 0xbb, 0x21, 0x8a, 0x2a, 0x63, 0x77, 0xc4,
    0xaf, 0x3f, 0x7b, 0x6c,
];

/// Makes them.
pub(super) struct InitialProtection {
    provider: Arc<dyn Provider>,
    protection: Protection,
}

impl InitialProtection {
    pub(super) fn new(provider: Arc<dyn Provider>) -> Option<Self> {
        let protection = Protection::of(Arc::clone(&provider), Suite::AesGcm)?;
        Some(Self { provider, protection })
    }

    /// For the connection whose client chose `id` for the server.
    pub(super) fn keys(&self, id: &ConnectionId, side: Side) -> Keys {
        // HKDF-Extract.
        let initial = self.provider.hmac_sha256(&SALT, &[id]);
        let secret = |label| expand(self.provider.as_ref(), &initial, label, 32);
        self.protection.keys(&Secrets::of(role(side), secret(b"client in"), secret(b"server in")))
    }
}
