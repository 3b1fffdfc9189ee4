//! What deferred messages need: two more hashes, signatures by keys of an agreement, and a cipher that
//! nothing but its padding guards.

use meshwork_protocols::provider::{CryptoError, DeferredProvider, XEDDSA_LENGTH};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};

use super::mix::{Domain, Mixer};
use super::{Simulated, dh};

impl DeferredProvider for Simulated {
    fn sha3_256(&self, parts: &[&[u8]]) -> Secret<32> {
        hash(Domain::Sha3, parts)
    }

    fn shake256(&self, parts: &[&[u8]]) -> Secret<32> {
        hash(Domain::Shake, parts)
    }

    fn xeddsa_sign(
        &self,
        secret: &Secret<32>,
        message: &[u8],
        random: &mut dyn Random,
    ) -> [u8; XEDDSA_LENGTH] {
        sign(&dh::public(secret), message, &random.array())
    }

    fn xeddsa_verify(
        &self,
        public: &[u8; 32],
        message: &[u8],
        signature: &[u8; XEDDSA_LENGTH],
    ) -> Result<(), CryptoError> {
        let hedge = signature.first_chunk().ok_or(CryptoError::InvalidSignature)?;
        if sign(public, message, hedge) == *signature {
            Ok(())
        } else {
            Err(CryptoError::InvalidSignature)
        }
    }

    fn x25519_check_strict(&self, public: &[u8; 32]) -> Result<(), CryptoError> {
        dh::element(public).map(|_| ()).ok_or(CryptoError::InvalidKey)
    }

    fn aes_256_cbc_encrypt(
        &self,
        key: &[u8; 32],
        iv: &[u8; 16],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let padding = BLOCK - plaintext.len() % BLOCK;
        let mut in_out = plaintext.to_vec();
        in_out.resize(plaintext.len() + padding, u8::try_from(padding).unwrap_or_default());
        apply_stream(key, iv, &mut in_out);
        Ok(in_out)
    }

    fn aes_256_cbc_decrypt(
        &self,
        key: &[u8; 32],
        iv: &[u8; 16],
        ciphertext: &[u8],
    ) -> Result<SecretBytes, CryptoError> {
        if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) {
            return Err(CryptoError::WrongLength);
        }
        let mut in_out = ciphertext.to_vec();
        apply_stream(key, iv, &mut in_out);
        let padding = in_out.last().copied().unwrap_or_default();
        let length = in_out.len().checked_sub(usize::from(padding));
        let (plaintext, rest) = length
            .filter(|_| (1..=BLOCK).contains(&usize::from(padding)))
            .and_then(|length| in_out.split_at_checked(length))
            .ok_or(CryptoError::OpenFailed)?;
        if rest.iter().any(|byte| *byte != padding) {
            return Err(CryptoError::OpenFailed);
        }
        Ok(SecretBytes::new(plaintext.to_vec()))
    }
}

fn hash(domain: Domain, parts: &[&[u8]]) -> Secret<32> {
    let mut mixer = Mixer::new(domain);
    parts.iter().for_each(|part| mixer.update(part));
    Secret::new(mixer.finish())
}

/// The hedge, then what follows from everything. As with the other signatures the public key is
/// what it is keyed by.
fn sign(public: &[u8; 32], message: &[u8], hedge: &[u8; 32]) -> [u8; XEDDSA_LENGTH] {
    let rest = Mixer::new(Domain::XEdDsa).with_sized(public).with_sized(hedge).with_sized(message);
    let mut signature = [0; XEDDSA_LENGTH];
    for (to, from) in signature.iter_mut().zip(hedge.iter().chain(&rest.finish())) {
        *to = *from;
    }
    signature
}

fn apply_stream(key: &[u8; 32], iv: &[u8; 16], in_out: &mut [u8]) {
    let mut stream = vec![0; in_out.len()];
    Mixer::new(Domain::BlockStream).with_sized(key).with_sized(iv).expand(&mut stream);
    for (to, from) in in_out.iter_mut().zip(stream) {
        *to ^= from;
    }
}

/// Bytes of a block of AES.
const BLOCK: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;

    fn provider() -> Simulated {
        Simulated::new(&Seeded::new(1))
    }

    fn changed<const LENGTH: usize>(bytes: &[u8; LENGTH], at: usize) -> [u8; LENGTH] {
        let mut bytes = *bytes;
        bytes[at] ^= 1;
        bytes
    }

    #[test]
    fn a_key_of_an_agreement_signs_one_message_for_one_public_key() {
        let (provider, mut random) = (provider(), Seeded::new(2));
        let secret = Secret::random(&mut random);
        let (public, other) = (dh::public(&secret), dh::public(&Secret::random(&mut random)));
        let signature = provider.xeddsa_sign(&secret, b"message", &mut random);
        assert_eq!(provider.xeddsa_verify(&public, b"message", &signature), Ok(()));
        assert!(provider.xeddsa_verify(&public, b"massage", &signature).is_err());
        assert!(provider.xeddsa_verify(&other, b"message", &signature).is_err());
        for at in 0..XEDDSA_LENGTH {
            let wrong = changed(&signature, at);
            assert!(provider.xeddsa_verify(&public, b"message", &wrong).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_key_that_nobody_made_is_no_key() {
        let (provider, secret) = (provider(), Secret::new([3; 32]));
        let public = dh::public(&secret);
        assert_eq!(provider.x25519_check_strict(&public), Ok(()));
        for at in 0..32 {
            let checked = provider.x25519_check_strict(&changed(&public, at));
            assert_eq!(checked, Err(CryptoError::InvalidKey), "byte {at}");
        }
        assert_eq!(provider.x25519_check_strict(&[0; 32]), Err(CryptoError::InvalidKey));
    }

    #[test]
    fn a_block_cipher_pads_as_the_real_one_and_opens_under_its_key_and_iv_alone() {
        let (provider, key, iv) = (provider(), [1; 32], [2; 16]);
        for (length, sealed) in [(0, 16), (1, 16), (15, 16), (16, 32), (100, 112)] {
            let plaintext = vec![7; length];
            let ciphertext = provider.aes_256_cbc_encrypt(&key, &iv, &plaintext).unwrap();
            assert_eq!(ciphertext.len(), sealed);
            let open = |key, iv| provider.aes_256_cbc_decrypt(key, iv, &ciphertext);
            assert_eq!(open(&key, &iv).unwrap().expose(), plaintext);
            for wrong in [open(&[3; 32], &iv), open(&key, &[3; 16])] {
                assert!(wrong.is_err() || wrong.unwrap().expose() != plaintext);
            }
            let cut = ciphertext.get(1..).unwrap();
            let refused = provider.aes_256_cbc_decrypt(&key, &iv, cut);
            assert_eq!(refused.err(), Some(CryptoError::WrongLength));
        }
    }

    #[test]
    fn the_hashes_differ_and_do_not_depend_on_where_parts_end() {
        let provider = provider();
        assert_eq!(provider.sha3_256(&[b"ab"]), provider.sha3_256(&[b"a", b"b"]));
        assert_eq!(provider.shake256(&[b"ab"]), provider.shake256(&[b"a", b"b"]));
        assert_ne!(provider.sha3_256(&[b"ab"]), provider.shake256(&[b"ab"]));
        assert_ne!(provider.sha3_256(&[b"ab"]), provider.sha3_256(&[b"ac"]));
    }
}
