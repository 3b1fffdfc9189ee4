//! QUIC with TLS 1.3 in the place of our handshake: the control in tests and benchmarks, behind the
//! same traits, and off by default (feature `tls-control`).
//!
//! The nearest that TLS has to a live session without Hello: `X25519MLKEM768` and nothing else, an
//! Ed25519 raw public key on each side, pinned by the other, no resumption and no tickets. Knows
//! nothing of cards. No agent speaks it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::crypto::{self, rustls::NoInitialCipherSuite};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer,
    UnixTime,
};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig,
    SignatureScheme,
};

use crate::secret::Secret;

/// The version of QUIC that goes with it (RFC 9000).
pub const TLS_QUIC_VERSION: u32 = 1;

/// Both ends of TLS 1.3, each of which accepts the other's key alone.
#[derive(Clone, Debug)]
pub struct TlsControl {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl TlsControl {
    /// Two ends with Ed25519 keys from these seeds.
    pub fn new(client: &Secret<32>, server: &Secret<32>) -> Result<Self, TlsError> {
        let provider = Arc::new(provider());
        let (client_key, server_key) = (raw_key(&provider, client)?, raw_key(&provider, server)?);
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Pinned::key_of(&provider, &server_key)?)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                Arc::clone(&client_key),
            )));
        client.resumption = Resumption::disabled();
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Pinned::key_of(&provider, &client_key)?)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(server_key)));
        // Ours makes none either.
        server.send_tls13_tickets = 0;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }

    /// The end that dials, as rustls takes it.
    pub fn client(&self) -> &Arc<ClientConfig> {
        &self.client
    }

    /// The end that is dialled.
    pub fn server(&self) -> &Arc<ServerConfig> {
        &self.server
    }

    /// The end that dials, in the place of [`NoiseClient`](super::NoiseClient).
    pub fn quic_client(&self) -> Result<Arc<dyn crypto::ClientConfig>, TlsError> {
        let client = QuicClientConfig::with_initial(Arc::clone(&self.client), initial()?)?;
        Ok(Arc::new(client))
    }

    /// The end that is dialled, in the place of [`NoiseServer`](super::NoiseServer).
    pub fn quic_server(&self) -> Result<Arc<dyn crypto::ServerConfig>, TlsError> {
        let server = QuicServerConfig::with_initial(Arc::clone(&self.server), initial()?)?;
        Ok(Arc::new(server))
    }
}

/// Why there is no control.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// rustls refuses.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
    /// A key has no public half.
    #[error("the key has no public half")]
    NoKey,
    /// rustls was built without what QUIC protects its first packets with.
    #[error("no cipher for the first packets")]
    NoInitialCipher,
}

impl From<NoInitialCipherSuite> for TlsError {
    fn from(_: NoInitialCipherSuite) -> Self {
        Self::NoInitialCipher
    }
}

/// What version 1 protects its first packets with (RFC 9001, section 5.2).
fn initial() -> Result<rustls::quic::Suite, TlsError> {
    let suite = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    suite.tls13().and_then(|suite| suite.quic_suite()).ok_or(TlsError::NoInitialCipher)
}

fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    // Else a fallback to X25519 alone would be silent.
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    provider.cipher_suites.retain(|suite| suite.suite() == CipherSuite::TLS13_AES_256_GCM_SHA384);
    provider
}

fn raw_key(provider: &CryptoProvider, seed: &Secret<32>) -> Result<Arc<CertifiedKey>, TlsError> {
    // RFC 8410: a PKCS#8 of version 1 around the 32 bytes. Its owner wipes it.
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.reserve_exact(32);
    der.extend_from_slice(seed.expose());
    let key = provider
        .key_provider
        .load_private_key(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)))?;
    let public = key.public_key().ok_or(TlsError::NoKey)?;
    let public = CertificateDer::from(public.as_ref().to_vec());
    Ok(Arc::new(CertifiedKey::new(vec![public], key)))
}

/// Accepts one raw public key, as Meshwork accepts those of one card.
#[derive(Debug)]
struct Pinned {
    key: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn key_of(provider: &CryptoProvider, key: &CertifiedKey) -> Result<Arc<Self>, TlsError> {
        let key = key.cert.first().ok_or(TlsError::NoKey)?.clone();
        Ok(Arc::new(Self { key, algorithms: provider.signature_verification_algorithms }))
    }

    fn check(&self, shown: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        if *shown == self.key {
            Ok(())
        } else {
            Err(rustls::Error::General(String::from("another key")))
        }
    }

    fn verify(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature_with_raw_key(
            message,
            &SubjectPublicKeyInfoDer::from(key.as_ref()),
            signature,
            &self.algorithms,
        )
    }
}

fn no_tls12() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(rustls::Error::General(String::from("TLS 1.2")))
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
