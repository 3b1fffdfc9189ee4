//! How a value lies on disk, and the keys that seal it.
//!
//! `format || version || nonce || ciphertext and tag`. The format says how the rest is to be read:
//! in clear (two rows of [`Namespace::Meta`], which are needed to find the key), under
//! XChaCha20-Poly1305 or under XAES-256-GCM. The nonce has 24 random bytes, so that no counter has
//! to survive a crash. The associated data is the store's id, the namespace, the format, the
//! version and the row's key: a record opens in no other place.

use std::fmt;

use meshwork_protocols::provider::{Aead, AeadKey, CryptoError, Provider, TAG_LENGTH};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};

use crate::{Namespace, StoreError, StoreId};

/// What seals records that are written; either is read.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Cipher {
    /// XChaCha20-Poly1305.
    #[default]
    XChaCha20Poly1305,
    /// XAES-256-GCM (C2SP), where AES is asked for.
    Xaes256Gcm,
}

impl Cipher {
    /// The format byte of what it seals.
    const fn format(self) -> u8 {
        match self {
            Self::XChaCha20Poly1305 => 1,
            Self::Xaes256Gcm => 2,
        }
    }
}

/// The keys that one secret gives, one for each cipher.
pub(crate) struct RecordKey {
    store: StoreId,
    writes: Cipher,
    xchacha: Box<dyn AeadKey>,
    xaes: Box<dyn AeadKey>,
}

impl RecordKey {
    /// The record keys of `secret`. The purpose keeps those of two secrets apart, should the
    /// secrets ever be equal.
    pub(crate) fn derive(
        provider: &dyn Provider,
        store: StoreId,
        secret: &Secret<32>,
        purpose: Purpose,
        writes: Cipher,
    ) -> Result<Self, StoreError> {
        let key = |aead: Aead, name: &str| -> Result<Box<dyn AeadKey>, StoreError> {
            let info = format!("meshwork/v1/state/{}/{name}", purpose.label());
            let mut key = Secret::new([0; 32]);
            provider
                .hkdf_sha256(store.as_bytes(), secret.expose(), info.as_bytes(), key.expose_mut())
                .map_err(|_| StoreError::ProviderFailed)?;
            Ok(provider.aead(aead, &key))
        };
        Ok(Self {
            store,
            writes,
            xchacha: key(Aead::XChaCha20Poly1305, "xchacha20-poly1305")?,
            xaes: key(Aead::Xaes256Gcm, "xaes-256-gcm")?,
        })
    }

    /// The record of `plaintext` at this place.
    pub(crate) fn seal(
        &self,
        namespace: Namespace,
        key: &[u8],
        plaintext: &[u8],
        random: &mut dyn Random,
    ) -> Result<SecretBytes, StoreError> {
        let nonce: [u8; NONCE] = random.array();
        let head = [self.writes.format(), RECORD_VERSION];
        let mut record = Vec::with_capacity(BODY + plaintext.len() + TAG_LENGTH);
        record.extend_from_slice(&head);
        record.extend_from_slice(&nonce);
        record.extend_from_slice(plaintext);
        let associated = self.associated(namespace, key, head);
        let body = record.get_mut(BODY..).unwrap_or_default();
        let tag = self
            .aead(self.writes)
            .seal_in_place(&nonce, &associated, body)
            .map_err(|_| StoreError::ProviderFailed)?;
        record.extend_from_slice(&tag);
        Ok(SecretBytes::new(record))
    }

    /// The plaintext of a record that stands at this place.
    pub(crate) fn open(
        &self,
        namespace: Namespace,
        key: &[u8],
        record: &SecretBytes,
    ) -> Result<SecretBytes, StoreError> {
        let (head, rest) = split_head(record)?;
        let cipher = [Cipher::XChaCha20Poly1305, Cipher::Xaes256Gcm]
            .into_iter()
            .find(|cipher| head[0] == cipher.format())
            .ok_or(if head[0] == CLEAR { StoreError::Unsealed } else { StoreError::TooNew })?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(StoreError::Unsealed)?;
        let associated = self.associated(namespace, key, head);
        self.aead(cipher).open(nonce, &associated, sealed).map_err(|error| match error {
            CryptoError::OpenFailed | CryptoError::WrongLength => StoreError::Unsealed,
            _ => StoreError::ProviderFailed,
        })
    }

    fn aead(&self, cipher: Cipher) -> &dyn AeadKey {
        match cipher {
            Cipher::XChaCha20Poly1305 => &*self.xchacha,
            Cipher::Xaes256Gcm => &*self.xaes,
        }
    }

    fn associated(&self, namespace: Namespace, key: &[u8], head: [u8; HEAD]) -> Vec<u8> {
        let store = self.store.as_bytes();
        let mut associated = Vec::with_capacity(store.len() + 1 + HEAD + key.len());
        associated.extend_from_slice(store);
        associated.push(namespace.number());
        associated.extend_from_slice(&head);
        associated.extend_from_slice(key);
        associated
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKey").field("writes", &self.writes).finish_non_exhaustive()
    }
}

/// What a secret is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Seals the data key.
    KeyEncryption,
    /// Seals every row but those of sessions.
    Data,
    /// Seals the rows of sessions.
    Session,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::KeyEncryption => "key-encryption",
            Self::Data => "data",
            Self::Session => "session",
        }
    }
}

/// The record of bytes that are no secret.
pub(crate) fn in_clear(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new([&[CLEAR, RECORD_VERSION], bytes].concat())
}

/// The bytes of a record in clear.
pub(crate) fn read_clear(record: &SecretBytes) -> Result<&[u8], StoreError> {
    match split_head(record)? {
        ([CLEAR, _], bytes) => Ok(bytes),
        _ => Err(StoreError::Damaged),
    }
}

fn split_head(record: &SecretBytes) -> Result<([u8; HEAD], &[u8]), StoreError> {
    let (head, rest) = record.expose().split_first_chunk::<HEAD>().ok_or(StoreError::Unsealed)?;
    if head[1] > RECORD_VERSION { Err(StoreError::TooNew) } else { Ok((*head, rest)) }
}

/// The format byte of a record in clear.
const CLEAR: u8 = 0;

/// The version of the records that are written.
const RECORD_VERSION: u8 = 1;

/// Format and version.
const HEAD: usize = 2;

/// The nonce of either cipher.
const NONCE: usize = 24;

/// Where the ciphertext begins.
const BODY: usize = HEAD + NONCE;

#[cfg(test)]
mod tests {
    use meshwork_protocols::provider::Provider;
    use meshwork_protocols::provider::pure::Pure;
    use meshwork_protocols::secret::{Secret, SecretBytes};

    use super::{Cipher, Purpose, RecordKey};
    use crate::{Namespace, StoreError, StoreId};

    fn key(store: u8, secret: u8, purpose: Purpose, cipher: Cipher) -> RecordKey {
        let store = StoreId::from_bytes([store; 16]);
        RecordKey::derive(&Pure, store, &Secret::new([secret; 32]), purpose, cipher).unwrap()
    }

    fn data_key(cipher: Cipher) -> RecordKey {
        key(1, 2, Purpose::Data, cipher)
    }

    fn sealed(cipher: Cipher) -> SecretBytes {
        data_key(cipher).seal(Namespace::Own, b"name", b"value", &mut *Pure.random()).unwrap()
    }

    const CIPHERS: [Cipher; 2] = [Cipher::XChaCha20Poly1305, Cipher::Xaes256Gcm];

    #[test]
    fn a_record_opens_in_its_place_whatever_cipher_is_set_now() {
        for sealed_with in CIPHERS {
            for set in CIPHERS {
                let opened = data_key(set).open(Namespace::Own, b"name", &sealed(sealed_with));
                assert_eq!(opened, Ok(SecretBytes::new(b"value".to_vec())));
            }
        }
    }

    #[test]
    fn a_record_opens_in_no_other_place_store_or_purpose_and_under_no_other_secret() {
        for cipher in CIPHERS {
            let record = sealed(cipher);
            let right = data_key(cipher);
            let elsewhere = [
                right.open(Namespace::Peer, b"name", &record),
                right.open(Namespace::Own, b"game", &record),
                right.open(Namespace::Own, b"", &record),
                key(9, 2, Purpose::Data, cipher).open(Namespace::Own, b"name", &record),
                key(1, 9, Purpose::Data, cipher).open(Namespace::Own, b"name", &record),
                key(1, 2, Purpose::Session, cipher).open(Namespace::Own, b"name", &record),
            ];
            assert!(elsewhere.iter().all(|opened| *opened == Err(StoreError::Unsealed)));
        }
    }

    #[test]
    fn no_changed_byte_and_no_missing_byte_goes_unseen() {
        for cipher in CIPHERS {
            let record = sealed(cipher);
            let open = |bytes: Vec<u8>| {
                data_key(cipher).open(Namespace::Own, b"name", &SecretBytes::new(bytes))
            };
            for at in 0..record.len() {
                let mut changed = record.expose().to_vec();
                changed[at] ^= 1;
                assert!(open(changed).is_err(), "byte {at} changed");
                assert!(open(record.expose()[..at].to_vec()).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn a_newer_version_or_format_is_told_from_a_damaged_record() {
        let record = sealed(Cipher::default());
        for (at, value) in [(0, 3), (0, 255), (1, 2), (1, 255)] {
            let mut newer = record.expose().to_vec();
            newer[at] = value;
            let opened =
                data_key(Cipher::default()).open(Namespace::Own, b"name", &SecretBytes::new(newer));
            assert_eq!(opened, Err(StoreError::TooNew));
        }
    }

    #[test]
    fn two_records_of_one_value_share_no_nonce() {
        assert_ne!(
            sealed(Cipher::default()).expose()[2..26],
            sealed(Cipher::default()).expose()[2..26]
        );
    }
}
