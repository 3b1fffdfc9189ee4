//! Each provider checks the other, on every primitive, with inputs drawn from a seed.
//!
//! Agreement is not correctness: the published vectors are in `interop-vectors`.
#![cfg(all(feature = "aws-lc-rs", feature = "pure"))]

#[cfg(test)]
mod aead;
#[cfg(test)]
mod deferred;
#[cfg(test)]
mod hashing;
#[cfg(test)]
mod kem;
#[cfg(test)]
mod seeded;
#[cfg(test)]
mod signature;
#[cfg(test)]
mod split_kem;
#[cfg(test)]
mod x25519;
