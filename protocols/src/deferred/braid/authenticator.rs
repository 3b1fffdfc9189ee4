//! What keeps an agreement authentic: MACs under a key that follows from the session's secret and
//! from every agreement before. Who broke in and then only watched cannot put a key of his own into
//! an agreement that he could not read the one before of.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::BraidError;
use super::derivation::{NO_SALT, derive};
use crate::provider::Provider;
use crate::secret::Secret;

/// The keys of the agreement under way.
#[derive(Clone, Debug)]
pub(super) struct Authenticator {
    pub(super) root: Secret<32>,
    pub(super) mac: Secret<32>,
}

impl Authenticator {
    /// Before the first agreement of a session that this secret begins.
    pub(super) fn new(provider: &dyn Provider, key: &Secret<32>) -> Result<Self, BraidError> {
        let blank = Self { root: Secret::new([0; 32]), mac: Secret::new([0; 32]) };
        blank.update(provider, FIRST_EPOCH, key)
    }

    /// After the agreement of `epoch`, which came to `secret`.
    pub(super) fn update(
        &self,
        provider: &dyn Provider,
        epoch: u64,
        secret: &Secret<32>,
    ) -> Result<Self, BraidError> {
        let input = Zeroizing::new([*self.root.expose(), *secret.expose()]);
        let info = labelled("Authenticator Update", epoch);
        let [root, mac] = derive(provider, &NO_SALT, input.as_flattened(), &info)?;
        Ok(Self { root, mac })
    }

    /// The MAC of a KEM key's header.
    pub(super) fn header_mac(
        &self,
        provider: &dyn Provider,
        epoch: u64,
        header: &[u8],
    ) -> Secret<32> {
        provider.hmac_sha256(self.mac.expose(), &[&labelled("ekheader", epoch), header])
    }

    /// The MAC of a ciphertext.
    pub(super) fn ciphertext_mac(
        &self,
        provider: &dyn Provider,
        epoch: u64,
        halves: [&[u8]; 2],
    ) -> Secret<32> {
        let [ct1, ct2] = halves;
        provider.hmac_sha256(self.mac.expose(), &[&labelled("ciphertext", epoch), ct1, ct2])
    }
}

/// The secret of an epoch, out of the KEM's.
pub(super) fn epoch_secret(
    provider: &dyn Provider,
    epoch: u64,
    shared: &Secret<32>,
) -> Result<Secret<32>, BraidError> {
    let info = labelled("SCKA Key", epoch);
    let [secret] = derive(provider, &NO_SALT, shared.expose(), &info)?;
    Ok(secret)
}

/// The number of the first agreement.
pub(super) const FIRST_EPOCH: u64 = 1;

/// What a key or a MAC is for.
fn labelled(purpose: &str, epoch: u64) -> Vec<u8> {
    [b"Signal_PQCKA_V1_MLKEM768:", purpose.as_bytes(), &epoch.to_be_bytes()].concat()
}
