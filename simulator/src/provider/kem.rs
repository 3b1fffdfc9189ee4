//! A key encapsulation with ML-KEM's sizes: the ciphertext carries the secret under a mask that
//! follows from the public key, which the secret key contains.

use meshwork_protocols::provider::split_kem::{SplitHeader, VECTOR_LENGTH};
use meshwork_protocols::provider::{CryptoError, Kem, KemKeyPair};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};

use super::mix::{Domain, Mixer};

/// Both keys: `random` fills the secret's head, and the rest follows. The public one stands in the
/// secret one where FIPS 203 has it.
pub(super) fn generate(kem: Kem, random: &mut dyn Random) -> KemKeyPair {
    let mut drawn = [0; 64];
    random.fill(&mut drawn);
    let head = Mixer::new(Domain::KemPublic).with_sized(&drawn).finish();
    let public = stretched(Domain::KemPublic, kem, &head, kem.public_length());
    let mut secret = Vec::with_capacity(kem.secret_length());
    secret.extend_from_slice(&drawn);
    secret.resize(kem.secret_length() - kem.public_length() - 64, 0);
    secret.extend_from_slice(&public);
    secret.resize(kem.secret_length(), 0);
    KemKeyPair { public, secret: SecretBytes::new(secret) }
}

pub(super) fn encapsulate(
    kem: Kem,
    public: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, Secret<32>), CryptoError> {
    if public.len() != kem.public_length() {
        return Err(CryptoError::WrongLength);
    }
    let head = public.first_chunk::<32>().ok_or(CryptoError::WrongLength)?;
    if stretched(Domain::KemPublic, kem, head, public.len()) != public {
        return Err(CryptoError::InvalidKey);
    }
    let mut drawn = [0; 32];
    random.fill(&mut drawn);
    let ciphertext = seal(kem, head, &drawn);
    let shared = shared(head, &drawn, &ciphertext);
    Ok((ciphertext, shared))
}

pub(super) fn decapsulate(
    kem: Kem,
    secret: &SecretBytes,
    ciphertext: &[u8],
) -> Result<Secret<32>, CryptoError> {
    if secret.len() != kem.secret_length() || ciphertext.len() != kem.ciphertext_length() {
        return Err(CryptoError::WrongLength);
    }
    let (drawn, _) = secret.expose().split_first_chunk::<64>().ok_or(CryptoError::WrongLength)?;
    let head = Mixer::new(Domain::KemPublic).with_sized(drawn).finish();
    let masked = ciphertext.first_chunk::<32>().ok_or(CryptoError::WrongLength)?;
    let inside = masked_with(&head, masked);
    if seal(kem, &head, &inside) != ciphertext {
        let nobody =
            Mixer::new(Domain::KemNobody).with_sized(secret.expose()).with_sized(ciphertext);
        return Ok(Secret::new(nobody.finish()));
    }
    Ok(shared(&head, &inside, ciphertext))
}

/// The header of a public key. As its hash it has what the key follows from.
pub(super) fn header(public: &[u8]) -> Result<SplitHeader, CryptoError> {
    let (vector, seed) = public.split_at_checked(VECTOR_LENGTH).ok_or(CryptoError::WrongLength)?;
    let seed = seed.try_into().map_err(|_| CryptoError::WrongLength)?;
    let hash = *vector.first_chunk().ok_or(CryptoError::WrongLength)?;
    Ok(SplitHeader { seed, hash })
}

/// The whole ciphertext of `message` for the key with this header, and the shared secret.
pub(super) fn encapsulate_split(
    header: &SplitHeader,
    message: &Secret<32>,
) -> (Vec<u8>, Secret<32>) {
    let ciphertext = seal(Kem::MlKem768, &header.hash, message.expose());
    let shared = shared(&header.hash, message.expose(), &ciphertext);
    (ciphertext, shared)
}

/// Whether `vector` is the one of the key with this header.
pub(super) fn belongs(vector: &[u8; VECTOR_LENGTH], header: &SplitHeader) -> bool {
    let kem = Kem::MlKem768;
    let public = stretched(Domain::KemPublic, kem, &header.hash, kem.public_length());
    public == [vector.as_slice(), &header.seed].concat()
}

/// The ciphertext of `inside`: masked, then bytes that follow from it and from the key.
fn seal(kem: Kem, head: &[u8; 32], inside: &[u8; 32]) -> Vec<u8> {
    let masked = masked_with(head, inside);
    let binding = Mixer::new(Domain::KemMask).with_sized(head).with_sized(inside).finish();
    let mut ciphertext = masked.to_vec();
    let rest = kem.ciphertext_length() - masked.len();
    ciphertext.extend(stretched(Domain::KemMask, kem, &binding, rest));
    ciphertext
}

fn masked_with(head: &[u8; 32], bytes: &[u8; 32]) -> [u8; 32] {
    let mut masked = Mixer::new(Domain::KemMask).with_sized(head).finish();
    for (to, from) in masked.iter_mut().zip(bytes) {
        *to ^= from;
    }
    masked
}

fn shared(head: &[u8; 32], inside: &[u8; 32], ciphertext: &[u8]) -> Secret<32> {
    let mixer = Mixer::new(Domain::KemShared).with_sized(head).with_sized(inside);
    Secret::new(mixer.with_sized(ciphertext).finish())
}

/// `head`, then bytes that follow from it and from the parameter set.
fn stretched(domain: Domain, kem: Kem, head: &[u8; 32], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    if let Some((start, rest)) = bytes.split_first_chunk_mut::<32>() {
        *start = *head;
        let size = (kem.public_length() as u64).to_le_bytes();
        Mixer::new(domain).with_sized(head).with_sized(&size).expand(rest);
    }
    bytes
}
