//! The one wrapper of everything that must not be seen: wiped on drop, not `Copy`, silent in
//! `Debug`, compared in constant time.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, optimization_barrier};

use crate::random::Random;

/// A secret of a fixed length. It lives on the heap, so that a move leaves no copy behind.
#[derive(Clone)]
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Takes `bytes`; the caller's copy is its own to wipe.
    pub fn new(bytes: [u8; N]) -> Self {
        Self(Box::new(bytes))
    }

    /// Draws a secret from `random`.
    pub fn random(random: &mut dyn Random) -> Self {
        let mut secret = Self::new([0; N]);
        random.fill(secret.0.as_mut_slice());
        secret
    }

    /// Copies a slice of just this length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        <&[u8; N]>::try_from(bytes).ok().map(Self::from)
    }

    /// The bytes, for a primitive to use.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes, for a primitive to fill.
    pub fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

/// Copies, leaving none on the stack.
impl<const N: usize> From<&[u8; N]> for Secret<N> {
    fn from(bytes: &[u8; N]) -> Self {
        let mut secret = Self::new([0; N]);
        secret.0.copy_from_slice(bytes);
        secret
    }
}

/// Wiped by plain stores in front of a barrier: those that zeroize makes byte by byte take longer
/// than most of what is done with a secret.
impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.fill(0);
        optimization_barrier(&*self.0);
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret<{N}>(..)")
    }
}

/// A secret whose length is known only when it is made.
#[derive(Clone, Default)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the vector over. One that has grown may have left copies; give it with the right
    /// capacity from the start.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for a primitive to use.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, for a primitive to fill.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Adds bytes behind. Where the vector has no room for them it moves, and the old place is wiped.
    pub fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut moved = Vec::with_capacity(needed.max(2 * self.0.capacity()));
            moved.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = moved;
        }
        self.0.extend_from_slice(bytes);
    }

    /// Keeps the first `length` bytes and wipes the rest.
    pub fn truncate(&mut self, length: usize) {
        if let Some(rest) = self.0.get_mut(length..) {
            rest.zeroize();
        }
        self.0.truncate(length);
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The room behind the bytes too: there may have been more of them.
impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.fill(0);
        self.0.resize(self.0.capacity(), 0);
        optimization_barrier(self.0.as_slice());
    }
}

impl Eq for SecretBytes {}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use super::{Secret, SecretBytes};

    #[test]
    fn debug_shows_no_byte_of_a_secret() {
        assert_eq!(format!("{:?}", Secret::new([0xab; 32])), "Secret<32>(..)");
        assert_eq!(format!("{:?}", SecretBytes::new(vec![0xab; 3])), "SecretBytes(3 bytes)");
    }
}
