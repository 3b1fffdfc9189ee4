//! A bundle of the official client's kind: the keys of one device, each signed by XEdDSA alone.
//!
//! There is no one encoding of such a bundle; whoever fetches one brings its parts.

use super::curve_key::CurvePublic;
use super::handshake::Offer;
use super::kem_key::KemPublic;
use super::prekey_id::PrekeyId;
use super::suite::Suite;
use crate::provider::{CryptoError, DeferredProvider, XEDDSA_LENGTH};

/// The parts of a bundle, which nobody has checked.
#[derive(Clone, Debug)]
pub struct PlainBundle {
    /// Whose it is.
    pub identity: CurvePublic,
    /// The signed prekey with its number and signature.
    pub signed: (PrekeyId, CurvePublic, [u8; XEDDSA_LENGTH]),
    /// The KEM prekey with its number and signature.
    pub kem: (PrekeyId, KemPublic, [u8; XEDDSA_LENGTH]),
    /// A one-time prekey, which nobody signed.
    pub one_time: Option<(PrekeyId, CurvePublic)>,
}

impl PlainBundle {
    /// What it offers, if both signatures are by its identity, which must be the one pinned.
    pub fn verify(
        self,
        provider: &dyn DeferredProvider,
        pinned: &CurvePublic,
    ) -> Result<Offer, PlainBundleError> {
        // 1. Nothing in the bundle says whose the identity is: the contact was pinned by hand.
        if self.identity != *pinned {
            return Err(PlainBundleError::WrongIdentity);
        }
        // 2. The suite is the one in which such bundles exist.
        let (signed_id, signed, signature) = self.signed;
        let (kem_id, kem, kem_signature) = self.kem;
        if kem.suite() != Suite::Kyber1024 {
            return Err(PlainBundleError::WrongSuite);
        }
        // 3. Both keys are signed, type bytes included.
        let bad = |_: CryptoError| PlainBundleError::BadSignature;
        self.identity.verify(provider, &signed.encode(), &signature).map_err(bad)?;
        self.identity.verify(provider, &kem.encode(), &kem_signature).map_err(bad)?;
        Ok(Offer {
            identity: self.identity,
            signed: (signed_id, signed),
            kem: (kem_id, kem),
            one_time: self.one_time,
        })
    }
}

/// Why a plain bundle is none to go by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlainBundleError {
    /// Its identity is not the one that the user pinned.
    #[error("the bundle is not of the identity that was pinned")]
    WrongIdentity,
    /// Its KEM key is of the suite of our own agents, whose bundles are signed whole.
    #[error("the bundle's KEM key is not of suite 0x08")]
    WrongSuite,
    /// A signature does not verify.
    #[error("a signature of the bundle does not verify")]
    BadSignature,
}
