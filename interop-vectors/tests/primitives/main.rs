//! Both providers against known answers.

#[cfg(test)]
mod accumulated;
#[cfg(test)]
mod aead;
#[cfg(test)]
mod derivation;
#[cfg(test)]
mod ed25519;
#[cfg(test)]
mod given;
#[cfg(test)]
mod ml_dsa;
#[cfg(test)]
mod ml_kem;
#[cfg(test)]
mod x25519;
