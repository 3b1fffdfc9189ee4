//! SHA-3 and SHAKE of both providers: aws-lc offers SHAKE to nobody.

use sha3::{Digest, Sha3_256};
use shake::Shake256;
use shake::digest::{ExtendableOutput, Update, XofReader};
use zeroize::Zeroize;

use crate::secret::Secret;

pub(in super::super) fn sha3_256(parts: &[&[u8]]) -> Secret<32> {
    let mut hash = Sha3_256::new();
    for part in parts {
        Digest::update(&mut hash, part);
    }
    let mut digest = hash.finalize();
    let secret = Secret::from(&digest.0);
    digest.zeroize();
    secret
}

/// As long as `out`.
#[cfg(feature = "fleet")]
pub(in super::super) fn shake256_into(input: &[u8], out: &mut [u8]) {
    let mut hash = Shake256::default();
    hash.update(input);
    hash.finalize_xof().read(out);
}

pub(in super::super) fn shake256(parts: &[&[u8]]) -> Secret<32> {
    let mut hash = Shake256::default();
    for part in parts {
        hash.update(part);
    }
    let mut out = Secret::new([0; 32]);
    hash.finalize_xof().read(out.expose_mut());
    out
}
