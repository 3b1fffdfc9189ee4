//! Packets for a peer that is away: the rules that keep a stored session from using a key twice.

use std::time::Duration;

use crate::common::{Node, Pair, text};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{Aead, Provider};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::wire::Frame;
use meshwork_router::{
    Input, Level, Misbehaviour, Opened, Policy, Protocol, Request, Sealed, Stored, StoredError,
    StoredProtocol, View,
};
use meshwork_state::{Batch, Namespace, Rows, StoreError};

/// Counts packets under one key: state = next to seal || next to open.
#[derive(Debug)]
struct Counter;

impl Counter {
    fn read(session: Option<&SecretBytes>) -> (u64, u64) {
        let bytes: [u8; 16] =
            session.map_or([0; 16], |session| session.expose().try_into().unwrap());
        let number = |half: &[u8]| u64::from_be_bytes(half.try_into().unwrap());
        (number(&bytes[..8]), number(&bytes[8..]))
    }

    fn write(seal: u64, open: u64) -> SecretBytes {
        SecretBytes::new([seal.to_be_bytes(), open.to_be_bytes()].concat())
    }

    fn adopted(peer: &AgentId, seal: u64, open: u64) -> Batch {
        let mut changes = Batch::new();
        changes.put(Namespace::Session, *peer.as_bytes(), Self::write(seal, open));
        changes
    }

    fn nonce(number: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        nonce
    }
}

impl StoredProtocol for Counter {
    fn can_seal(&self, _: &View<'_>, _: &AgentId) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Ten packets a turn.
    fn turns(&self, view: &View<'_>, peer: &AgentId) -> Result<u64, StoreError> {
        let row = view.row(Namespace::Session, peer.as_bytes())?;
        Ok(Self::read(row.as_ref()).0 / 10)
    }

    fn seal(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        plaintext: &SecretBytes,
        _: &mut dyn Random,
    ) -> Result<Sealed, StoredError> {
        let row = view.row(Namespace::Session, peer.as_bytes())?;
        let (seal, open) = Self::read(row.as_ref());
        let key = Pure.aead(Aead::ChaCha20Poly1305, &Secret::new([7; 32]));
        let mut packet = seal.to_be_bytes().to_vec();
        packet.extend(key.seal(&Self::nonce(seal), &[], plaintext.expose()).unwrap());
        let changes = Self::adopted(peer, seal + 1, open);
        Ok(Sealed { packet, turns: seal / 10, changes })
    }

    fn open(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        packet: &[u8],
        _: &mut dyn Random,
    ) -> Result<Opened, StoredError> {
        let row = view.row(Namespace::Session, peer.as_bytes())?;
        let (seal, open) = Self::read(row.as_ref());
        let (number, ciphertext) =
            packet.split_first_chunk::<8>().ok_or(StoredError::DoesNotOpen)?;
        let number = u64::from_be_bytes(*number);
        if number < open {
            return Err(StoredError::DoesNotOpen);
        }
        let key = Pure.aead(Aead::ChaCha20Poly1305, &Secret::new([7; 32]));
        let plaintext = key
            .open(&Self::nonce(number), &[], ciphertext)
            .map_err(|_| StoredError::DoesNotOpen)?;
        let changes = Self::adopted(peer, seal, number + 1);
        Ok(Opened { plaintext, changes, introduced: None })
    }

    fn archive(&self, session: &SecretBytes) -> SecretBytes {
        let (seal, open) = Self::read(Some(session));
        Self::write(seal + 1_000, open)
    }
}

fn pair() -> Pair {
    let node =
        |number| Node::with(number, Policy::default(), |_, _| Stored::Other(Box::new(Counter)));
    Pair::of(node(1), node(2))
}

fn sealed(frame: &[u8]) -> Vec<u8> {
    match Frame::decode(frame).unwrap() {
        Frame::Sealed(packet) => packet,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_for_a_peer_that_is_away_goes_sealed_and_its_receipt_comes_back() {
    let mut pair = pair();
    pair.connect_mail();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
    assert_eq!(pair.b.inbox()[0].protocol, Protocol::Deferred);
    assert_eq!(pair.a.level(id), Some(Level::Delivered));
}

#[test]
fn a_packet_leaves_only_with_the_session_that_follows_it() {
    let mut pair = pair();
    pair.connect_mail();
    let to = pair.b.id();
    pair.a.request(Request::Send(text(to, "hello")));
    assert!(pair.a.sent.is_empty());
    assert!(pair.a.store.get(Namespace::Session, to.as_bytes()).unwrap().is_none());
    pair.a.commit();
    assert_eq!(pair.a.sent.len(), 1);
    assert!(pair.a.store.get(Namespace::Session, to.as_bytes()).unwrap().is_some());
}

#[test]
fn a_resend_is_the_same_bytes_on_whatever_path_also_after_a_restart() {
    let mut pair = pair();
    pair.connect_mail();
    pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let first = pair.a.sent.pop_front().unwrap().1;
    pair.a.pass(Duration::from_secs(60));
    assert_eq!(pair.a.sent.pop_front().unwrap().1, first);
    pair.a.restart();
    pair.connect();
    let again = pair.a.sent.pop_front().unwrap().1;
    assert_eq!(sealed(&again), sealed(&first));
}

#[test]
fn bytes_of_a_chain_more_than_four_turns_old_are_sealed_anew() {
    let mut pair = pair();
    pair.connect_mail();
    let to = pair.b.id();
    pair.a.send(text(to, "hello")).unwrap();
    let first = pair.a.sent.pop_front().unwrap().1;
    let mut next_is = |next| {
        let mut batch = Batch::new();
        batch.put(Namespace::Session, *to.as_bytes(), Counter::write(next, 0));
        meshwork_state::Store::commit(&*pair.a.store, &batch).unwrap();
        pair.a.pass(Duration::from_secs(4 * 60));
        pair.a.commit();
        pair.a.sent.pop_front().unwrap().1
    };
    assert_eq!(next_is(49), first, "four turns");
    assert_eq!(sealed(&next_is(50))[..8], 50_u64.to_be_bytes(), "five");
}

#[test]
fn a_failed_commit_forgets_the_step_of_the_session() {
    let mut pair = pair();
    pair.connect_mail();
    let to = pair.b.id();
    pair.a.request(Request::Send(text(to, "lost")));
    pair.a.fail_commit(false);
    pair.a.send(text(to, "kept")).unwrap();
    let packet = sealed(&pair.a.sent.front().unwrap().1);
    assert_eq!(packet[..8], [0; 8], "the first counter was never used");
    pair.settle();
    assert_eq!(pair.b.bodies(), ["kept"]);
}

#[test]
fn a_restored_state_gives_its_sessions_up_though_its_first_commit_fails() {
    let mut pair = pair();
    pair.connect_mail();
    let (to, from) = (pair.b.id(), pair.a.id());
    let received = pair.b.request(Request::Send(text(from, "unread")));
    pair.settle();
    assert!(pair.b.answer(received).is_some());
    pair.a.send(text(to, "before")).unwrap();
    pair.a.restart_as(true);
    pair.a.fail_commit(false);
    assert!(matches!(pair.a.arrivals()[..], []), "what is told waits for the next commit");
    pair.connect_mail();
    pair.a.sent.clear();
    pair.a.send(text(to, "after")).unwrap();
    let packet = sealed(&pair.a.sent.back().unwrap().1);
    assert!(u64::from_be_bytes(packet[..8].try_into().unwrap()) >= 1_000, "{packet:?}");
    assert!(pair.a.arrivals().iter().all(|(_, repeat)| *repeat));
    assert_eq!(pair.a.arrivals().len(), 1);
}

#[test]
fn receipts_owed_by_mail_are_said_again_after_a_failed_commit() {
    let mut pair = pair();
    pair.connect_mail();
    let (sender, id) = (pair.a.id(), pair.a.send(text(pair.b.id(), "hello")).unwrap());
    pair.settle();
    pair.b.request(Request::Process { sender, id });
    pair.b.commit();
    pair.b.sent.clear();
    pair.b.request(Request::Send(text(sender, "lost")));
    pair.b.fail_commit(false);
    pair.b.pass(Duration::from_secs(30));
    pair.settle();
    assert_eq!(pair.a.level(id), Some(Level::Processed));
}

#[test]
fn a_repeated_ciphertext_is_answered_once_in_ten_seconds() {
    let mut pair = pair();
    pair.connect_mail();
    pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let (path, frame) = pair.a.sent.front().cloned().unwrap();
    pair.settle();
    let mut repeat = |after| {
        pair.b.pass(after);
        pair.b.handle(Input::Received { path, frame: &frame });
        pair.b.commit();
        pair.b.sent.drain(..).count()
    };
    assert_eq!(repeat(Duration::ZERO), 1);
    assert_eq!(repeat(Duration::from_millis(9_999)), 0);
    assert_eq!(repeat(Duration::from_millis(1)), 1);
    assert_eq!(pair.b.bodies(), ["hello"]);
}

#[test]
fn what_cannot_be_opened_is_sealed_anew_under_its_id() {
    let mut pair = pair();
    pair.connect_mail();
    // The receiver's state says that this counter was used: it was restored, say.
    let spent = Counter::write(0, 5);
    let mut batch = Batch::new();
    batch.put(Namespace::Session, pair.a.id().as_bytes().to_vec(), spent);
    meshwork_state::Store::commit(&*pair.b.store, &batch).unwrap();
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(pair.a.send(text(pair.b.id(), &number.to_string())).unwrap());
        pair.settle();
    }
    for id in ids {
        assert_eq!(pair.a.level(id), Some(Level::Delivered));
    }
    let mut bodies = pair.b.bodies();
    bodies.sort();
    assert_eq!(bodies, ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn a_forged_packet_changes_nothing() {
    let mut pair = pair();
    pair.connect_mail();
    pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let (path, frame) = pair.a.sent.front().cloned().unwrap();
    pair.b.commit();
    for bit in 0..frame.len() * 8 {
        let mut forged = frame.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        pair.b.handle(Input::Received { path, frame: &forged });
        pair.b.commit();
        pair.b.sent.clear();
    }
    assert!(pair.b.inbox().is_empty());
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
}

#[test]
fn a_frame_in_clear_outside_a_session_is_misbehaviour() {
    let mut pair = pair();
    pair.connect_mail();
    let path = pair.path();
    let frame = Frame::Clear(meshwork_protocols::wire::Payload::Settled(vec![])).encode();
    pair.b.handle(Input::Received { path, frame: &frame });
    let how = Misbehaviour::ClearOutsideSession;
    let peer = pair.a.id();
    assert!(pair.b.events.contains(&meshwork_router::Event::Misbehaved { peer, how }));
}

#[test]
fn a_restored_state_seals_under_no_key_that_it_may_have_used() {
    let mut pair = pair();
    pair.connect_mail();
    pair.a.send(text(pair.b.id(), "before")).unwrap();
    pair.settle();
    pair.a.restart_as(true);
    pair.a.commit();
    pair.connect_mail();
    pair.a.send(text(pair.b.id(), "after")).unwrap();
    let packet = sealed(&pair.a.sent.back().unwrap().1);
    assert!(u64::from_be_bytes(packet[..8].try_into().unwrap()) >= 1_000);
    pair.settle();
    assert_eq!(pair.b.bodies(), ["before", "after"]);
}
