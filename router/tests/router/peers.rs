//! Whom the router listens to.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{DAY, Node, Pair, card, text};
use meshwork_protocols::identity::{Card, Transport};
use meshwork_protocols::lineage::{Incarnation, Lineage};
use meshwork_protocols::posture::Posture;
use meshwork_protocols::wire::MAX_FRAME;
use meshwork_router::{
    CloseReason, CommandError, Event, FirstContact, Input, Level, Meeting, PathChange, PathId,
    PathKind, PathOpened, PathRenewed, Policy, Request, Standing, Stored, Suspicion,
};
use meshwork_state::Namespace;

/// `a` knows `b`, which does not know `a`.
fn one_sided(policy: FirstContact) -> Pair {
    let mut a = Node::new(1);
    let mut all = Policy::default();
    all.first_contact = policy;
    let b = Node::with(2, all, |_, _| Stored::None);
    a.meet(&b.card);
    let mut pair = Pair::strangers(a, b);
    pair.connect();
    pair
}

#[test]
fn a_stranger_is_held_and_hears_nothing() {
    let mut pair = one_sided(FirstContact::Hold);
    let id = pair.a.send(text(pair.b.id(), "let me in")).unwrap();
    pair.settle();
    assert!(pair.b.inbox().is_empty());
    assert!(pair.b.events.contains(&Event::FirstContact(pair.a.id())));
    assert_eq!(pair.a.level(id), Some(Level::Sent));
}

#[test]
fn a_stranger_that_is_accepted_gets_its_receipts_and_one_copy_in() {
    let mut pair = one_sided(FirstContact::Hold);
    let id = pair.a.send(text(pair.b.id(), "let me in")).unwrap();
    pair.settle();
    pair.b.restart();
    let peer = pair.a.id();
    let ticket = pair.b.request(Request::Stand { peer, standing: Standing::Known });
    pair.b.commit();
    assert!(pair.b.answer(ticket).unwrap().is_ok());
    assert_eq!(pair.b.bodies(), ["let me in"]);
    pair.connect();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["let me in"]);
    assert_eq!(pair.a.level(id), Some(Level::Delivered));
}

#[test]
fn sixteen_messages_of_a_stranger_are_held_and_no_more() {
    let mut pair = one_sided(FirstContact::Hold);
    for number in 0..17 {
        pair.a.send(text(pair.b.id(), &number.to_string())).unwrap();
    }
    pair.settle();
    assert_eq!(pair.b.router.strangers().collect::<Vec<_>>(), [(&pair.a.id(), 16)]);
    let first = |event: &&Event| matches!(event, Event::FirstContact(_));
    assert_eq!(pair.b.events.iter().filter(first).count(), 1);
}

#[test]
fn what_is_held_goes_after_seven_days_and_the_stranger_with_it() {
    let mut pair = one_sided(FirstContact::Hold);
    pair.a.send(text(pair.b.id(), "let me in")).unwrap();
    pair.settle();
    let empty = |pair: &Pair| {
        pair.b
            .rows()
            .iter()
            .all(|(namespace, ..)| !matches!(namespace, Namespace::Held | Namespace::Peer))
    };
    pair.b.pass(DAY * 7);
    pair.b.pass(Duration::from_secs(31));
    pair.b.commit();
    assert!(!empty(&pair) || pair.b.router.strangers().count() == 0);
    pair.b.pass(Duration::from_secs(31));
    pair.b.commit();
    assert!(empty(&pair));
    assert_eq!(pair.b.router.strangers().count(), 0);
}

#[test]
fn policy_can_accept_or_drop_a_stranger() {
    let mut pair = one_sided(FirstContact::Accept);
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
    assert_eq!(pair.a.level(id), Some(Level::Delivered));

    let mut pair = one_sided(FirstContact::Drop);
    pair.b.commit();
    let before = pair.b.rows();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.settle();
    assert_eq!(pair.b.rows(), before);
    assert_eq!(pair.a.level(id), Some(Level::Sent));
}

#[test]
fn what_was_held_enters_when_the_policy_becomes_open() {
    let mut pair = one_sided(FirstContact::Hold);
    pair.a.send(text(pair.b.id(), "held")).unwrap();
    pair.settle();
    pair.b.setup.0.first_contact = FirstContact::Accept;
    pair.b.restart();
    pair.connect();
    pair.a.send(text(pair.b.id(), "open")).unwrap();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["held", "open"]);
}

#[test]
fn a_blocked_peer_is_not_heard_and_its_sessions_end() {
    let mut pair = Pair::new();
    pair.connect();
    let (peer, path) = (pair.a.id(), pair.path());
    pair.b.request(Request::Stand { peer, standing: Standing::Blocked });
    pair.b.commit();
    assert_eq!(pair.b.closed, [(path, CloseReason::Blocked)]);
    pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.settle();
    assert!(pair.b.inbox().is_empty());
    assert_eq!(pair.b.send(text(peer, "hello")), Err(CommandError::Blocked));
    pair.connect();
    assert_eq!(pair.b.closed.last(), Some(&(pair.path(), CloseReason::Blocked)));
}

#[test]
fn two_cards_of_one_number_are_both_refused_until_a_higher_one() {
    let mut pair = Pair::new();
    pair.connect();
    let peer = pair.a.id();
    let meet = |pair: &mut Pair, sequence, suites: &[u8]| {
        let card = card(1, sequence, suites);
        let ticket = pair.b.request(Request::Meet { card, meeting: Meeting::default() });
        pair.b.commit();
        pair.b.answer(ticket).unwrap()
    };
    assert!(meet(&mut pair, 1_000, &[2]).is_ok());
    assert!(pair.b.events.contains(&Event::Equivocation(peer)));
    assert_eq!(pair.b.closed, [(pair.path(), CloseReason::CardRefused)]);
    pair.connect();
    assert_eq!(pair.b.closed.last(), Some(&(pair.path(), CloseReason::CardRefused)));
    assert_eq!(meet(&mut pair, 1_000, &[1]), Err(CommandError::CardRefused));
    assert!(meet(&mut pair, 1_001, &[2]).is_ok());
    pair.a.card = card(1, 1_001, &[2]);
    pair.connect();
    pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
}

#[test]
fn a_revoked_card_ends_its_sessions_and_opens_none() {
    let mut pair = Pair::new();
    pair.connect();
    let (peer, number) = (pair.a.id(), pair.a.card.sequence());
    pair.b.request(Request::Revoke { peer, number });
    pair.b.commit();
    assert_eq!(pair.b.closed, [(pair.path(), CloseReason::CardRefused)]);
    pair.connect();
    assert_eq!(pair.b.closed.last(), Some(&(pair.path(), CloseReason::CardRefused)));
}

#[test]
fn a_name_belongs_to_one_peer() {
    let mut node = Node::new(1);
    let named = |name: &str| Meeting { name: Some(name.into()), ..Meeting::default() };
    let mut meet = |number, name| {
        let card = card(number, 1, &[1]);
        let ticket = node.request(Request::Meet { card, meeting: named(name) });
        node.commit();
        node.answer(ticket).unwrap()
    };
    assert!(meet(2, "relay").is_ok());
    assert_eq!(meet(3, "relay"), Err(CommandError::NameTaken));
    assert!(meet(2, "relay").is_ok());
}

#[test]
fn a_name_that_was_taken_away_can_be_given_to_another_peer() {
    let mut node = Node::new(1);
    let (one, other) = (card(2, 1, &[1]), card(3, 1, &[1]));
    node.meet(&one);
    node.meet(&other);
    let mut name = |peer, name: Option<&str>| {
        let ticket = node.request(Request::Name { peer, name: name.map(Into::into) });
        node.commit();
        node.answer(ticket).unwrap()
    };
    assert!(name(one.agent(), Some("relay")).is_ok());
    assert!(name(one.agent(), Some("relay")).is_ok());
    assert_eq!(name(other.agent(), Some("relay")), Err(CommandError::NameTaken));
    assert!(name(one.agent(), None).is_ok());
    assert!(name(other.agent(), Some("relay")).is_ok());
    assert_eq!(name(card(4, 1, &[1]).agent(), Some("mail")), Err(CommandError::UnknownPeer));
}

#[test]
fn a_forgotten_peer_leaves_nothing_and_what_it_was_sent_expires() {
    let mut pair = Pair::new();
    let peer = pair.b.id();
    let id = pair.a.send(text(peer, "hello")).unwrap();
    pair.a.request(Request::Forget(peer));
    pair.a.commit();
    assert_eq!(pair.a.level(id), Some(Level::Expired));
    assert_eq!(pair.a.send(text(peer, "hello")), Err(CommandError::UnknownPeer));
    let kept = |namespace| pair.a.rows().iter().any(|row| row.0 == namespace);
    assert!(!kept(Namespace::Peer) && !kept(Namespace::Outbox));
}

#[test]
fn what_the_hello_of_new_keys_says_counts_as_that_of_a_new_session() {
    let mut pair = Pair::new();
    pair.connect_over(Transport::Udp);
    let (path, card) = (pair.path(), Arc::clone(&pair.a.card));
    let mut renew = |card: &Arc<Card>, incarnation, number| {
        pair.b.events.clear();
        pair.b.closed.clear();
        let lineage = Lineage {
            incarnation: Incarnation::from_bytes([incarnation; 16]),
            parent: Incarnation::from_bytes([4; 16]),
            number,
        };
        let card = Arc::clone(card);
        let renewed = PathRenewed { path, card, lineage, remembered: None };
        pair.b.handle(Input::PathChanged(PathChange::Renewed(renewed)));
        pair.b.commit();
        let told = pair.b.events.iter().find_map(|event| match event {
            Event::Lineage { suspicion, .. } => Some(*suspicion),
            _ => None,
        });
        (told, pair.b.closed.clone())
    };
    assert_eq!(renew(&card, 5, 2_000), (None, vec![]));
    assert_eq!(renew(&card, 6, 2_001), (Some(Suspicion::PeerCloned), vec![]));
}

/// A session opens whose Hello says this; what `b` suspects.
fn greet_over(
    (pair, path): (&mut Pair, &mut u64),
    transport: Transport,
    [incarnation, parent]: [u8; 2],
    number: u64,
    remembered: Option<Lineage>,
) -> Option<Suspicion> {
    *path += 1;
    pair.b.events.clear();
    let lineage = Lineage {
        incarnation: Incarnation::from_bytes([incarnation; 16]),
        parent: Incarnation::from_bytes([parent; 16]),
        number,
    };
    let kind = PathKind::Live {
        transport,
        largest_frame: MAX_FRAME,
        initiated: false,
        posture: Posture::HYBRID,
        card: Arc::clone(&pair.a.card),
        lineage,
        remembered,
    };
    let opened = PathOpened { path: PathId(*path), peer: pair.a.id(), kind };
    pair.b.handle(Input::PathChanged(PathChange::Opened(opened)));
    pair.b.commit();
    pair.b.events.iter().find_map(|event| match event {
        Event::Lineage { suspicion, .. } => Some(*suspicion),
        _ => None,
    })
}

#[test]
fn a_hello_over_udp_that_several_starts_overtook_raises_nothing_and_a_minute_later_it_does() {
    let (mut pair, mut path) = (Pair::new(), 100);
    let mut greet = |pair: &mut Pair, transport, starts, number| {
        greet_over((pair, &mut path), transport, starts, number, None)
    };
    assert_eq!(greet(&mut pair, Transport::Udp, [9, 8], 100), None);
    assert_eq!(greet(&mut pair, Transport::Udp, [5, 4], 60), None, "it may have come late");
    assert_eq!(greet(&mut pair, Transport::Udp, [9, 8], 101), None, "and is not remembered");
    let restored = Some(Suspicion::PeerRestored);
    assert_eq!(greet(&mut pair, Transport::Tcp, [5, 4], 60), restored, "TCP brings none late");
    let (mut pair, mut path) = (Pair::new(), 100);
    let mut greet = |pair: &mut Pair, starts, number| {
        greet_over((pair, &mut path), Transport::Udp, starts, number, None)
    };
    assert_eq!(greet(&mut pair, [9, 8], 100), None);
    pair.pass(Duration::from_secs(60));
    assert_eq!(greet(&mut pair, [5, 4], 60), restored);
}

#[test]
fn a_state_that_does_not_fit_its_history_is_noticed() {
    let (mut pair, mut path) = (Pair::new(), 100);
    let mut greet = |incarnation, parent, number, remembered| {
        let starts = [incarnation, parent];
        greet_over((&mut pair, &mut path), Transport::Tcp, starts, number, remembered)
    };
    assert_eq!(greet(5, 4, 100, None), None);
    assert_eq!(greet(6, 5, 120, None), None);
    assert_eq!(greet(7, 5, 130, None), Some(Suspicion::PeerCloned));
    assert_eq!(greet(8, 7, 90, None), Some(Suspicion::PeerRestored));
    let ahead = |incarnation| Lineage {
        incarnation: Incarnation::from_bytes([incarnation; 16]),
        parent: Incarnation::NONE,
        number: 1_001,
    };
    assert_eq!(greet(8, 7, 95, Some(ahead(9))), Some(Suspicion::WeAreRestored));
    assert_eq!(greet(8, 7, 96, Some(ahead(1))), None, "this start itself said so");
    assert_eq!(greet(7, 5, 94, None), None, "a Hello of the start before came late");
    assert_eq!(greet(9, 8, 97, None), None, "and is not what is remembered");
}
