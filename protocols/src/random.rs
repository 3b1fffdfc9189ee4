//! Randomness, as an argument. A provider brings the system's; a test brings its own.

use core::fmt;

#[cfg(test)]
pub(crate) mod fixture;

/// A source of random bytes.
pub trait Random: fmt::Debug + Send {
    /// Fills `out`.
    ///
    /// There is no error: a system that cannot give randomness can make no key, and its provider
    /// stops the process rather than return bytes that somebody might use.
    fn fill(&mut self, out: &mut [u8]);
}

impl dyn Random + '_ {
    /// That many random bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A random number below `bound`; zero for a bound of zero. The bias is below 2^-32.
    pub fn below(&mut self, bound: u32) -> u32 {
        let draw = u128::from(u64::from_le_bytes(self.array()));
        u32::try_from((draw * u128::from(bound)) >> 64).unwrap_or(0)
    }
}
