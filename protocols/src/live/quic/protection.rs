//! Packet and header protection under Noise's secrets.
//!
//! Each secret gives a packet key, an IV and a header key, as RFC 9001 section 5.1 says, under
//! labels of our own; a key update (section 6) replaces the secret and keeps the header key. The
//! ciphers themselves are rustls's QUIC algorithms. Knows nothing of handshakes.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::BytesMut;
use quinn_proto::crypto::{CryptoError, HeaderKey, KeyPair, Keys, PacketKey};
use rustls::SupportedCipherSuite;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::quic::{self, Algorithm};

use crate::live::handshake::Role;
use crate::live::suite::Suite;
use crate::provider::Provider;
use crate::secret::Secret;

/// The most packets under one key: what TCP allows of records. QUIC would let ChaCha20-Poly1305 go
/// on for ever, and a key that is never replaced never protects the past.
pub(super) const MAX_PACKETS: u64 = 1 << 20;

/// Makes keys for one suite.
#[derive(Clone)]
pub(super) struct Protection {
    provider: Arc<dyn Provider>,
    algorithm: &'static dyn Algorithm,
}

impl Protection {
    /// For 1-RTT and Handshake packets of `suite`. rustls has an algorithm for each.
    pub(super) fn of(provider: Arc<dyn Provider>, suite: Suite) -> Option<Self> {
        let cipher = match suite {
            Suite::ChaChaPoly => &TLS13_CHACHA20_POLY1305_SHA256,
            Suite::AesGcm => &TLS13_AES_256_GCM_SHA384,
        };
        Some(Self { provider, algorithm: algorithm(cipher)? })
    }

    /// All keys of a packet number space.
    pub(super) fn keys(&self, secrets: &Secrets) -> Keys {
        Keys {
            header: KeyPair {
                local: self.header_key(&secrets.local),
                remote: self.header_key(&secrets.remote),
            },
            packet: self.packet_keys(secrets),
        }
    }

    /// The packet keys alone, which a key update replaces.
    pub(super) fn packet_keys(&self, secrets: &Secrets) -> KeyPair<Box<dyn PacketKey>> {
        KeyPair { local: self.packet_key(&secrets.local), remote: self.packet_key(&secrets.remote) }
    }

    /// The secrets of the next key phase (RFC 9001, section 6.1). They give nothing of these.
    pub(super) fn next(&self, secrets: &Secrets) -> Secrets {
        let next = |secret| self.expand(secret, b"ku", 32);
        Secrets { local: next(&secrets.local), remote: next(&secrets.remote) }
    }

    fn packet_key(&self, secret: &Secret<32>) -> Box<dyn PacketKey> {
        let (key, iv) = (self.expand(secret, b"key", 32), self.expand(secret, b"iv", 12));
        let mut short = [0; 12];
        for (to, from) in short.iter_mut().zip(iv.expose()) {
            *to = *from;
        }
        let key = self.algorithm.packet_key(AeadKey::from(*key.expose()), Iv::from(short));
        Box::new(PacketProtection(key))
    }

    fn header_key(&self, secret: &Secret<32>) -> Box<dyn HeaderKey> {
        let key = self.expand(secret, b"hp", 32);
        let key = self.algorithm.header_protection_key(AeadKey::from(*key.expose()));
        Box::new(HeaderProtection(key))
    }

    /// HKDF-Expand (RFC 5869) of at most one block: the first `length` bytes are meant.
    ///
    /// The info is RFC 8446's HkdfLabel without a context, with `"meshwork quic "` where TLS has
    /// `"tls13 "`.
    fn expand(&self, secret: &Secret<32>, label: &[u8], length: u8) -> Secret<32> {
        expand(self.provider.as_ref(), secret, label, length)
    }
}

pub(super) fn expand(
    provider: &dyn Provider,
    secret: &Secret<32>,
    label: &[u8],
    length: u8,
) -> Secret<32> {
    const PREFIX: &[u8] = b"meshwork quic ";
    let label_length = u8::try_from(PREFIX.len() + label.len()).unwrap_or(u8::MAX);
    let head = [0, length, label_length];
    // No context, and the number of the block.
    provider.hmac_sha256(secret.expose(), &[&head, PREFIX, label, &[0, 1]])
}

fn algorithm(suite: &SupportedCipherSuite) -> Option<&'static dyn Algorithm> {
    suite.tls13()?.quic
}

/// One secret for each direction.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) local: Secret<32>,
    pub(super) remote: Secret<32>,
}

impl Secrets {
    /// As the side in `role` uses what each of the two sends under.
    pub(super) fn of(role: Role, by_initiator: Secret<32>, by_responder: Secret<32>) -> Self {
        match role {
            Role::Initiator => Self { local: by_initiator, remote: by_responder },
            Role::Responder => Self { local: by_responder, remote: by_initiator },
        }
    }
}

struct PacketProtection(Box<dyn quic::PacketKey>);

impl PacketProtection {
    fn seal(&self, packet: u64, buf: &mut [u8], header_len: usize) -> Option<()> {
        let (header, rest) = buf.split_at_mut_checked(header_len)?;
        let payload_length = rest.len().checked_sub(self.0.tag_len())?;
        let (payload, tag) = rest.split_at_mut_checked(payload_length)?;
        let sealed = self.0.encrypt_in_place(packet, header, payload).ok()?;
        tag.copy_from_slice(sealed.as_ref());
        Some(())
    }
}

impl PacketKey for PacketProtection {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        if self.seal(packet, buf, header_len).is_none() {
            // The trait has no error. What cannot be sealed never leaves in clear.
            buf.fill(0);
        }
    }

    fn decrypt(
        &self,
        packet: u64,
        header: &[u8],
        payload: &mut BytesMut,
    ) -> Result<(), CryptoError> {
        let opened = self.0.decrypt_in_place(packet, header, payload).map_err(|_| CryptoError)?;
        let length = opened.len();
        payload.truncate(length);
        Ok(())
    }

    fn tag_len(&self) -> usize {
        self.0.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.0.confidentiality_limit().min(MAX_PACKETS)
    }

    fn integrity_limit(&self) -> u64 {
        self.0.integrity_limit()
    }
}

struct HeaderProtection(Box<dyn quic::HeaderProtectionKey>);

impl HeaderProtection {
    /// The first byte, the packet number's longest form and the sample (RFC 9001, section 5.4.2).
    fn parts<'a>(
        &self,
        pn_offset: usize,
        packet: &'a mut [u8],
    ) -> Option<(&'a mut u8, &'a mut [u8], &'a [u8])> {
        let (header, sample) = packet.split_at_mut_checked(pn_offset.checked_add(4)?)?;
        let (first, rest) = header.split_first_mut()?;
        let number = rest.get_mut(pn_offset.checked_sub(1)?..)?;
        Some((first, number, sample.get(..self.0.sample_len())?))
    }
}

impl HeaderKey for HeaderProtection {
    fn decrypt(&self, pn_offset: usize, packet: &mut [u8]) {
        // quinn-proto gives no packet that is too short; one would stay as it is, and not open.
        if let Some((first, number, sample)) = self.parts(pn_offset, packet) {
            let _ = self.0.decrypt_in_place(sample, first, number);
        }
    }

    fn encrypt(&self, pn_offset: usize, packet: &mut [u8]) {
        if let Some((first, number, sample)) = self.parts(pn_offset, packet) {
            let _ = self.0.encrypt_in_place(sample, first, number);
        }
    }

    fn sample_size(&self) -> usize {
        self.0.sample_len()
    }
}

/// What quinn-proto calls the sides.
pub(super) fn role(side: quinn_proto::Side) -> Role {
    match side {
        quinn_proto::Side::Client => Role::Initiator,
        quinn_proto::Side::Server => Role::Responder,
    }
}
