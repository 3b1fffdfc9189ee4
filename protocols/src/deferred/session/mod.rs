//! One session: what two ends share after a handshake, and its steps.
//!
//! A step never changes the session that it starts from. It gives the packet or the plaintext with
//! the session that follows, and a step that fails gives nothing: who calls then still holds the
//! session as it was.

mod chains;
mod draft;
mod error;
mod pending;

pub use chains::{Chains, MAX_RECEIVER_CHAINS};
pub use draft::{Draft, Outer};
pub use error::{BeginError, OpenError, SealError};
pub use pending::{MAX_UNANSWERED, Pending};

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::braid::{Braid, Role};
use super::curve_key::{CurveKey, CurvePublic};
use super::handshake::{self, Agreement, Offer, Prekeys};
use super::stored;
use super::suite::Suite;
use super::wire::{FirstMessage, RatchetHeader, RatchetMessage, ServiceAddress};
use crate::provider::DeferredProvider;
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};
use crate::time::WallTime;

/// A session.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Session {
    /// Which KEM began it.
    pub suite: Suite,
    /// Who the two ends are.
    pub identities: Identities,
    /// What the initiator made for it, by which its first messages are known again.
    pub base_key: CurvePublic,
    /// The Double Ratchet.
    pub chains: Chains,
    /// The post-quantum ratchet.
    #[serde(with = "stored::braid")]
    pub braid: Braid,
    /// What each message says until one is answered, at the initiator.
    pub pending: Option<Pending>,
}

/// The two ends, from one's own view.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identities {
    /// One's own identity.
    pub local: CurvePublic,
    /// The peer's.
    pub remote: CurvePublic,
    /// Own and peer's address on the official client's servers, if both have one.
    pub addresses: Option<(ServiceAddress, ServiceAddress)>,
}

/// What the two ends of a new session know beside their keys.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What ends the handshake's label: nothing towards the official client.
    pub context: &'a [u8],
    /// Own and peer's address, towards the official client.
    pub addresses: Option<(ServiceAddress, ServiceAddress)>,
}

/// What an initiator alone decides.
#[derive(Clone, Copy, Debug)]
pub struct Opener {
    /// Names one's installation, towards the official client.
    pub registration: u32,
    /// When an unanswered session stops sealing.
    pub until: WallTime,
}

impl Session {
    /// Begins a session with whoever made the offer.
    pub fn initiate(
        provider: &dyn DeferredProvider,
        local: &CurveKey,
        offer: &Offer,
        terms: &Terms<'_>,
        opener: Opener,
        random: &mut dyn Random,
    ) -> Result<Self, BeginError> {
        let (opening, agreement) =
            handshake::initiate(provider, local, offer, terms.context, random)?;
        let base_key = opening.base_key;
        let Agreement { root, chain, braid } = agreement;
        let chains = Chains::initiator(provider, root, chain, offer.signed.1, random)?;
        Ok(Self {
            suite: offer.kem.1.suite(),
            identities: Identities::new(local, offer.identity, terms),
            base_key,
            chains,
            braid: Braid::new(&braid, Role::Initiator, provider)?,
            pending: Some(Pending::new(opening, opener)),
        })
    }

    /// The session that a first message began, before that message is opened in it.
    pub fn respond(
        provider: &dyn DeferredProvider,
        local: &CurveKey,
        prekeys: &Prekeys<'_>,
        first: &FirstMessage<'_>,
        terms: &Terms<'_>,
    ) -> Result<Self, BeginError> {
        let Agreement { root, chain, braid } =
            handshake::respond(provider, local, prekeys, first, terms.context)?;
        Ok(Self {
            suite: prekeys.kem.suite(),
            identities: Identities::new(local, first.identity, terms),
            base_key: first.base_key,
            chains: Chains::responder(root, chain, prekeys.signed.clone()),
            braid: Braid::new(&braid, Role::Responder, provider)?,
            pending: None,
        })
    }

    /// A packet under way, for a plaintext of `length` bytes.
    pub fn draft(
        &self,
        provider: &dyn DeferredProvider,
        length: usize,
        now: WallTime,
        random: &mut dyn Random,
    ) -> Result<Draft, SealError> {
        if self.pending.as_ref().is_some_and(|pending| pending.is_over(now)) {
            return Err(SealError::Unanswered);
        }
        let (braid, field, braid_key) = self.braid.send(provider, random)?;
        let (chains, seed) = self.chains.send(provider)?;
        let header = RatchetHeader {
            ratchet_key: *self.chains.sender.ratchet_key.public(),
            counter: self.chains.sender.chain_key.index(),
            previous_counter: self.chains.sender.previous_counter,
            braid: field,
            addresses: self.pending.is_some().then(|| self.identities.sent_addresses()).flatten(),
        };
        let keys = seed.keys(provider, &braid_key)?;
        Ok(Draft::new(self.followed_by(chains, braid, self.pending.clone()), header, keys, length))
    }

    /// Opens a message. Nothing of a message that does not verify stays anywhere.
    pub fn open(
        &self,
        provider: &dyn DeferredProvider,
        message: &RatchetMessage<'_>,
        random: &mut dyn Random,
    ) -> Result<(SecretBytes, Self), OpenError> {
        // 1. The addresses are those of this session, where the message shows any.
        if message.addresses.is_some_and(|shown| !self.identities.are_shown_by(shown)) {
            return Err(OpenError::WrongAddresses);
        }
        // 2. The chain has a seed for it, and the braid a key.
        let (received, seed) =
            self.chains.receive(provider, message.ratchet_key, message.counter)?;
        let (braid, braid_key) = self.braid.receive(provider, message.braid)?;
        let keys = seed.keys(provider, &braid_key)?;
        // 3. The MAC is right, in constant time, over the bytes as they came.
        let (signed, mac) = message.split_mac();
        let (sender, receiver) = (&self.identities.remote, &self.identities.local);
        let expected = keys.mac(provider, &[&sender.encode(), &receiver.encode(), signed]);
        if Secret::from_slice(mac).is_none_or(|mac| mac != expected) {
            return Err(OpenError::DoesNotOpen);
        }
        // 4. And so is the padding.
        let plaintext =
            keys.decrypt(provider, message.ciphertext).map_err(|_| OpenError::DoesNotOpen)?;
        // 5. Only now the ratchet turns, and the peer is known to have the session.
        let chains = received.turn(provider, random)?;
        Ok((plaintext, self.followed_by(chains, braid, None)))
    }

    /// Whether `first` is a message of this session.
    pub fn is_begun_by(&self, first: &FirstMessage<'_>) -> bool {
        self.base_key == first.base_key
    }

    /// The session as the archive keeps it: it still opens, and no longer begins.
    #[must_use]
    pub fn archived(mut self) -> Self {
        self.pending = None;
        self
    }

    /// The session without its sending keys: it only opens from now on.
    #[must_use]
    pub fn spent(mut self) -> Self {
        self.chains.sender = self.chains.sender.spent();
        self
    }

    /// Whether it has a key to seal with.
    pub fn seals(&self) -> bool {
        !self.chains.sender.is_spent()
    }

    fn followed_by(&self, chains: Chains, braid: Braid, pending: Option<Pending>) -> Self {
        Self {
            suite: self.suite,
            identities: self.identities,
            base_key: self.base_key,
            chains,
            braid,
            pending,
        }
    }
}

impl Identities {
    fn new(local: &CurveKey, remote: CurvePublic, terms: &Terms<'_>) -> Self {
        Self { local: *local.public(), remote, addresses: terms.addresses }
    }

    fn sent_addresses(&self) -> Option<[u8; super::wire::ADDRESSES_LENGTH]> {
        self.addresses.map(|(local, remote)| ServiceAddress::pair(&local, &remote))
    }

    fn are_shown_by(&self, shown: &[u8]) -> bool {
        self.addresses.is_some_and(|(local, remote)| ServiceAddress::pair(&remote, &local) == shown)
    }
}

/// A packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Whether the message inside has a first message around it.
    pub kind: PacketKind,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The two kinds of packet. Their bytes do not say which they are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum PacketKind {
    /// A first message; type 3 at the official client.
    First,
    /// A message of a session that was answered; type 2.
    Ratchet,
}
