//! What the checks share: the providers, and secrets and randomness that a vector gives.

use meshwork_interop_vectors::Hex;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;

pub(crate) const PROVIDERS: [&dyn Provider; 2] = [&AwsLc, &Pure];

/// The bytes of a vector as randomness, in their order and no more than they are.
#[derive(Debug)]
pub(crate) struct Given(Vec<u8>);

impl Given {
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        Self(parts.concat())
    }
}

impl Random for Given {
    fn fill(&mut self, out: &mut [u8]) {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
    }
}

pub(crate) fn secret(hex: &Hex) -> Secret<32> {
    Secret::from_slice(hex).unwrap()
}

/// A file that says yes to all, or no, would pass a check that always does.
pub(crate) fn assert_both_verdicts(verdicts: impl Iterator<Item = bool>) {
    let verdicts: Vec<bool> = verdicts.collect();
    assert!(verdicts.contains(&true) && verdicts.contains(&false));
}
