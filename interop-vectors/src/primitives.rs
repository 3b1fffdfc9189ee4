//! Known answers of single primitives.
//!
//! A case says what must come out, or with `valid: false` that the input must be refused; then
//! what would have come out is left empty where its origin does not say it.

use serde::Deserialize;

use crate::{Hex, VectorError, load};

/// One sealing and opening.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AeadCase {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// The key.
    pub key: Hex,
    /// The nonce.
    pub nonce: Hex,
    /// The associated data.
    pub associated: Hex,
    /// The plaintext.
    pub plaintext: Hex,
    /// The ciphertext, as long as the plaintext.
    pub ciphertext: Hex,
    /// The tag.
    pub tag: Hex,
    /// Whether it opens.
    pub valid: bool,
}

/// One X25519.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct X25519Case {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// One's own secret, unclamped.
    pub secret: Hex,
    /// The other's public key.
    pub public: Hex,
    /// The shared secret.
    pub shared: Hex,
    /// Whether the shared secret may be used.
    pub valid: bool,
}

/// X25519 iterated as RFC 7748 section 5.2 says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IteratedCase {
    /// How often.
    pub iterations: u32,
    /// `k` after them.
    pub output: Hex,
}

/// One HKDF, extract and expand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HkdfCase {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// The salt.
    pub salt: Hex,
    /// The input key material.
    pub input: Hex,
    /// The info.
    pub info: Hex,
    /// How many bytes are asked for.
    pub length: usize,
    /// What comes out.
    pub output: Hex,
    /// Whether that many bytes can be had.
    pub valid: bool,
}

/// One HMAC.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HmacCase {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// The key.
    pub key: Hex,
    /// The message.
    pub message: Hex,
    /// The tag, whole.
    pub tag: Hex,
    /// Whether the tag is the right one.
    pub valid: bool,
}

/// A signature key made from its seed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureKeyCase {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// The seed.
    pub seed: Hex,
    /// The public key that it gives.
    pub public: Hex,
}

/// A signature made from the seed of its key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignCase {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// The seed of the key.
    pub seed: Hex,
    /// The randomness to sign with; zeros for FIPS 204's deterministic variant.
    pub randomness: Hex,
    /// The public key.
    pub public: Hex,
    /// The message.
    pub message: Hex,
    /// The signature.
    pub signature: Hex,
}

/// A signature to verify.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyCase {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// The public key.
    pub public: Hex,
    /// The message.
    pub message: Hex,
    /// The signature.
    pub signature: Hex,
    /// Whether it verifies.
    pub valid: bool,
}

/// A parameter set of FIPS 203.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum ParameterSet {
    /// ML-KEM-768.
    #[serde(rename = "ML-KEM-768")]
    MlKem768,
    /// ML-KEM-1024.
    #[serde(rename = "ML-KEM-1024")]
    MlKem1024,
}

/// A KEM key pair made from its seeds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KemKeyCase {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// The parameter set.
    pub parameter_set: ParameterSet,
    /// FIPS 203's `d`.
    pub d: Hex,
    /// FIPS 203's `z`.
    pub z: Hex,
    /// The encapsulation key.
    pub public: Hex,
    /// The expanded decapsulation key.
    pub secret: Hex,
}

/// One encapsulation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncapsulationCase {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// The parameter set.
    pub parameter_set: ParameterSet,
    /// The encapsulation key.
    pub public: Hex,
    /// FIPS 203's `m`.
    pub randomness: Hex,
    /// The ciphertext.
    pub ciphertext: Hex,
    /// The shared secret.
    pub shared: Hex,
    /// Whether the key passes FIPS 203 section 7.2.
    pub valid: bool,
}

/// One decapsulation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecapsulationCase {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// The parameter set.
    pub parameter_set: ParameterSet,
    /// The expanded decapsulation key.
    pub secret: Hex,
    /// The ciphertext.
    pub ciphertext: Hex,
    /// The shared secret, by implicit rejection where the ciphertext was changed.
    pub shared: Hex,
    /// Whether key and ciphertext pass FIPS 203 section 7.3.
    pub valid: bool,
}

/// A KEM key to check.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KemKeyCheckCase {
    /// Where it comes from, and what it is about.
    pub id: String,
    /// The parameter set.
    pub parameter_set: ParameterSet,
    /// The key.
    pub key: Hex,
    /// Whether FIPS 203 section 7.2 or 7.3 lets it pass.
    pub valid: bool,
}

/// A digest over many runs on the output of an empty SHAKE-128.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccumulatedCase {
    /// What is run.
    pub algorithm: String,
    /// How often.
    pub iterations: u32,
    /// SHAKE-128 over all that comes out.
    pub digest: Hex,
}

/// A function that loads the cases of some files, one after the other.
macro_rules! cases {
    ($(#[$doc:meta])* $name:ident: $case:ty = $($file:literal),+) => {
        $(#[$doc])*
        pub fn $name() -> Result<Vec<$case>, VectorError> {
            let mut cases = Vec::new();
            $(
                let text = include_str!(concat!("../data/primitives/", $file, ".json"));
                cases.extend(load(concat!("primitives/", $file, ".json"), text)?);
            )+
            Ok(cases)
        }
    };
}

cases! {
    /// AES-256-GCM with nonces of 12 bytes.
    aes_256_gcm: AeadCase = "aes-256-gcm-wycheproof"
}
cases! {
    /// ChaCha20-Poly1305.
    chacha20_poly1305: AeadCase = "chacha20-poly1305-rfc8439", "chacha20-poly1305-wycheproof"
}
cases! {
    /// XAES-256-GCM.
    xaes_256_gcm: AeadCase = "xaes-256-gcm-c2sp"
}
cases! {
    /// XChaCha20-Poly1305.
    xchacha20_poly1305: AeadCase = "xchacha20-poly1305-draft", "xchacha20-poly1305-wycheproof"
}
cases! {
    /// X25519; public keys of low order are refused.
    x25519: X25519Case = "x25519-rfc7748", "x25519-wycheproof"
}
cases! {
    /// X25519, iterated.
    x25519_iterated: IteratedCase = "x25519-iterated-rfc7748"
}
cases! {
    /// HKDF with SHA-256.
    hkdf_sha256: HkdfCase = "hkdf-sha256-rfc5869", "hkdf-sha256-wycheproof"
}
cases! {
    /// HMAC with SHA-256.
    hmac_sha256: HmacCase = "hmac-sha256-wycheproof"
}
cases! {
    /// Ed25519 signatures from seeds.
    ed25519_sign: SignCase = "ed25519-rfc8032"
}
cases! {
    /// Ed25519 signatures under strict verification, most of them edge cases.
    ed25519_verify: VerifyCase = "ed25519-wycheproof", "ed25519-speccheck", "ed25519-cctv"
}
cases! {
    /// ML-KEM key generation.
    ml_kem_keys: KemKeyCase = "ml-kem-key-generation-acvp"
}
cases! {
    /// ML-KEM encapsulation.
    ml_kem_encapsulation: EncapsulationCase =
        "ml-kem-encapsulation-acvp", "ml-kem-encapsulation-wycheproof"
}
cases! {
    /// ML-KEM decapsulation.
    ml_kem_decapsulation: DecapsulationCase =
        "ml-kem-decapsulation-acvp", "ml-kem-decapsulation-wycheproof"
}
cases! {
    /// ML-KEM encapsulation keys to check (FIPS 203 section 7.2).
    ml_kem_encapsulation_keys: KemKeyCheckCase = "ml-kem-encapsulation-key-check-acvp"
}
cases! {
    /// ML-KEM expanded decapsulation keys to check (FIPS 203 section 7.3).
    ml_kem_decapsulation_keys: KemKeyCheckCase = "ml-kem-decapsulation-key-check-acvp"
}
cases! {
    /// ML-DSA-65 key generation.
    ml_dsa_65_keys: SignatureKeyCase = "ml-dsa-65-key-generation-acvp"
}
cases! {
    /// ML-DSA-65 signatures, pure with an empty context, from seeds.
    ml_dsa_65_sign: SignCase = "ml-dsa-65-sign-wycheproof"
}
cases! {
    /// ML-DSA-65 signatures, pure with an empty context.
    ml_dsa_65_verify: VerifyCase = "ml-dsa-65-verify-acvp", "ml-dsa-65-verify-wycheproof"
}
cases! {
    /// Digests over many runs.
    accumulated: AccumulatedCase = "accumulated"
}
