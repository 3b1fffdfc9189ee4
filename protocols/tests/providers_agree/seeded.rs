//! The providers, in pairs, and repeatable randomness.

use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;

pub(crate) const PROVIDERS: [&dyn Provider; 2] = [&AwsLc, &Pure];
/// Who makes and who checks, both ways.
pub(crate) const PAIRS: [(&dyn Provider, &dyn Provider); 2] = [(&AwsLc, &Pure), (&Pure, &AwsLc)];

/// SplitMix64, which counts what it gives.
#[derive(Debug)]
pub(crate) struct Seeded {
    state: u64,
    pub(crate) given: usize,
}

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, given: 0 }
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        self.fill(&mut out);
        out
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        (self as &mut dyn Random).array()
    }

    pub(crate) fn secret(&mut self) -> Secret<32> {
        Secret::random(self)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self as &mut dyn Random).below(bound.try_into().unwrap()).try_into().unwrap()
    }

    /// The same bytes with one bit changed.
    pub(crate) fn flip(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        let place = self.below(bytes.len());
        changed[place] ^= 1 << self.below(8);
        changed
    }
}

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.given += out.len();
        for chunk in out.chunks_mut(8) {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}
