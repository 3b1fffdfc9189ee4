//! A small protocol with stored sessions, in place of a ratchet until there is one.
//!
//! Each direction is a chain: every message moves its key one keyed hash on, and what sealed it is
//! gone. A packet names its chain, which its sender drew, and its place in it. Like a ratchet it
//! works on a candidate and fails, when a key is used again, in the open. It heals from nothing
//! and hides nobody: it is for simulation alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::{Aead, Provider};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_router::{Opened, Sealed, StoredError, StoredProtocol, View};
use meshwork_state::{Batch, Namespace, StoreError};
use serde::{Deserialize, Serialize};

/// The protocol of one agent.
#[derive(Debug)]
pub struct Chain {
    provider: Arc<dyn Provider>,
    own: AgentId,
    secret: Secret<32>,
    peers: Arc<BTreeMap<AgentId, [u8; 32]>>,
}

impl Chain {
    /// The protocol of `own`, whose key agreement secret is `secret`; `peers` are the public keys
    /// of all.
    pub fn new(
        provider: Arc<dyn Provider>,
        own: AgentId,
        secret: Secret<32>,
        peers: Arc<BTreeMap<AgentId, [u8; 32]>>,
    ) -> Self {
        Self { provider, own, secret, peers }
    }

    /// The first key of a chain from one agent to another.
    fn first_key(
        &self,
        peer: &AgentId,
        (from, to): (&AgentId, &AgentId),
        chain: ChainId,
    ) -> Result<Key, StoredError> {
        let public = self.peers.get(peer).ok_or(StoredError::NoSession)?;
        let shared =
            self.provider.x25519(&self.secret, public).map_err(|_| StoredError::NoSession)?;
        let parts: [&[u8]; 3] = [from.as_bytes(), to.as_bytes(), &chain.0];
        Ok(Key(*self.provider.hmac_sha256(shared.expose(), &parts).expose()))
    }

    /// The key of a message, and the key after it.
    fn step(&self, key: Key) -> (Key, Key) {
        let derive = |label: &[u8]| Key(*self.provider.hmac_sha256(&key.0, &[label]).expose());
        (derive(b"message"), derive(b"next"))
    }

    /// Gets the key of a message at `index` from `chain`, keeping those of the places before it.
    fn take_key(&self, chain: &mut Receiving, index: u32) -> Option<Key> {
        if let Some(at) = chain.skipped.iter().position(|(skipped, _)| *skipped == index) {
            return chain.skipped.remove(at).map(|(_, key)| key);
        }
        let ahead = index.checked_sub(chain.next)?;
        if ahead > MAX_AHEAD {
            return None;
        }
        while chain.next < index {
            let (message, next) = self.step(chain.key);
            chain.skipped.push_back((chain.next, message));
            chain.key = next;
            chain.next += 1;
        }
        chain.skipped.drain(..chain.skipped.len().saturating_sub(MAX_SKIPPED));
        let (message, next) = self.step(chain.key);
        chain.key = next;
        chain.next += 1;
        Some(message)
    }
}

impl StoredProtocol for Chain {
    fn can_seal(&self, _: &View<'_>, peer: &AgentId) -> Result<bool, StoreError> {
        Ok(self.peers.contains_key(peer))
    }

    /// A chain that another replaced opens as before.
    fn turns(&self, _: &View<'_>, _: &AgentId) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn seal(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        plaintext: &SecretBytes,
        random: &mut dyn Random,
    ) -> Result<Sealed, StoredError> {
        let mut session = Session::with(view, peer)?;
        let sending = match session.sending {
            Some(sending) => sending,
            None => {
                let id = ChainId(random.array());
                Sending { id, next: 0, key: self.first_key(peer, (&self.own, peer), id)? }
            }
        };
        let (message, next) = self.step(sending.key);
        let mut packet = sending.id.0.to_vec();
        packet.extend_from_slice(&sending.next.to_be_bytes());
        let sealed = self
            .provider
            .aead(Aead::ChaCha20Poly1305, &Secret::new(message.0))
            .seal(&ONLY_NONCE, &packet, plaintext.expose())
            .map_err(|_| StoredError::NoSession)?;
        packet.extend_from_slice(&sealed);
        session.sending = Some(Sending { next: sending.next + 1, key: next, ..sending });
        Ok(Sealed { packet, turns: 0, changes: session.adopted(peer) })
    }

    fn open(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        packet: &[u8],
        _: &mut dyn Random,
    ) -> Result<Opened, StoredError> {
        let mut session = Session::with(view, peer)?;
        let (header, sealed) = packet.split_at_checked(HEADER).ok_or(StoredError::DoesNotOpen)?;
        let (id, index) = header.split_first_chunk().ok_or(StoredError::DoesNotOpen)?;
        let id = ChainId(*id);
        let index = u32::from_be_bytes(index.try_into().map_err(|_| StoredError::DoesNotOpen)?);
        let mut chain = match session.receiving.iter().position(|chain| chain.id == id) {
            Some(at) => session.receiving.remove(at),
            None => {
                let key = self.first_key(peer, (peer, &self.own), id)?;
                Some(Receiving { id, next: 0, key, skipped: VecDeque::new() })
            }
        }
        .ok_or(StoredError::DoesNotOpen)?;
        let message = self.take_key(&mut chain, index).ok_or(StoredError::DoesNotOpen)?;
        let plaintext = self
            .provider
            .aead(Aead::ChaCha20Poly1305, &Secret::new(message.0))
            .open(&ONLY_NONCE, header, sealed)
            .map_err(|_| StoredError::DoesNotOpen)?;
        session.receiving.push_back(chain);
        session.receiving.drain(..session.receiving.len().saturating_sub(MAX_CHAINS));
        Ok(Opened { plaintext, changes: session.adopted(peer), introduced: None })
    }

    fn archive(&self, session: &SecretBytes) -> SecretBytes {
        let mut session = Session::read(Some(session)).unwrap_or_default();
        session.sending = None;
        session.write()
    }
}

/// Names a chain; drawn by its sender.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct ChainId([u8; 16]);

/// A key. It lives in simulated memory only, and is not worth wiping.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Key([u8; 32]);

/// What is stored for one peer.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Session {
    sending: Option<Sending>,
    /// The one used last comes last.
    receiving: VecDeque<Receiving>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Sending {
    id: ChainId,
    next: u32,
    key: Key,
}

#[derive(Debug, Deserialize, Serialize)]
struct Receiving {
    id: ChainId,
    next: u32,
    key: Key,
    /// Keys of messages that were overtaken, oldest first.
    skipped: VecDeque<(u32, Key)>,
}

impl Session {
    fn with(view: &View<'_>, peer: &AgentId) -> Result<Self, StoredError> {
        Self::read(view.row(Namespace::Session, peer.as_bytes())?.as_ref())
    }

    fn adopted(&self, peer: &AgentId) -> Batch {
        let mut changes = Batch::new();
        changes.put(Namespace::Session, *peer.as_bytes(), self.write());
        changes
    }

    fn read(stored: Option<&SecretBytes>) -> Result<Self, StoredError> {
        let Some(stored) = stored else { return Ok(Self::default()) };
        postcard::from_bytes(stored.expose()).map_err(|_| StoredError::NoSession)
    }

    fn write(&self) -> SecretBytes {
        SecretBytes::new(postcard::to_allocvec(self).unwrap_or_default())
    }
}

/// The chain's id and the place in it.
const HEADER: usize = 16 + 4;

/// Each key seals one message.
const ONLY_NONCE: [u8; 12] = [0; 12];

/// How far a packet may be ahead of the last that was opened. Nothing repairs a chain that is left
/// further behind, so this is more than a storm loses.
const MAX_AHEAD: u32 = 4_096;

/// How many keys of overtaken messages a chain keeps: few enough for a storm to pass it, so that
/// messages have to be sealed anew.
const MAX_SKIPPED: usize = 64;

/// How many chains of one sender are kept: a sender that was restored begins another.
const MAX_CHAINS: usize = 4;

#[cfg(test)]
mod tests {
    use meshwork_protocols::time::WallTime;
    use meshwork_router::Look;
    use meshwork_state::Change;

    use super::*;
    use crate::provider::Simulated;
    use crate::seeded::Seeded;

    const A: AgentId = AgentId::from_bytes([1; 32]);
    const B: AgentId = AgentId::from_bytes([2; 32]);

    struct Pair {
        a: Chain,
        b: Chain,
        random: Seeded,
    }

    /// The row of a session, if there is one.
    struct Row(Option<SecretBytes>);

    impl Look for Row {
        fn look(&self, _: Namespace, _: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
            Ok(self.0.clone())
        }
    }

    /// The session that changes lead to.
    fn session_of(changes: &Batch) -> SecretBytes {
        match changes.changes().next() {
            Some((Namespace::Session, _, Change::Put(session))) => session.clone(),
            other => panic!("{other:?}"),
        }
    }

    impl Pair {
        fn new() -> Self {
            let random = Seeded::new(1);
            let provider: Arc<dyn Provider> = Arc::new(Simulated::new(&random));
            let secrets = [Secret::new([1; 32]), Secret::new([2; 32])];
            let public = |secret| provider.x25519_public(secret);
            let peers = Arc::new([(A, public(&secrets[0])), (B, public(&secrets[1]))].into());
            let [a, b] = secrets;
            Self {
                a: Chain::new(provider.clone(), A, a, Arc::clone(&peers)),
                b: Chain::new(provider, B, b, peers),
                random,
            }
        }

        /// What A seals, one packet for each number, and its session then.
        fn seal(&mut self, numbers: std::ops::Range<u32>) -> (Vec<Vec<u8>>, SecretBytes) {
            let (mut packets, mut session) = (Vec::new(), None);
            for number in numbers {
                let plaintext = SecretBytes::new(number.to_be_bytes().to_vec());
                let (packet, next) = self.seal_in(session, &plaintext);
                packets.push(packet);
                session = Some(next);
            }
            (packets, session.unwrap())
        }

        fn seal_in(
            &mut self,
            session: Option<SecretBytes>,
            plaintext: &SecretBytes,
        ) -> (Vec<u8>, SecretBytes) {
            let row = Row(session);
            let view = View::new(&row, WallTime::default());
            let sealed = self.a.seal(&view, &B, plaintext, &mut self.random);
            let Sealed { packet, changes, .. } = sealed.unwrap();
            (packet, session_of(&changes))
        }

        fn open(
            &mut self,
            session: Option<&SecretBytes>,
            packet: &[u8],
        ) -> Result<(SecretBytes, SecretBytes), StoredError> {
            let row = Row(session.cloned());
            let view = View::new(&row, WallTime::default());
            let Opened { plaintext, changes, .. } =
                self.b.open(&view, &A, packet, &mut self.random)?;
            Ok((plaintext, session_of(&changes)))
        }
    }

    #[test]
    fn packets_open_once_each_in_any_order() {
        let mut pair = Pair::new();
        let (packets, _) = pair.seal(0..5);
        let mut session: Option<SecretBytes> = None;
        for at in [3, 0, 4, 1, 2] {
            let (plaintext, next) = pair.open(session.as_ref(), &packets[at]).unwrap();
            assert_eq!(plaintext.expose(), u32::try_from(at).unwrap().to_be_bytes());
            let again = pair.open(Some(&next), &packets[at]);
            assert_eq!(again.err(), Some(StoredError::DoesNotOpen));
            session = Some(next);
        }
    }

    #[test]
    fn a_changed_packet_does_not_open() {
        let mut pair = Pair::new();
        let (packets, _) = pair.seal(0..1);
        for at in 0..packets[0].len() {
            let mut changed = packets[0].clone();
            changed[at] ^= 1;
            assert!(pair.open(None, &changed).is_err(), "byte {at}");
        }
        assert!(pair.open(None, &packets[0][..HEADER - 1]).is_err());
    }

    #[test]
    fn packets_open_at_the_bounds_and_not_one_past() {
        let mut pair = Pair::new();
        let last = MAX_AHEAD + 1;
        let (packets, _) = pair.seal(0..last + 1);
        let packet = |place: u32| packets[usize::try_from(place).unwrap()].as_slice();
        assert!(pair.open(None, packet(last)).is_err());
        let (_, next) = pair.open(None, packet(last - 1)).unwrap();
        let kept = u32::try_from(MAX_SKIPPED).unwrap();
        assert!(pair.open(Some(&next), packet(last - 1 - kept)).is_ok());
        assert!(pair.open(Some(&next), packet(last - 2 - kept)).is_err());
    }

    #[test]
    fn an_archived_session_seals_on_another_chain_and_opens_as_before() {
        let mut pair = Pair::new();
        let (packets, session) = pair.seal(0..1);
        let archived = pair.a.archive(&session);
        let plaintext = SecretBytes::new(vec![9]);
        let (packet, _) = pair.seal_in(Some(archived), &plaintext);
        assert_ne!(packet[..16], packets[0][..16]);
        assert_eq!(pair.open(None, &packet).unwrap().0, plaintext);
    }
}
