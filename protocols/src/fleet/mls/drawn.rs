//! Randomness that was drawn once and is spread over one operation.
//!
//! openmls asks for it through a shared reference, and seals to many members on several threads at
//! once. So that one seed decides every byte whatever the order of threads, what a sealing draws
//! hangs on what is sealed to whom, and all else on a count.

use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use openmls_traits::random::OpenMlsRand;

use crate::fleet::hpke;
use crate::provider::FleetProvider;
use crate::random::Random;
use crate::secret::Secret;

/// Randomness of one operation, as openmls asks for it.
pub(in super::super) struct Drawn<'a> {
    provider: &'a dyn FleetProvider,
    key: Secret<32>,
    count: AtomicU64,
}

impl<'a> Drawn<'a> {
    pub(super) fn new(provider: &'a dyn FleetProvider, key: Secret<32>) -> Self {
        Self { provider, key, count: AtomicU64::new(0) }
    }

    fn fill(&self, out: &mut [u8]) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        fill(self.provider, &self.key, number, out);
    }
}

impl OpenMlsRand for Drawn<'_> {
    type Error = Infallible;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Infallible> {
        let mut out = [0; N];
        self.fill(&mut out);
        Ok(out)
    }

    fn random_vec(&self, length: usize) -> Result<Vec<u8>, Infallible> {
        let mut out = vec![0; length];
        self.fill(&mut out);
        Ok(out)
    }
}

impl fmt::Debug for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drawn(..)")
    }
}

/// Randomness of one sealing. The same plaintext to the same key under the same info gives the same
/// bytes within one operation, and nothing else does.
pub(super) struct Sealing<'a> {
    provider: &'a dyn FleetProvider,
    key: Secret<32>,
    count: u64,
}

impl<'a> Sealing<'a> {
    pub(super) fn new(
        provider: &'a dyn FleetProvider,
        key: &Secret<32>,
        parts: [&[u8]; 4],
    ) -> Self {
        let lengths = parts.map(|part| (part.len() as u64).to_be_bytes());
        let [a, b, c, d] = parts;
        let [la, lb, lc, ld] = &lengths;
        let key = provider.hmac_sha256(key.expose(), &[la, a, lb, b, lc, c, ld, d]);
        Self { provider, key, count: 0 }
    }
}

impl Random for Sealing<'_> {
    fn fill(&mut self, out: &mut [u8]) {
        fill(self.provider, &self.key, self.count, out);
        self.count += 1;
    }
}

impl fmt::Debug for Sealing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing(..)")
    }
}

/// Fills `out` block by block, each from its own number.
fn fill(provider: &dyn FleetProvider, key: &Secret<32>, number: u64, out: &mut [u8]) {
    for (block, chunk) in (0_u64..).zip(out.chunks_mut(MOST_OF_EXPAND)) {
        let info = [number.to_be_bytes(), block.to_be_bytes()].concat();
        // Fails on longer chunks alone.
        let _ = hpke::expand(provider, key.expose(), &info, chunk);
    }
}

/// What HKDF-Expand gives at most.
const MOST_OF_EXPAND: usize = 255 * 32;
