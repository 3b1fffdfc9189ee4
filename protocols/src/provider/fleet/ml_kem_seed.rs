//! ML-KEM-768 key pairs from their seed, of both providers: aws-lc-rs draws its own.

use ml_kem::ml_kem_768::DecapsulationKey;
use ml_kem::{KeyExport, Seed};
use zeroize::Zeroize;

use crate::provider::KemKeyPair;
use crate::secret::{Secret, SecretBytes};

pub(super) fn expand(seed: &Secret<64>) -> KemKeyPair {
    let mut copy = Seed::default();
    copy.copy_from_slice(seed.expose());
    let key = DecapsulationKey::from_seed(copy);
    copy.zeroize();
    #[allow(deprecated, reason = "the one encoding that aws-lc imports")]
    let mut expanded = ml_kem::ExpandedKeyEncoding::to_expanded_bytes(&key);
    let secret = SecretBytes::new(expanded.to_vec());
    expanded.zeroize();
    KemKeyPair { public: key.encapsulation_key().to_bytes().to_vec(), secret }
}
