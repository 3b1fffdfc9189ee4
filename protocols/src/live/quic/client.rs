//! The side that dials.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use quinn_proto::ConnectError;
use quinn_proto::crypto::{ClientConfig, Session};
use quinn_proto::transport_parameters::TransportParameters;

use super::handshake::{Dialled, NoiseSession};
use super::initial::InitialProtection;
use super::negotiation;
use super::refusal::Refusal;
use super::{QUIC_VERSION, Randomness, prologue};
use crate::live::dial::Dial;
use crate::live::handshake::{HandshakeError, InitiatorKeys, Terms};
use crate::live::local::Local;
use crate::live::session::SessionError;
use crate::live::suite::Suite;
use crate::time::WallTime;

/// What the connections of one dial are made with, in place of a TLS client configuration.
pub struct NoiseClient {
    local: Arc<Local>,
    dial: Dial,
    suite: Suite,
    now: WallTime,
    initial: Arc<InitialProtection>,
    randomness: Randomness,
    pub(super) protocol: &'static [u8],
}

impl NoiseClient {
    /// For a dial that begins now.
    pub fn new(
        local: Arc<Local>,
        dial: Dial,
        now: WallTime,
        randomness: Randomness,
    ) -> Result<Self, SessionError> {
        let suite = dial.suite(&local)?;
        let initial = InitialProtection::new(Arc::clone(local.provider()));
        let initial = Arc::new(initial.ok_or(HandshakeError::Internal)?);
        let protocol = negotiation::PROTOCOL;
        Ok(Self { local, dial, suite, now, initial, randomness, protocol })
    }

    fn begin(&self, parameters: &TransportParameters) -> Result<NoiseSession, Refusal> {
        let mut random = (self.randomness)();
        let (local, suite) = (&self.local, self.suite);
        let key = self.dial.static_key(local, random.as_mut());
        let prologue = prologue(suite);
        let terms = Terms { provider: local.provider(), suite, prologue: &prologue, local: &key };
        // Drawn anew for each connection.
        let keys = InitiatorKeys::draw(local.provider().as_ref(), random.as_mut())?;
        let payload = negotiation::encode(self.protocol, parameters);
        let (noise, message1) = keys.initiate(terms, &payload)?;
        let message1 = [&[suite.byte()], message1.as_slice()].concat();
        let dialled = Dialled { dial: self.dial.clone(), now: self.now };
        let (provider, initial) = (Arc::clone(local.provider()), Arc::clone(&self.initial));
        NoiseSession::initiator(provider, initial, noise, suite, &message1, dialled)
    }
}

impl ClientConfig for NoiseClient {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        _server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        if version != QUIC_VERSION {
            return Err(ConnectError::UnsupportedVersion);
        }
        // The nearest that quinn-proto has to "the provider failed".
        let session = self.begin(params).map_err(|_| ConnectError::EndpointStopping)?;
        Ok(Box::new(session))
    }
}

impl fmt::Debug for NoiseClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoiseClient").field("dial", &self.dial).finish_non_exhaustive()
    }
}
