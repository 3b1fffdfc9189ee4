//! The handshake of one connection, step by step, as quinn-proto asks for it.
//!
//! A message that came is read at once, and what answers it is made then, keys included, since the
//! trait can refuse while it reads but not while it writes. Each step is one message or one change of
//! keys, and nothing may stand behind a message: no byte straddles a change of keys.
//!
//! The responder puts a marker into the Handshake space, and the initiator holds message 3 until it
//! has it: quinn-proto counts a client as connected only while it reads a Handshake packet, and a
//! server forgets that space once message 3 came. Without the marker one lost packet is a deadlock.
//!
//! What is left when it is done is the next secret of each direction. The Noise state, and with it
//! every key of the handshake, is gone by then.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::mem;

use quinn_proto::crypto::{
    ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side, TransportError};

use super::initial::InitialProtection;
use super::negotiation;
use super::protection::{Protection, Secrets};
use super::refusal::Refusal;
use super::retry;
use super::server::Answering;
use crate::identity::Transport;
use crate::live::dial::Dial;
use crate::live::framer::{Framer, frame};
use crate::live::handshake::{AwaitMessage2, AwaitMessage3, Established, MiddleKeys, Role};
use crate::live::hello::Channel;
use crate::live::suite::Suite;
use crate::provider::Provider;
use crate::time::WallTime;

/// What the responder says in the Handshake space: that it is there.
pub(super) const MARKER: &[u8] = b"\x01";

/// One connection's handshake, and the key updates after it.
pub(super) struct NoiseSession {
    provider: Arc<dyn Provider>,
    initial: Arc<InitialProtection>,
    side: Side,
    framer: Framer,
    state: State,
    /// What is to be said, and which keys come into use behind it.
    steps: VecDeque<Step>,
    /// The peer's, still encoded.
    parameters: Option<Vec<u8>>,
    /// The session that Hello will speak of.
    channel: Option<Channel>,
    updates: Option<Updates>,
}

/// Where a handshake stands.
enum State {
    AwaitMessage1(Answering),
    AwaitMessage2 { noise: AwaitMessage2, suite: Suite, dialled: Dialled },
    AwaitMarker { message3: Vec<u8>, protection: Protection, secrets: Secrets },
    AwaitMessage3 { noise: AwaitMessage3, protection: Protection },
    Done,
    Failed,
}

/// What an initiator wants, and when.
pub(super) struct Dialled {
    pub(super) dial: Dial,
    pub(super) now: WallTime,
}

#[derive(Default)]
struct Step {
    bytes: Vec<u8>,
    keys: Option<Keys>,
}

/// What key updates need.
struct Updates {
    protection: Protection,
    /// Of the key phase that is not handed out yet.
    next: Secrets,
}

impl NoiseSession {
    /// The side that sent `message1`.
    pub(super) fn initiator(
        provider: Arc<dyn Provider>,
        initial: Arc<InitialProtection>,
        noise: AwaitMessage2,
        suite: Suite,
        message1: &[u8],
        dialled: Dialled,
    ) -> Result<Self, Refusal> {
        let mut session = Self::new(provider, initial, Side::Client);
        session.state = State::AwaitMessage2 { noise, suite, dialled };
        session.say(message1, None)?;
        Ok(session)
    }

    /// The side that waits for one.
    pub(super) fn responder(
        provider: Arc<dyn Provider>,
        initial: Arc<InitialProtection>,
        answering: Answering,
    ) -> Self {
        let mut session = Self::new(provider, initial, Side::Server);
        session.state = State::AwaitMessage1(answering);
        session
    }

    fn new(provider: Arc<dyn Provider>, initial: Arc<InitialProtection>, side: Side) -> Self {
        Self {
            provider,
            initial,
            side,
            framer: Framer::default(),
            state: State::Failed,
            steps: VecDeque::new(),
            parameters: None,
            channel: None,
            updates: None,
        }
    }

    /// Takes bytes of the present space.
    fn receive(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            if matches!(self.state, State::Done | State::Failed) {
                return Err(Refusal::Malformed);
            }
            let Some(message) = self.framer.take(&mut bytes)? else { return Ok(()) };
            // Each side says one thing in each space, and the next is under other keys.
            if !bytes.is_empty() {
                return Err(Refusal::Malformed);
            }
            self.state = self.receive_message(&message)?;
        }
        Ok(())
    }

    fn receive_message(&mut self, message: &[u8]) -> Result<State, Refusal> {
        match mem::replace(&mut self.state, State::Failed) {
            State::AwaitMessage1(answering) => self.receive_message1(&answering, message),
            State::AwaitMessage2 { noise, suite, dialled } => {
                self.receive_message2(noise, suite, &dialled, message)
            }
            State::AwaitMarker { message3, protection, secrets } => {
                if message != MARKER {
                    return Err(Refusal::Malformed);
                }
                let keys = self.begin_1rtt(protection, &secrets);
                self.say(&message3, Some(keys))?;
                Ok(State::Done)
            }
            State::AwaitMessage3 { noise, protection } => {
                let established = noise.receive(message)?;
                self.channel = Some(Channel::new(Transport::Quic, &established));
                let keys = self.begin_1rtt(protection, &final_secrets(established));
                self.steps.push_back(Step { bytes: Vec::new(), keys: Some(keys) });
                Ok(State::Done)
            }
            State::Done | State::Failed => Err(Refusal::Malformed),
        }
    }

    fn receive_message1(
        &mut self,
        answering: &Answering,
        message: &[u8],
    ) -> Result<State, Refusal> {
        let (suite, read, payload) = answering.read(message)?;
        self.parameters = Some(negotiation::decode(&payload)?);
        let (mut noise, message2) = read.answer(answering.payload())?;
        let protection = self.protection(suite)?;
        let keys = protection.keys(&middle_secrets(Role::Responder, noise.middle()));
        self.say(&message2, Some(keys))?;
        self.say(MARKER, None)?;
        Ok(State::AwaitMessage3 { noise, protection })
    }

    fn receive_message2(
        &mut self,
        noise: AwaitMessage2,
        suite: Suite,
        dialled: &Dialled,
        message: &[u8],
    ) -> Result<State, Refusal> {
        let (mut read, payload) = noise.read(message)?;
        let parameters = negotiation::decode(&payload)?;
        let middle = read.middle();
        let (established, message3) = dialled.dial.go_on(read, dialled.now)?;
        self.parameters = Some(parameters);
        self.channel = Some(Channel::new(Transport::Quic, &established));
        let protection = self.protection(suite)?;
        let keys = protection.keys(&middle_secrets(Role::Initiator, middle));
        self.steps.push_back(Step { bytes: Vec::new(), keys: Some(keys) });
        let secrets = final_secrets(established);
        Ok(State::AwaitMarker { message3, protection, secrets })
    }

    fn protection(&self, suite: Suite) -> Result<Protection, Refusal> {
        Protection::of(Arc::clone(&self.provider), suite).ok_or(Refusal::Internal)
    }

    /// The keys of the first phase; their secrets are gone, the next ones stay.
    fn begin_1rtt(&mut self, protection: Protection, secrets: &Secrets) -> Keys {
        let keys = protection.keys(secrets);
        let next = protection.next(secrets);
        self.updates = Some(Updates { protection, next });
        keys
    }

    /// What a copy of the state would give of what comes.
    #[cfg(test)]
    pub(super) fn updates(&self) -> Option<(&Protection, &Secrets)> {
        self.updates.as_ref().map(|updates| (&updates.protection, &updates.next))
    }

    fn say(&mut self, message: &[u8], keys: Option<Keys>) -> Result<(), Refusal> {
        let mut bytes = Vec::new();
        frame(message, &mut bytes)?;
        self.steps.push_back(Step { bytes, keys });
        Ok(())
    }
}

/// Of Handshake packets.
fn middle_secrets(role: Role, keys: MiddleKeys) -> Secrets {
    Secrets::of(role, keys.by_initiator, keys.by_responder)
}

/// Of 1-RTT packets.
fn final_secrets(established: Established) -> Secrets {
    Secrets { local: established.keys.send, remote: established.keys.receive }
}

impl Session for NoiseSession {
    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.initial.keys(dst_cid, side)
    }

    /// A [`Channel`].
    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.channel.map(|channel| Box::new(channel) as Box<dyn Any>)
    }

    /// A [`LivePublic`](crate::identity::LivePublic). Whose it is, Hello says.
    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.channel.map(|channel| Box::new(channel.remote_static) as Box<dyn Any>)
    }

    /// There is no 0-RTT: what is sent before the peer is known could be sent again by anybody.
    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        !matches!(self.state, State::Done)
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        let before = self.channel.is_some();
        if let Err(refusal) = self.receive(buf) {
            self.state = State::Failed;
            return Err(refusal.into());
        }
        Ok(!before && self.channel.is_some())
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        let Some(mut encoded) = self.parameters.as_deref() else { return Ok(None) };
        Ok(Some(TransportParameters::read(self.side, &mut encoded)?))
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let step = self.steps.pop_front()?;
        buf.extend_from_slice(&step.bytes);
        step.keys
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        let Updates { protection, next } = self.updates.as_mut()?;
        let keys = protection.packet_keys(next);
        *next = protection.next(next);
        Some(keys)
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        retry::is_valid(self.provider.as_ref(), orig_dst_cid, header, payload)
    }

    /// Nothing is exported: what speaks above takes the handshake's hash.
    fn export_keying_material(
        &self,
        _output: &mut [u8],
        _label: &[u8],
        _context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        Err(ExportKeyingMaterialError)
    }
}
