//! The product's protocol for peers that are away: prekeys, what they begin, and what bad input
//! gets.

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::deferred::agent::prekey_store::ROTATION;
use meshwork_protocols::deferred::agent::{
    Bundle, BundleError, Correspondence, Local, PrekeyStore, Surroundings,
};
use meshwork_protocols::deferred::{CurvePublic, PrekeyId};
use meshwork_protocols::identity::card::MAX_CARD_LENGTH;
use meshwork_protocols::identity::{Card, EncodingError, Transport, Unverified};
use meshwork_protocols::live::udp::{MAX_UDP_CLEAR, MAX_UDP_FRAME};
use meshwork_protocols::posture::Posture;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::wire::{
    ContentType, Frame, HeldPrekeys, MAX_BODY, Message, MessageId, OfferedPrekeys, Payload,
};
use meshwork_router::{
    Answer, CommandError, Deferred, Event, Input, Level, Misbehaviour, PeerPrekeys, Policy,
    PrekeySettings, PrekeyStatus, Protocol, Reason, Request, Standing, Stored,
};
use meshwork_state::{Batch, Namespace, Rows, Store};

use crate::common::{DAY, Node, Pair, Seeded, card, identity, payload, signing_pair, text};

/// A pool that a test can empty.
const SETTINGS: PrekeySettings = PrekeySettings { pool_size: 4, refill_threshold: 50 };

fn deferred(number: u8, card: &Arc<Card>) -> Stored {
    let (identity, pair) = (identity(number), signing_pair(number));
    let protocol = Deferred::new(Arc::new(Pure), identity, pair, Arc::clone(card), SETTINGS);
    Stored::Deferred(Box::new(protocol.expect("the card names them")))
}

fn node(number: u8) -> Node {
    let mut node = Node::with(number, Policy::default(), deferred);
    node.drain();
    node.commit();
    node
}

/// Two that know each other and have met.
fn met() -> Pair {
    let mut pair = Pair::of(node(1), node(2));
    pair.connect();
    pair.settle();
    pair
}

fn prekeys(node: &Node) -> PrekeyStatus {
    node.router.prekeys().unwrap().expect("it has prekeys")
}

fn bundle(node: &Node) -> Vec<u8> {
    node.router.bundle().unwrap().expect("it has a bundle")
}

fn import(node: &mut Node, bundle: &[u8]) -> Result<Answer, CommandError> {
    let ticket = node.request(Request::ImportBundle(bundle.to_vec()));
    node.commit();
    node.answer(ticket).expect("an answer")
}

fn rotate(node: &mut Node) {
    let ticket = node.request(Request::RotatePrekeys);
    node.commit();
    assert_eq!(node.answer(ticket), Some(Ok(Answer::Done)));
}

fn is_sealed(frame: &[u8]) -> bool {
    matches!(Frame::decode(frame), Ok(Frame::Sealed(_)))
}

/// The sealed frames that a node has sent and nobody has taken.
fn sealed_frames(node: &Node) -> Vec<Vec<u8>> {
    node.sent.iter().map(|(_, frame)| frame.clone()).filter(|frame| is_sealed(frame)).collect()
}

fn delete(node: &Node, rows: &[(Namespace, Vec<u8>)]) {
    let mut batch = Batch::new();
    for (namespace, key) in rows {
        batch.delete(*namespace, key.clone());
    }
    node.store.commit(&batch).unwrap();
}

fn keys_of(node: &Node, namespace: Namespace) -> Vec<(Namespace, Vec<u8>)> {
    let rows = node.store.scan(namespace, &[], None, usize::MAX).unwrap();
    rows.into_iter().map(|(key, _)| (namespace, key)).collect()
}

#[test]
fn agents_that_meet_give_each_other_their_bundles_and_one_key_for_one_use() {
    let mut pair = met();
    for (node, peer) in [(&pair.a, &pair.b), (&pair.b, &pair.a)] {
        let of_peer = prekeys(peer);
        let (bundle, until) = (of_peer.bundle, of_peer.not_after);
        let known = PeerPrekeys { peer: peer.id(), bundle, until, one_time: true };
        let ours = prekeys(node);
        assert_eq!(ours.peers, [known]);
        assert_eq!((ours.available, ours.handed_out), (3, 1));
    }
    // Who meets again gives nothing more.
    pair.part();
    pair.connect();
    pair.settle();
    assert_eq!((prekeys(&pair.a).available, prekeys(&pair.a).handed_out), (3, 1));
}

#[test]
fn who_becomes_known_while_a_session_stands_exchanges_prekeys_as_well() {
    let mut pair = Pair::strangers(node(1), node(2));
    let of_b = Arc::clone(&pair.b.card);
    pair.a.meet(&of_b);
    pair.connect();
    pair.a.send(text(pair.b.id(), "may I?")).unwrap();
    pair.settle();
    assert_eq!(prekeys(&pair.a).peers.len() + prekeys(&pair.b).peers.len(), 0);
    pair.pass(Duration::from_secs(5));
    pair.b.request(Request::Stand { peer: pair.a.id(), standing: Standing::Known });
    pair.settle();
    for node in [&pair.a, &pair.b] {
        assert!(prekeys(node).peers[0].one_time);
    }
}

#[test]
fn what_was_said_of_prekeys_and_lost_is_said_again_ever_more_rarely_until_it_brings_some() {
    let mut pair = Pair::of(node(1), node(2));
    pair.connect();
    let mut said = Vec::new();
    for second in 0..100 {
        pair.a.commit();
        // All of it is lost.
        if pair.a.sent.drain(..).count() > 0 {
            said.push(second);
        }
        pair.pass(Duration::from_secs(1));
    }
    assert_eq!(said, [0, 2, 6, 14, 30, 62]);
    assert!(prekeys(&pair.a).peers.is_empty());
    pair.pass(Duration::from_secs(30));
    pair.settle();
    assert_eq!((prekeys(&pair.a).peers.len(), prekeys(&pair.b).peers.len()), (1, 1));
    // That is all there is to say.
    pair.pass(Duration::from_secs(3_000));
    pair.a.commit();
    assert!(pair.a.sent.is_empty());
}

#[test]
fn a_peer_that_asks_again_and_again_gets_the_same_key_and_empties_no_pool() {
    let mut pair = met();
    let path = pair.path();
    let frame = Frame::Clear(Payload::PrekeysHeld(HeldPrekeys::default())).encode();
    let mut offered = Vec::new();
    for _ in 0..10 {
        pair.b.handle(Input::Received { path, frame: &frame });
        pair.b.commit();
        match payload(&pair.b.sent.pop_front().unwrap().1) {
            Payload::Prekeys(OfferedPrekeys { one_time, .. }) => offered.push(one_time.unwrap()),
            other => panic!("{other:?}"),
        }
    }
    offered.dedup();
    assert_eq!((offered.len(), prekeys(&pair.b).available), (1, 3));
}

#[test]
fn messages_for_a_peer_that_is_away_are_sealed_at_once_and_open_when_it_is_back() {
    let mut pair = met();
    pair.part();
    let to = pair.b.id();
    let ids: Vec<_> =
        ["one", "two", "three"].map(|body| pair.a.send(text(to, body)).unwrap()).into();
    for id in &ids {
        let status = pair.a.router.status(*id).unwrap().unwrap();
        assert_eq!(status.level, Level::Queued);
        assert_eq!(status.choice.protocol, Protocol::Deferred);
        assert_eq!(status.choice.reason, Reason::PeerAwayNoMail);
    }
    assert!(!prekeys(&pair.a).peers[0].one_time, "the session used it");
    // Both die and start again.
    pair.a.restart();
    pair.b.restart();
    pair.connect();
    assert_eq!(sealed_frames(&pair.a).len(), 3);
    let choice = pair.a.router.status(ids[0]).unwrap().unwrap().choice;
    assert_eq!((choice.protocol, choice.reason), (Protocol::Deferred, Reason::SealedBefore));
    pair.settle();
    assert_eq!(pair.b.bodies(), ["one", "two", "three"]);
    for delivery in pair.b.inbox() {
        assert_eq!((delivery.protocol, delivery.posture), (Protocol::Deferred, Posture::HYBRID));
    }
    for id in ids {
        assert_eq!(pair.a.level(id), Some(Level::Delivered));
    }
    // The one-time key is gone, and the next one is there.
    assert_eq!(prekeys(&pair.b).handed_out, 1);
    assert!(prekeys(&pair.a).peers[0].one_time);
    // It is not the one that was used, which the peer gave again before it heard of that.
    pair.part();
    delete(&pair.a, &keys_of(&pair.a, Namespace::Session));
    pair.a.send(text(to, "another session")).unwrap();
    pair.connect();
    pair.settle();
    assert_eq!(pair.b.inbox().last().unwrap().protocol, Protocol::Deferred);
}

#[test]
fn without_a_bundle_of_the_peer_a_message_is_held() {
    let mut pair = Pair::of(node(1), node(2));
    pair.a.be_alone();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let choice = pair.a.router.status(id).unwrap().unwrap().choice;
    assert_eq!((choice.protocol, choice.reason), (Protocol::Held, Reason::NoPath));
    let bundle = bundle(&pair.b);
    assert_eq!(import(&mut pair.a, &bundle), Ok(Answer::Imported(pair.b.id())));
    let choice = pair.a.router.status(id).unwrap().unwrap().choice;
    assert_eq!((choice.protocol, choice.reason), (Protocol::Deferred, Reason::PeerAwayNoMail));
    pair.connect();
    assert_eq!(sealed_frames(&pair.a).len(), 1);
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
}

#[test]
fn a_crash_between_opening_and_the_commit_loses_and_doubles_nothing() {
    let mut pair = met();
    pair.part();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.connect();
    let path = pair.path();
    let frame = sealed_frames(&pair.a).remove(0);
    let before = pair.b.rows();
    for is_crash in [false, true] {
        pair.b.handle(Input::Received { path, frame: &frame });
        if is_crash {
            pair.b.restart();
        } else {
            pair.b.fail_commit(false);
        }
        assert_eq!(pair.b.rows(), before);
        assert!(!pair.b.sent.iter().any(|(_, frame)| is_sealed(frame)), "no receipt left");
    }
    pair.connect();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
    assert_eq!(pair.a.level(id), Some(Level::Delivered));
}

#[test]
fn a_first_message_that_comes_again_after_its_session_is_lost_begins_nothing() {
    for with_one_time in [true, false] {
        let mut pair = if with_one_time { met() } else { Pair::of(node(1), node(2)) };
        pair.a.be_alone();
        if with_one_time {
            pair.part();
        } else {
            let bundle = bundle(&pair.b);
            import(&mut pair.a, &bundle).unwrap();
        }
        pair.a.send(text(pair.b.id(), "hello")).unwrap();
        pair.connect();
        let frame = sealed_frames(&pair.a).remove(0);
        pair.settle();
        assert_eq!(pair.b.bodies(), ["hello"]);
        // Of the message and its session nothing is left but what it used.
        for namespace in
            [Namespace::Session, Namespace::Ciphertext, Namespace::Seen, Namespace::Inbox]
        {
            delete(&pair.b, &keys_of(&pair.b, namespace));
        }
        pair.b.restart();
        pair.connect();
        let path = pair.path();
        let before = pair.b.rows();
        pair.b.handle(Input::Received { path, frame: &frame });
        pair.b.commit();
        assert_eq!(pair.b.rows(), before, "{with_one_time}");
        // It is the log that refuses it where no key was used up.
        delete(&pair.b, &keys_of(&pair.b, Namespace::UsedPrekey));
        pair.b.handle(Input::Received { path, frame: &frame });
        pair.b.commit();
        assert_eq!(pair.b.bodies().len(), usize::from(!with_one_time));
    }
}

#[test]
fn a_state_that_was_put_back_begins_anew_with_new_prekeys_and_no_key_used_before() {
    let mut pair = met();
    pair.part();
    pair.a.send(text(pair.b.id(), "before")).unwrap();
    pair.connect();
    pair.settle();
    let before = prekeys(&pair.a);
    pair.part();
    pair.a.restart_as(true);
    pair.a.commit();
    let after = prekeys(&pair.a);
    assert!(after.bundle > before.bundle && after.generations == before.generations + 1);
    assert_eq!((after.available, after.handed_out), (4, 0));
    assert!(!after.peers[0].one_time, "it may have been used after the copy was made");
    pair.a.send(text(pair.b.id(), "after")).unwrap();
    pair.connect();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["before", "after"]);
    // What the peer held of it is replaced.
    let of_a = prekeys(&pair.b).peers[0];
    assert_eq!((of_a.bundle, of_a.one_time), (after.bundle, true));
    pair.part();
    pair.b.send(text(pair.a.id(), "answer")).unwrap();
    pair.connect();
    pair.settle();
    assert_eq!(pair.a.bodies(), ["answer"]);
}

#[test]
fn a_forged_an_expired_and_an_older_bundle_are_refused_by_name_and_change_nothing() {
    let mut pair = Pair::of(node(1), node(2));
    let first = bundle(&pair.b);
    rotate(&mut pair.b);
    let second = bundle(&pair.b);
    let mut forged = second.clone();
    *forged.last_mut().unwrap() ^= 1;
    let refused = |pair: &mut Pair, bundle: &[u8], error: BundleError| {
        let before = pair.a.rows();
        assert_eq!(import(&mut pair.a, bundle), Err(CommandError::Bundle(error)));
        assert_eq!(pair.a.rows(), before);
    };
    refused(&mut pair, &forged, BundleError::BadSignature);
    refused(&mut pair, &second[..second.len() - 1], BundleError::Encoding(trailing(&second)));
    assert_eq!(import(&mut pair.a, &second), Ok(Answer::Imported(pair.b.id())));
    refused(&mut pair, &first, BundleError::Older);
    let of_a_stranger = bundle(&node(3));
    assert_eq!(import(&mut pair.a, &of_a_stranger), Err(CommandError::UnknownPeer));
    // One that a peer gives in a session is refused as well, and told of.
    pair.connect();
    let (path, peer) = (pair.path(), pair.b.id());
    let offered = OfferedPrekeys { bundle: forged, one_time: None };
    let frame = Frame::Clear(Payload::Prekeys(offered)).encode();
    let before = pair.a.rows();
    pair.a.handle(Input::Received { path, frame: &frame });
    pair.a.commit();
    assert_eq!(pair.a.rows(), before);
    let how = Misbehaviour::BadBundle;
    assert!(pair.a.events.contains(&Event::Misbehaved { peer, how }));
    let not_after = prekeys(&pair.b).not_after;
    pair.a.pass(DAY * 15);
    pair.a.commit();
    refused(&mut pair, &second, BundleError::Expired(not_after));
}

/// What the parser says of a bundle cut by a byte.
fn trailing(bundle: &[u8]) -> EncodingError {
    let (_, cut) = bundle.split_last().unwrap();
    match Unverified::<Bundle>::parse(cut) {
        Err(BundleError::Encoding(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_agent_whose_card_names_no_identity_takes_no_mail_and_says_so() {
    let mut pair = Pair::new();
    let bundle = bundle(&node(2));
    assert_eq!(import(&mut pair.a, &bundle), Err(CommandError::NoMail));
    assert_eq!(pair.a.router.prekeys(), Ok(None));
    let ticket = pair.a.request(Request::RotatePrekeys);
    assert_eq!(pair.a.answer(ticket), Some(Err(CommandError::NoMail)));
}

#[test]
fn prekeys_are_replaced_weekly_and_the_pool_is_filled_in_a_step_of_its_own() {
    let mut a = node(1);
    let first = prekeys(&a);
    assert_eq!((first.generations, first.available), (1, 4));
    a.pass(ROTATION - Duration::from_secs(1));
    a.commit();
    assert_eq!(prekeys(&a).bundle, first.bundle);
    a.pass(Duration::from_secs(60 * 60));
    a.commit();
    let second = prekeys(&a);
    assert!(second.bundle > first.bundle);
    assert_eq!(second.generations, 2);
    // Three peers take three of four keys.
    for number in 2..5 {
        let mut pair = Pair::of(a, node(number));
        pair.connect();
        pair.settle();
        pair.part();
        a = pair.a;
    }
    assert_eq!((prekeys(&a).available, prekeys(&a).handed_out), (1, 3));
    a.pass(Duration::ZERO);
    a.commit();
    assert_eq!((prekeys(&a).available, prekeys(&a).handed_out), (4, 3));
}

/// A first message to `to`, sealed by agent 3 with that signing pair's introduction.
fn introduced(to: &Node, pair_of: u8) -> Vec<u8> {
    let (own, pair, identity) = (card(3, 1_000, &[1]), signing_pair(pair_of), identity(3));
    let local = Local { identity: &identity, card: &own, pair: &pair };
    let now = to.now.wall;
    let mut random = Seeded(9);
    let bundle = Unverified::<Bundle>::parse(&bundle(to)).unwrap();
    let bundle = bundle.verify(&Pure, &to.card, None, now).unwrap();
    let mut around = Surroundings { provider: &Pure, random: &mut random, now };
    let one_time = Some(one_time_key(to));
    let begun = Correspondence::default().begin(&mut around, &local, &bundle, one_time).unwrap();
    let message = Message {
        id: MessageId::from_bytes([7; 16]),
        created: now,
        expires: now + DAY,
        order: None,
        content_type: ContentType::default(),
        body: b"hello".to_vec(),
    };
    let payload = Payload::message(0, &message.encode()).encode();
    let ends = [own.agent(), to.id()];
    let sealed = begun.seal(&mut around, ends, payload.expose()).unwrap();
    Frame::Sealed(sealed.packet).encode()
}

/// A one-time key of `node`, as it stands in its rows.
fn one_time_key(node: &Node) -> (PrekeyId, CurvePublic) {
    let record = node.store.get(Namespace::Prekey, b"store").unwrap().unwrap();
    PrekeyStore::decode(record.expose()).unwrap().pool().remove(0)
}

#[test]
fn a_strangers_bad_introduction_leaves_the_one_time_key_and_a_good_one_is_held() {
    let mut pair = Pair::strangers(node(3), node(2));
    pair.connect();
    pair.settle();
    let path = pair.path();
    let before = pair.b.rows();
    let bad = introduced(&pair.b, 4);
    pair.b.handle(Input::Received { path, frame: &bad });
    pair.b.commit();
    assert_eq!(pair.b.rows(), before);
    assert!(pair.b.sent.is_empty(), "a stranger hears nothing");
    assert_eq!(prekeys(&pair.b).available, 4);
    let good = introduced(&pair.b, 3);
    pair.b.handle(Input::Received { path, frame: &good });
    pair.b.commit();
    assert!(pair.b.events.contains(&Event::FirstContact(pair.a.id())));
    assert_eq!(prekeys(&pair.b).available, 3);
    assert!(pair.b.sent.is_empty() && pair.b.bodies().is_empty());
    pair.b.request(Request::Stand { peer: pair.a.id(), standing: Standing::Known });
    pair.b.commit();
    assert_eq!(pair.b.bodies(), ["hello"]);
}

#[test]
fn so_many_are_sealed_ahead_and_the_next_waits_as_it_is() {
    let mut pair = met();
    pair.part();
    let to = pair.b.id();
    let choice = |pair: &Pair, id| pair.a.router.status(id).unwrap().unwrap().choice.protocol;
    for _ in 0..256 {
        let id = pair.a.send(text(to, "sealed")).unwrap();
        assert_eq!(choice(&pair, id), Protocol::Deferred);
    }
    pair.a.send(text(to, "as it is")).unwrap();
    pair.connect();
    let frames: Vec<_> = pair.a.sent.iter().map(|(_, frame)| is_sealed(frame)).collect();
    assert_eq!(frames.iter().filter(|sealed| **sealed).count(), 256);
    pair.settle();
    assert_eq!(pair.b.bodies().len(), 257);
}

#[test]
fn the_largest_message_that_is_sealed_fits_a_frame_and_a_larger_one_is_held() {
    let mut pair = met();
    pair.part();
    let to = pair.b.id();
    let choice = |pair: &Pair, id| pair.a.router.status(id).unwrap().unwrap().choice.protocol;
    let largest = (850 << 10) - 200;
    let sealed = pair.a.send(text(to, &"x".repeat(largest))).unwrap();
    let held = pair.a.send(text(to, &"y".repeat(MAX_BODY))).unwrap();
    assert_eq!(pair.a.router.status(sealed).unwrap().unwrap().level, Level::Queued);
    assert_eq!(choice(&pair, held), Protocol::Held);
    pair.connect();
    assert_eq!(sealed_frames(&pair.a).len(), 1);
    pair.settle();
    assert_eq!(pair.b.bodies().len(), 2);
}

#[test]
fn what_goes_over_udp_in_the_clear_goes_over_it_sealed_too() {
    let mut pair = met();
    pair.part();
    let largest = MAX_UDP_CLEAR - 200;
    pair.a.send(text(pair.b.id(), &"x".repeat(largest))).unwrap();
    pair.connect_over(Transport::Udp);
    let [packet] = &sealed_frames(&pair.a)[..] else { panic!("it was not sent sealed") };
    // Also if its sender's card were as large as a card may be.
    let rest_of_card = MAX_CARD_LENGTH - pair.a.card.as_bytes().len();
    assert!((MAX_UDP_CLEAR..=MAX_UDP_FRAME - rest_of_card).contains(&packet.len()));
    pair.settle();
    assert_eq!(pair.b.bodies()[0].len(), largest);
}

#[test]
fn a_forgotten_peer_leaves_neither_a_session_nor_a_bundle() {
    let mut pair = met();
    pair.part();
    pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.a.request(Request::Forget(pair.b.id()));
    pair.a.commit();
    assert_eq!(keys_of(&pair.a, Namespace::Session), []);
    assert_eq!(keys_of(&pair.a, Namespace::Bundle), []);
}

/// Two with a session that both have used, and a way for mail alone.
fn by_mail() -> Pair {
    let mut pair = met();
    pair.part();
    pair.a.send(text(pair.b.id(), "first")).unwrap();
    pair.connect();
    pair.settle();
    pair.part();
    pair.connect_mail();
    pair.settle();
    pair
}

#[test]
fn mail_that_opens_in_no_session_leads_to_a_new_one_that_brings_it_again() {
    for lost in [3, 1] {
        let mut pair = by_mail();
        delete(&pair.b, &keys_of(&pair.b, Namespace::Session));
        let to = pair.b.id();
        let ids: Vec<_> =
            (0..lost).map(|n| pair.a.send(text(to, &n.to_string())).unwrap()).collect();
        pair.settle();
        assert_eq!(pair.b.bodies(), ["first"]);
        // Three are enough; fewer wait a minute for what may be missing.
        pair.b.pass(Duration::ZERO);
        pair.b.commit();
        assert_eq!(sealed_frames(&pair.b).len(), usize::from(lost == 3));
        pair.b.pass(Duration::from_secs(60));
        pair.settle();
        assert_eq!(pair.b.bodies().len(), 1 + lost);
        for id in ids {
            assert_eq!(pair.a.level(id), Some(Level::Delivered));
        }
    }
}

#[test]
fn at_most_one_new_session_is_begun_in_ten_minutes() {
    let mut pair = by_mail();
    let to = pair.b.id();
    let begun = |pair: &mut Pair, count: usize| {
        delete(&pair.b, &keys_of(&pair.b, Namespace::Session));
        for _ in 0..count {
            pair.a.send(text(to, "lost")).unwrap();
        }
        while let Some((path, frame)) = pair.a.sent.pop_front() {
            pair.b.handle(Input::Received { path, frame: &frame });
        }
        pair.b.pass(Duration::from_secs(61));
        pair.b.commit();
        let sealed = sealed_frames(&pair.b).len();
        pair.b.sent.clear();
        sealed
    };
    assert_eq!(begun(&mut pair, 3), 1);
    assert_eq!(begun(&mut pair, 3), 0);
    pair.b.pass(Duration::from_secs(10 * 60));
    pair.b.commit();
    assert_eq!(sealed_frames(&pair.b).len(), 1);
}

#[test]
fn heartbeats_keep_both_directions_moving_until_the_ratchet_has_a_new_epoch() {
    let mut pair = by_mail();
    for _ in 0..110 {
        pair.pass(Duration::from_secs(60));
        pair.settle();
    }
    let record = pair.a.store.get(Namespace::Session, pair.b.id().as_bytes()).unwrap().unwrap();
    let mail = Correspondence::decode(record.expose()).unwrap();
    assert!(mail.is_answered() && mail.turns() > 40, "{}", mail.turns());
    assert!(mail.sessions().current().unwrap().braid.epoch() > 1);
    // Nobody is left who would hear it.
    pair.close(pair.path());
    pair.pass(Duration::from_secs(60));
    pair.a.commit();
    assert!(pair.a.sent.is_empty() && pair.b.sent.is_empty());
    // And it ends when nothing was said for long.
    pair.connect_mail();
    pair.pass(Duration::from_secs(3 * 60 * 60));
    pair.a.commit();
    pair.a.sent.clear();
    pair.a.pass(Duration::from_secs(60));
    pair.a.commit();
    assert!(sealed_frames(&pair.a).is_empty());
}
