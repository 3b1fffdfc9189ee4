//! The side that is dialled.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use quinn_proto::crypto::{Keys, ServerConfig, Session, UnsupportedVersion};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side};

use super::handshake::NoiseSession;
use super::initial::InitialProtection;
use super::negotiation;
use super::refusal::Refusal;
use super::{QUIC_VERSION, Randomness, prologue, retry};
use crate::live::handshake::{HandshakeError, ReadMessage1, Terms, read_message1};
use crate::live::local::Local;
use crate::live::session::SessionError;
use crate::live::suite::Suite;

/// What connections of those who dial us are made with, in place of a TLS server configuration.
pub struct NoiseServer {
    local: Arc<Local>,
    initial: Arc<InitialProtection>,
    randomness: Randomness,
}

impl NoiseServer {
    /// For connections that are accepted under the present card. A new card makes a new value.
    pub fn new(local: Arc<Local>, randomness: Randomness) -> Result<Self, SessionError> {
        let initial = InitialProtection::new(Arc::clone(local.provider()));
        let initial = Arc::new(initial.ok_or(HandshakeError::Internal)?);
        Ok(Self { local, initial, randomness })
    }

    pub(super) fn session(self: Arc<Self>, parameters: &TransportParameters) -> NoiseSession {
        let (provider, initial) = (Arc::clone(self.local.provider()), Arc::clone(&self.initial));
        let payload = negotiation::encode(negotiation::PROTOCOL, parameters);
        NoiseSession::responder(provider, initial, Answering { server: self, payload })
    }
}

impl ServerConfig for NoiseServer {
    fn initial_keys(
        &self,
        version: u32,
        dst_cid: &ConnectionId,
    ) -> Result<Keys, UnsupportedVersion> {
        if version != QUIC_VERSION {
            return Err(UnsupportedVersion);
        }
        Ok(self.initial.keys(dst_cid, Side::Server))
    }

    fn retry_tag(&self, _version: u32, orig_dst_cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        // Where it cannot be made, no client takes the Retry.
        retry::tag(self.local.provider().as_ref(), orig_dst_cid, &[packet]).unwrap_or_default()
    }

    fn start_session(
        self: Arc<Self>,
        _version: u32,
        params: &TransportParameters,
    ) -> Box<dyn Session> {
        Box::new(self.session(params))
    }
}

impl fmt::Debug for NoiseServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoiseServer").field("local", &self.local).finish_non_exhaustive()
    }
}

/// A connection that waits for message 1.
pub(super) struct Answering {
    server: Arc<NoiseServer>,
    payload: Vec<u8>,
}

impl Answering {
    /// Reads `suite || Noise message 1`: the suite, the state that answers, and the payload.
    pub(super) fn read(&self, message: &[u8]) -> Result<(Suite, ReadMessage1, Vec<u8>), Refusal> {
        let local = &self.server.local;
        let (kind, message1) = message.split_first().ok_or(Refusal::Malformed)?;
        let suite = Suite::from_byte(*kind)
            .filter(|suite| local.suites().any(|listed| listed == *suite))
            .ok_or(Refusal::SuiteNotListed)?;
        let prologue = prologue(suite);
        let terms = Terms {
            provider: local.provider(),
            suite,
            prologue: &prologue,
            local: local.live_key(),
        };
        let mut random = (self.server.randomness)();
        let (read, payload) = read_message1(terms, message1, random.as_mut())?;
        Ok((suite, read, payload))
    }

    /// What message 2 carries.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }
}
