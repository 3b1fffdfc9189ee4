//! HPKE (RFC 9180) in base mode, with HKDF-SHA256 and AES-128-GCM: what MLS seals path secrets and
//! welcomes with.
//!
//! Its KEM is [X-Wing](super::x_wing), code point 0x647a; RFC 9180's own DHKEM(X25519) stands
//! beside it, to be checked against the published vectors and to speak with classical peers in
//! tests. Knows nothing of MLS.

use alloc::vec::Vec;

use super::x_wing;
use crate::provider::{CryptoError, FleetProvider};
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

/// A KEM of HPKE.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HpkeKem {
    /// X-Wing.
    XWing,
    /// DHKEM(X25519, HKDF-SHA256).
    X25519,
}

/// A key pair.
#[derive(Debug)]
pub struct HpkePair {
    /// The private key.
    pub private: Secret<32>,
    /// The public key.
    pub public: Vec<u8>,
}

/// What was sealed once.
#[derive(Debug)]
pub struct HpkeSealed {
    /// The KEM's ciphertext.
    pub encapsulated: Vec<u8>,
    /// The AEAD's, with the tag behind.
    pub ciphertext: Vec<u8>,
}

impl HpkeKem {
    const fn code(self) -> [u8; 2] {
        match self {
            Self::XWing => [0x64, 0x7a],
            Self::X25519 => [0x00, 0x20],
        }
    }

    /// The pair that `input`, of at least 32 bytes of entropy, leads to.
    pub fn derive(
        self,
        provider: &dyn FleetProvider,
        input: &[u8],
    ) -> Result<HpkePair, CryptoError> {
        let mut private = Secret::new([0; 32]);
        match self {
            Self::XWing => provider.shake256_into(input, private.expose_mut()),
            Self::X25519 => {
                let suite = self.kem_suite();
                let key = labelled_extract(provider, &suite, &[], b"dkp_prk", input);
                labelled_expand(provider, &suite, &key, b"sk", &[], private.expose_mut())?;
            }
        }
        let public = self.public(provider, &private)?;
        Ok(HpkePair { private, public })
    }

    /// The public key of a private one.
    pub fn public(
        self,
        provider: &dyn FleetProvider,
        private: &Secret<32>,
    ) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::XWing => x_wing::public(provider, private),
            Self::X25519 => Ok(provider.x25519_public(private).to_vec()),
        }
    }

    /// Seals once to `public`, under an info that makes the key and data that is authenticated.
    pub fn seal(
        self,
        provider: &dyn FleetProvider,
        public: &[u8],
        [info, associated]: [&[u8]; 2],
        plaintext: &[u8],
        random: &mut dyn Random,
    ) -> Result<HpkeSealed, CryptoError> {
        let (encapsulated, context) = self.send(provider, public, info, random)?;
        let ciphertext = provider.aes_128_gcm(&context.key).seal(
            context.nonce.expose(),
            associated,
            plaintext,
        )?;
        Ok(HpkeSealed { encapsulated, ciphertext })
    }

    /// Opens what was sealed once.
    pub fn open(
        self,
        provider: &dyn FleetProvider,
        private: &Secret<32>,
        [info, associated]: [&[u8]; 2],
        sealed: &HpkeSealed,
    ) -> Result<SecretBytes, CryptoError> {
        let context = self.receive(provider, private, info, &sealed.encapsulated)?;
        provider.aes_128_gcm(&context.key).open(
            context.nonce.expose(),
            associated,
            &sealed.ciphertext,
        )
    }

    /// The sender's context, and the KEM's ciphertext that leads the receiver to it.
    pub fn send(
        self,
        provider: &dyn FleetProvider,
        public: &[u8],
        info: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, HpkeContext), CryptoError> {
        let (encapsulated, shared) = match self {
            Self::XWing => x_wing::encapsulate(provider, public, random)?,
            Self::X25519 => {
                let public: &[u8; 32] = public.try_into().map_err(|_| CryptoError::WrongLength)?;
                let ephemeral = provider.x25519_key(&Secret::random(random));
                let agreed = ephemeral.agree(public)?;
                let encapsulated = ephemeral.public().to_vec();
                let shared = self.extract_and_expand(provider, &agreed, &encapsulated, public)?;
                (encapsulated, shared)
            }
        };
        let context = HpkeContext::new(provider, self, &shared, info)?;
        Ok((encapsulated, context))
    }

    /// The receiver's context.
    pub fn receive(
        self,
        provider: &dyn FleetProvider,
        private: &Secret<32>,
        info: &[u8],
        encapsulated: &[u8],
    ) -> Result<HpkeContext, CryptoError> {
        let shared = match self {
            Self::XWing => x_wing::decapsulate(provider, private, encapsulated)?,
            Self::X25519 => {
                let ephemeral = encapsulated.try_into().map_err(|_| CryptoError::WrongLength)?;
                let key = provider.x25519_key(private);
                let agreed = key.agree(ephemeral)?;
                self.extract_and_expand(provider, &agreed, encapsulated, key.public())?
            }
        };
        HpkeContext::new(provider, self, &shared, info)
    }

    /// RFC 9180 section 4.1.
    fn extract_and_expand(
        self,
        provider: &dyn FleetProvider,
        agreed: &Secret<32>,
        encapsulated: &[u8],
        public: &[u8],
    ) -> Result<Secret<32>, CryptoError> {
        let suite = self.kem_suite();
        let key = labelled_extract(provider, &suite, &[], b"eae_prk", agreed.expose());
        let mut shared = Secret::new([0; 32]);
        let context = [encapsulated, public].concat();
        labelled_expand(provider, &suite, &key, b"shared_secret", &context, shared.expose_mut())?;
        Ok(shared)
    }

    fn kem_suite(self) -> Vec<u8> {
        [b"KEM".as_slice(), &self.code()].concat()
    }

    fn suite(self) -> Vec<u8> {
        [b"HPKE".as_slice(), &self.code(), &HKDF_SHA256, &AES_128_GCM].concat()
    }
}

/// The keys of one sender and one receiver (RFC 9180 section 5.1, base mode).
#[derive(Debug)]
pub struct HpkeContext {
    suite: Vec<u8>,
    key: Secret<16>,
    nonce: Secret<12>,
    exporter: Secret<32>,
}

impl HpkeContext {
    fn new(
        provider: &dyn FleetProvider,
        kem: HpkeKem,
        shared: &Secret<32>,
        info: &[u8],
    ) -> Result<Self, CryptoError> {
        let suite = kem.suite();
        let psk_id_hash = labelled_extract(provider, &suite, &[], b"psk_id_hash", &[]);
        let info_hash = labelled_extract(provider, &suite, &[], b"info_hash", info);
        let context = [&[BASE_MODE], psk_id_hash.expose().as_slice(), info_hash.expose()].concat();
        let secret = labelled_extract(provider, &suite, shared.expose(), b"secret", &[]);
        let mut made = Self {
            suite,
            key: Secret::new([0; 16]),
            nonce: Secret::new([0; 12]),
            exporter: Secret::new([0; 32]),
        };
        let suite = &made.suite;
        labelled_expand(provider, suite, &secret, b"key", &context, made.key.expose_mut())?;
        labelled_expand(
            provider,
            suite,
            &secret,
            b"base_nonce",
            &context,
            made.nonce.expose_mut(),
        )?;
        labelled_expand(provider, suite, &secret, b"exp", &context, made.exporter.expose_mut())?;
        Ok(made)
    }

    /// A secret for another use (RFC 9180 section 5.3).
    pub fn export(
        &self,
        provider: &dyn FleetProvider,
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        labelled_expand(provider, &self.suite, &self.exporter, b"sec", context, out)
    }
}

/// HKDF-Expand of RFC 5869 over SHA-256, from a key that was extracted before.
pub fn expand(
    provider: &dyn FleetProvider,
    key: &[u8],
    info: &[u8],
    out: &mut [u8],
) -> Result<(), CryptoError> {
    let mut previous: Option<Secret<32>> = None;
    for (number, chunk) in out.chunks_mut(32).enumerate() {
        let number = u8::try_from(number + 1).map_err(|_| CryptoError::WrongLength)?;
        let before = previous.as_ref().map_or(&[][..], |block| block.expose());
        let block = provider.hmac_sha256(key, &[before, info, &[number]]);
        for (to, from) in chunk.iter_mut().zip(block.expose()) {
            *to = *from;
        }
        previous = Some(block);
    }
    Ok(())
}

fn labelled_extract(
    provider: &dyn FleetProvider,
    suite: &[u8],
    salt: &[u8],
    label: &[u8],
    input: &[u8],
) -> Secret<32> {
    provider.hmac_sha256(salt, &[VERSION, suite, label, input])
}

fn labelled_expand(
    provider: &dyn FleetProvider,
    suite: &[u8],
    key: &Secret<32>,
    label: &[u8],
    info: &[u8],
    out: &mut [u8],
) -> Result<(), CryptoError> {
    let length = u16::try_from(out.len()).map_err(|_| CryptoError::WrongLength)?;
    let info = [&length.to_be_bytes(), VERSION, suite, label, info].concat();
    expand(provider, key.expose(), &info, out)
}

const VERSION: &[u8] = b"HPKE-v1";
const HKDF_SHA256: [u8; 2] = [0, 1];
const AES_128_GCM: [u8; 2] = [0, 1];
const BASE_MODE: u8 = 0;
