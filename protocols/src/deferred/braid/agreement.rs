//! One agreement after the other: a KEM key travels one way in pieces, a ciphertext the other, and
//! both ends have a new secret. Then the sides change.
//!
//! This is the sparse continuous key agreement of the ML-KEM Braid specification. Knows nothing of
//! message keys.

use alloc::sync::Arc;

use super::answering::{
    Ct1Acknowledged, Ct1Sampled, Ct2Sampled, EkReceivedCt1Sampled, HeaderReceived, NoHeaderReceived,
};
use super::authenticator::{Authenticator, FIRST_EPOCH, epoch_secret};
use super::message::Payload;
use super::offering::{Ct1Received, EkSentCt1Received, HeaderSent, KeysSampled, KeysUnsampled};
use super::{BraidError, Role};
use crate::provider::SplitKem;
use crate::random::Random;
use crate::secret::Secret;

/// The agreement under way.
#[derive(Clone, Debug)]
pub(super) struct Agreement {
    pub(super) epoch: u64,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) phase: Phase,
}

/// Where it stands: the eleven states of the specification, under its names.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    KeysUnsampled(KeysUnsampled),
    KeysSampled(KeysSampled),
    HeaderSent(HeaderSent),
    Ct1Received(Ct1Received),
    EkSentCt1Received(EkSentCt1Received),
    NoHeaderReceived(NoHeaderReceived),
    HeaderReceived(HeaderReceived),
    Ct1Sampled(Ct1Sampled),
    EkReceivedCt1Sampled(EkReceivedCt1Sampled),
    Ct1Acknowledged(Ct1Acknowledged),
    Ct2Sampled(Ct2Sampled),
}

/// What a state says, and what it then is.
pub(super) struct Said {
    pub(super) phase: Phase,
    pub(super) payload: Payload,
    /// The secret of the epoch, where this made it.
    pub(super) agreed: Option<Secret<32>>,
}

impl Said {
    pub(super) fn new(phase: Phase, payload: Payload) -> Self {
        Self { phase, payload, agreed: None }
    }
}

/// What a state is after it heard something.
pub(super) enum Heard {
    /// It is still the same agreement's.
    More(Phase),
    /// It is done with it, and this is the secret of the epoch.
    Agreed(Secret<32>),
}

impl Agreement {
    /// The first one of a session. Its initiator offers a key.
    pub(super) fn new(
        provider: &dyn SplitKem,
        role: Role,
        key: &Secret<32>,
    ) -> Result<Self, BraidError> {
        let phase = match role {
            Role::Initiator => Phase::KeysUnsampled(KeysUnsampled),
            Role::Responder => Phase::NoHeaderReceived(NoHeaderReceived::default()),
        };
        let authenticator = Arc::new(Authenticator::new(provider, key)?);
        Ok(Self { epoch: FIRST_EPOCH, authenticator, phase })
    }

    /// What goes with the next message, and the secret of this epoch if that made it.
    pub(super) fn send(
        &mut self,
        provider: &dyn SplitKem,
        random: &mut dyn Random,
    ) -> Result<(Payload, Option<Secret<32>>), BraidError> {
        let mut turn = Turn { provider, epoch: self.epoch, authenticator: &mut self.authenticator };
        let said = match self.phase.clone() {
            Phase::KeysUnsampled(phase) => phase.send(&turn, random)?,
            Phase::KeysSampled(phase) => phase.send(),
            Phase::HeaderSent(phase) => phase.send(),
            Phase::Ct1Received(phase) => phase.send(),
            Phase::EkSentCt1Received(phase) => phase.send(),
            Phase::NoHeaderReceived(phase) => phase.send(),
            Phase::HeaderReceived(phase) => phase.send(&mut turn, random)?,
            Phase::Ct1Sampled(phase) => phase.send(),
            Phase::EkReceivedCt1Sampled(phase) => phase.send(),
            Phase::Ct1Acknowledged(phase) => phase.send(),
            Phase::Ct2Sampled(phase) => phase.send(),
        };
        self.phase = said.phase;
        Ok((said.payload, said.agreed))
    }

    /// Takes in what came with a message of `epoch`. The result is the secret of this epoch, if that
    /// completed it.
    pub(super) fn receive(
        &mut self,
        provider: &dyn SplitKem,
        epoch: u64,
        payload: &Payload,
    ) -> Result<Option<Secret<32>>, BraidError> {
        if epoch < self.epoch {
            return Ok(None);
        }
        if epoch > self.epoch {
            return self.move_on(epoch).map(|()| None);
        }
        match self.hear(provider, payload)? {
            Heard::More(phase) => {
                self.phase = phase;
                Ok(None)
            }
            Heard::Agreed(secret) => {
                self.begin_next(Phase::NoHeaderReceived(NoHeaderReceived::default()))?;
                Ok(Some(secret))
            }
        }
    }

    fn hear(&mut self, provider: &dyn SplitKem, payload: &Payload) -> Result<Heard, BraidError> {
        let mut turn = Turn { provider, epoch: self.epoch, authenticator: &mut self.authenticator };
        Ok(Heard::More(match self.phase.clone() {
            phase @ (Phase::KeysUnsampled(_) | Phase::HeaderReceived(_) | Phase::Ct2Sampled(_)) => {
                phase
            }
            Phase::KeysSampled(phase) => phase.receive(payload),
            Phase::HeaderSent(phase) => phase.receive(payload),
            Phase::Ct1Received(phase) => return phase.receive(&mut turn, payload),
            Phase::EkSentCt1Received(phase) => return phase.receive(&mut turn, payload),
            Phase::NoHeaderReceived(phase) => phase.receive(&turn, payload)?,
            Phase::Ct1Sampled(phase) => phase.receive(&turn, payload)?,
            Phase::EkReceivedCt1Sampled(phase) => phase.receive(payload),
            Phase::Ct1Acknowledged(phase) => phase.receive(&turn, payload)?,
        }))
    }

    /// A message of the next epoch shows that the peer has the whole ciphertext.
    fn move_on(&mut self, epoch: u64) -> Result<(), BraidError> {
        match self.phase {
            Phase::Ct2Sampled(_) if epoch - self.epoch == 1 => {
                self.begin_next(Phase::KeysUnsampled(KeysUnsampled))
            }
            _ => Err(BraidError::EpochAhead),
        }
    }

    fn begin_next(&mut self, phase: Phase) -> Result<(), BraidError> {
        self.epoch = self.epoch.checked_add(1).ok_or(BraidError::Exhausted)?;
        self.phase = phase;
        Ok(())
    }
}

/// What a state may use while it speaks or listens.
pub(super) struct Turn<'a> {
    pub(super) provider: &'a dyn SplitKem,
    epoch: u64,
    authenticator: &'a mut Arc<Authenticator>,
}

impl Turn<'_> {
    /// The secret of the epoch, out of what the KEM shared. From here on the authenticator is that
    /// of the next.
    pub(super) fn agree(&mut self, shared: &Secret<32>) -> Result<Secret<32>, BraidError> {
        let secret = epoch_secret(self.provider, self.epoch, shared)?;
        let next = self.authenticator.update(self.provider, self.epoch, &secret)?;
        *self.authenticator = Arc::new(next);
        Ok(secret)
    }

    /// The MAC of a KEM key's header.
    pub(super) fn header_mac(&self, header: &[u8]) -> Secret<32> {
        self.authenticator.header_mac(self.provider, self.epoch, header)
    }

    /// The MAC of a ciphertext, whose secret has been agreed on.
    pub(super) fn ciphertext_mac(&self, ct1: &[u8], ct2: &[u8]) -> Secret<32> {
        self.authenticator.ciphertext_mac(self.provider, self.epoch, [ct1, ct2])
    }
}
