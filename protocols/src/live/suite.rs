//! The Noise suites that a live session can run, and which of them two agents use.

use alloc::borrow::ToOwned;
use alloc::vec;

use snow::params::{
    BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifier, HandshakeModifierList,
    HandshakePattern, HashChoice, KemChoice, NoiseParams,
};

use crate::provider::Aead;

/// A hybrid Noise suite: X25519 and ML-KEM-768 for the keys, SHA-256, and one of two ciphers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Suite {
    /// `Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256`.
    ChaChaPoly,
    /// `Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256`.
    AesGcm,
}

impl Suite {
    /// All of them, in the order of their bytes.
    pub const ALL: [Self; 2] = [Self::ChaChaPoly, Self::AesGcm];

    /// The byte that names it: the type byte of message 1, and its number in a card.
    pub const fn byte(self) -> u8 {
        match self {
            Self::ChaChaPoly => 0x01,
            Self::AesGcm => 0x02,
        }
    }

    /// The suite that `byte` names.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::ChaChaPoly),
            0x02 => Some(Self::AesGcm),
            _ => None,
        }
    }

    /// Its name in Noise, which the handshake hashes. Noise section 8.2 allows no hyphen in it, so
    /// that ML-KEM-768 is spelled as here.
    pub const fn noise_name(self) -> &'static str {
        match self {
            Self::ChaChaPoly => "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256",
            Self::AesGcm => "Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256",
        }
    }

    /// All of them, best first, for a machine that does AES in hardware or does not.
    pub const fn best_first(has_aes: bool) -> [Self; 2] {
        if has_aes { [Self::AesGcm, Self::ChaChaPoly] } else { [Self::ChaChaPoly, Self::AesGcm] }
    }

    /// The suite that two agents use, by their lists, best first: AESGCM where it is the best of
    /// both, which says that both do AES in hardware; else ChaChaPoly, which is quick everywhere;
    /// and what both have, where one lacks that.
    pub fn choose(own: &[Self], peer: &[Self]) -> Option<Self> {
        let is_best = |list: &[Self]| list.first() == Some(&Self::AesGcm);
        let preferred = if is_best(own) && is_best(peer) { Self::AesGcm } else { Self::ChaChaPoly };
        let is_common = |suite: &Self| own.contains(suite) && peer.contains(suite);
        Some(preferred).filter(is_common).or_else(|| own.iter().copied().find(is_common))
    }

    pub(super) const fn aead(self) -> Aead {
        match self {
            Self::ChaChaPoly => Aead::ChaCha20Poly1305,
            Self::AesGcm => Aead::Aes256Gcm,
        }
    }

    /// The cipher's nonce for a counter (Noise section 12): 32 zero bits, then the counter, little
    /// endian for ChaChaPoly and big endian for AESGCM.
    pub(super) fn nonce(self, counter: u64) -> [u8; 12] {
        let counter = match self {
            Self::ChaChaPoly => counter.to_le_bytes(),
            Self::AesGcm => counter.to_be_bytes(),
        };
        let mut nonce = [0; 12];
        for (to, from) in nonce.iter_mut().skip(4).zip(counter) {
            *to = from;
        }
        nonce
    }

    pub(super) fn noise_params(self) -> NoiseParams {
        let cipher = match self {
            Self::ChaChaPoly => CipherChoice::ChaChaPoly,
            Self::AesGcm => CipherChoice::AESGCM,
        };
        let handshake = HandshakeChoice {
            pattern: HandshakePattern::XX,
            modifiers: HandshakeModifierList { list: vec![HandshakeModifier::Hfs] },
        };
        NoiseParams::new(
            self.noise_name().to_owned(),
            BaseChoice::Noise,
            handshake,
            DHChoice::Curve25519,
            // The only tag that snow has for a KEM. The name above is what is hashed, and the
            // resolver answers this tag with ML-KEM-768.
            Some(KemChoice::Kyber1024),
            cipher,
            HashChoice::SHA256,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Suite;

    #[test]
    fn each_suite_has_a_byte_of_its_own() {
        for suite in Suite::ALL {
            assert_eq!(Suite::from_byte(suite.byte()), Some(suite));
        }
        let named = (0..=u8::MAX).filter(|byte| Suite::from_byte(*byte).is_some()).count();
        assert_eq!(named, Suite::ALL.len());
    }

    #[test]
    fn aesgcm_is_used_where_it_is_the_best_of_both_and_chachapoly_else() {
        use Suite::{AesGcm, ChaChaPoly};
        let (hardware, software) = (&Suite::best_first(true)[..], &Suite::best_first(false)[..]);
        let table: [(&[Suite], &[Suite], Option<Suite>); 10] = [
            (hardware, hardware, Some(AesGcm)),
            (hardware, software, Some(ChaChaPoly)),
            (software, software, Some(ChaChaPoly)),
            (hardware, &[AesGcm], Some(AesGcm)),
            (software, &[AesGcm], Some(AesGcm)),
            (hardware, &[ChaChaPoly], Some(ChaChaPoly)),
            (&[AesGcm], &[AesGcm], Some(AesGcm)),
            (&[AesGcm], &[ChaChaPoly], None),
            (hardware, &[], None),
            (&[], &[], None),
        ];
        for (own, peer, chosen) in table {
            assert_eq!(Suite::choose(own, peer), chosen, "{own:?} to {peer:?}");
            assert_eq!(Suite::choose(peer, own), chosen, "{peer:?} to {own:?}");
        }
    }

    #[test]
    fn nonces_carry_the_counter_in_the_byte_order_of_their_cipher() {
        assert_eq!(Suite::ChaChaPoly.nonce(0x0102), [0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Suite::AesGcm.nonce(0x0102), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    }
}
