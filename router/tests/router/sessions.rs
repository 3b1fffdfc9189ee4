//! Which sessions are looked for, which of them is used, and when one is replaced.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Node, Pair, SMALL_FRAME, card, ordered, text};
use meshwork_protocols::identity::{AgentId, Card, Transport};
use meshwork_protocols::posture::Posture;
use meshwork_protocols::wire::MAX_FRAME;
use meshwork_router::{
    Answer, CloseReason, CommandError, Event, Input, Level, Needs, PathChange, PathId, PathKind,
    PathOpened, Reason, Request, Standing, Ticket,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn reach(node: &mut Node, peer: AgentId, needs: Needs) -> Ticket {
    node.request(Request::Reach { peer, needs })
}

fn dial_failed(pair: &mut Pair, needs: Needs) {
    let peer = pair.b.id();
    pair.a.handle(Input::PathChanged(PathChange::DialFailed { peer, needs }));
}

/// A body that the frames of a lossy path do not hold.
fn large() -> String {
    "x".repeat(SMALL_FRAME)
}

#[test]
fn who_wants_a_session_gets_the_one_that_stands_or_the_next_that_will_do() {
    let mut pair = Pair::new();
    let to = pair.b.id();
    let any = reach(&mut pair.a, to, Needs::Any);
    let bulk = reach(&mut pair.a, to, Needs::Bulk);
    assert_eq!(pair.a.dials, [(to, Needs::Any)]);
    assert_eq!(pair.a.answer(any), None);
    pair.connect_over(Transport::Udp);
    assert_eq!(pair.a.answer(any), Some(Ok(Answer::Reached(pair.path()))));
    assert_eq!(pair.a.answer(bulk), None);
    assert_eq!(pair.a.dials, [(to, Needs::Any), (to, Needs::Bulk)]);
    pair.connect_over(Transport::Quic);
    assert_eq!(pair.a.answer(bulk), Some(Ok(Answer::Reached(pair.path()))));
    let again = reach(&mut pair.a, to, Needs::Via(Transport::Udp));
    assert_eq!(pair.a.answer(again), Some(Ok(Answer::Reached(PathId(1)))));
    assert_eq!(pair.a.dials.len(), 2);
    assert!(pair.a.batches.is_empty(), "nothing waits for the disk");
}

#[test]
fn who_wants_a_session_that_is_not_found_is_told_so_and_not_dialled_for_in_a_loop() {
    let mut pair = Pair::new();
    let to = pair.b.id();
    let needs = Needs::Via(Transport::Tcp);
    let first = reach(&mut pair.a, to, needs);
    dial_failed(&mut pair, needs);
    assert_eq!(pair.a.answer(first), Some(Err(CommandError::Unreachable)));
    let at_once = reach(&mut pair.a, to, needs);
    assert_eq!(pair.a.answer(at_once), Some(Err(CommandError::Unreachable)));
    pair.a.pass(Duration::from_secs(1));
    assert_eq!(pair.a.dials.len(), 1, "nobody waits for it any more");
    let later = reach(&mut pair.a, to, needs);
    assert_eq!(pair.a.dials, [(to, needs), (to, needs)]);
    // Whose end is never told ends by itself.
    pair.a.pass(Duration::from_secs(30));
    assert_eq!(pair.a.answer(later), Some(Err(CommandError::Unreachable)));
}

#[test]
fn nobody_reaches_who_is_not_known_or_not_wanted_any_more() {
    let mut pair = Pair::new();
    let to = pair.b.id();
    let stranger = reach(&mut pair.a, AgentId::from_bytes([9; 32]), Needs::Any);
    assert_eq!(pair.a.answer(stranger), Some(Err(CommandError::UnknownPeer)));
    let waits = reach(&mut pair.a, to, Needs::Any);
    pair.a.request(Request::Stand { peer: to, standing: Standing::Blocked });
    assert_eq!(pair.a.answer(waits), Some(Err(CommandError::Blocked)));
    let blocked = reach(&mut pair.a, to, Needs::Any);
    assert_eq!(pair.a.answer(blocked), Some(Err(CommandError::Blocked)));
}

#[test]
fn a_message_too_large_for_the_session_looks_for_another_and_holds_up_nobody() {
    let mut pair = Pair::new();
    pair.connect_over(Transport::Udp);
    let to = pair.b.id();
    let large = pair.a.send(text(to, &large())).unwrap();
    let small = pair.a.send(text(to, "small")).unwrap();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["small"]);
    assert_eq!(pair.a.level(small), Some(Level::Delivered));
    assert_eq!(pair.a.dials, [(to, Needs::Bulk)]);
    let status = pair.a.router.status(large).unwrap().unwrap();
    assert_eq!(status.choice.reason, Reason::TooLargeForSession);

    // Where none is found it stays, and is looked for again.
    dial_failed(&mut pair, Needs::Bulk);
    assert_eq!(pair.a.level(large), Some(Level::Queued));
    pair.a.pass(Duration::from_secs(1));
    assert_eq!(pair.a.dials, [(to, Needs::Bulk), (to, Needs::Bulk)]);
    pair.connect_over(Transport::Tcp);
    pair.settle();
    assert_eq!(pair.a.level(large), Some(Level::Delivered));
    assert_eq!(pair.b.inbox().len(), 2);
}

#[test]
fn order_is_kept_where_a_large_one_takes_another_way() {
    let mut pair = Pair::new();
    pair.connect_over(Transport::Udp);
    let to = pair.b.id();
    let large = large();
    for body in ["0", &large, "2"] {
        pair.a.send(ordered(to, body)).unwrap();
    }
    pair.settle();
    assert_eq!(pair.b.bodies(), ["0"]);
    pair.connect_over(Transport::Tcp);
    pair.settle();
    assert_eq!(pair.b.bodies(), ["0", &large, "2"]);
}

#[test]
fn a_session_that_carried_data_is_replaced_after_an_hour_and_the_old_one_drains() {
    for transport in [Transport::Tcp, Transport::Quic] {
        let mut pair = Pair::new();
        pair.connect_over(transport);
        let (to, old, needs) = (pair.b.id(), pair.path(), Needs::Via(transport));
        pair.pass(HOUR);
        assert_eq!(pair.a.dials, [], "nothing went over it");
        pair.a.send(text(to, "first")).unwrap();
        pair.settle();
        assert_eq!(pair.a.dials, [(to, needs)]);
        assert_eq!(pair.b.dials, [], "it leaves that to who opened it");
        // Until a new one stands the old one carries what there is.
        dial_failed(&mut pair, needs);
        pair.a.send(text(to, "second")).unwrap();
        pair.settle();
        pair.pass(Duration::from_secs(1));
        assert_eq!(pair.a.dials, [(to, needs), (to, needs)]);
        pair.connect_over(transport);
        pair.pass(Duration::from_secs(5));
        assert_eq!(pair.a.closed, [(old, CloseReason::Replaced)]);
        assert_eq!(pair.b.closed, [(old, CloseReason::Replaced)]);
        pair.close(old);
        pair.a.send(text(to, "third")).unwrap();
        pair.settle();
        assert_eq!(pair.b.bodies(), ["first", "second", "third"]);
        assert_eq!(pair.a.dials.len(), 2);
    }
}

#[test]
fn the_other_end_replaces_a_session_where_its_opener_does_not() {
    let mut pair = Pair::new();
    pair.connect();
    let path = pair.path();
    pair.b.handle(Input::PathChanged(PathChange::Used(path)));
    pair.b.pass(HOUR);
    assert_eq!(pair.b.dials, []);
    pair.b.pass(Duration::from_secs(10 * 60));
    assert_eq!(pair.b.dials, [(pair.a.id(), Needs::Via(Transport::Tcp))]);
}

#[test]
fn a_udp_session_is_left_to_itself() {
    let mut pair = Pair::new();
    pair.connect_over(Transport::Udp);
    pair.a.send(text(pair.b.id(), "data")).unwrap();
    pair.settle();
    pair.pass(HOUR * 2);
    assert_eq!((&pair.a.dials, &pair.b.dials), (&vec![], &vec![]));
}

#[test]
fn a_session_that_a_better_one_made_needless_is_closed_by_who_opened_it() {
    let mut pair = Pair::new();
    pair.connect_over(Transport::Udp);
    let udp = pair.path();
    pair.connect_over(Transport::Quic);
    pair.a.handle(Input::PathChanged(PathChange::Used(udp)));
    pair.a.send(text(pair.b.id(), "over the better one")).unwrap();
    pair.settle();
    pair.pass(Duration::from_secs(59));
    assert_eq!(pair.a.closed, []);
    pair.pass(Duration::from_secs(1));
    assert_eq!(pair.a.closed, [(udp, CloseReason::Unused)]);
    assert_eq!(pair.b.closed, []);
}

#[test]
fn a_session_that_a_peer_closes_at_once_is_not_dialled_for_in_a_loop() {
    let mut pair = Pair::new();
    pair.connect_over(Transport::Udp);
    pair.a.send(text(pair.b.id(), &large())).unwrap();
    for dialled in 1..4 {
        assert_eq!(pair.a.dials.len(), dialled);
        pair.connect_over(Transport::Tcp);
        pair.close(pair.path());
        assert_eq!(pair.a.dials.len(), dialled, "dialled again at once");
        pair.a.pass(Duration::from_secs(8));
    }
}

/// A session that a stranger opened, which has this number.
fn stranger(node: &mut Node, card: &Arc<Card>, number: u64) -> usize {
    let mut id = [0xee; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let kind = PathKind::Live {
        transport: Transport::Tcp,
        largest_frame: MAX_FRAME,
        initiated: false,
        posture: Posture::HYBRID,
        card: Arc::clone(card),
        lineage: node.lineage(),
        remembered: None,
    };
    let opened = PathOpened { path: PathId(number), peer: AgentId::from_bytes(id), kind };
    node.handle(Input::PathChanged(PathChange::Opened(opened)));
    node.closed.len()
}

#[test]
fn as_many_strangers_are_let_in_as_what_is_offered_to_them_is_for_and_not_one_more() {
    let (mut node, card) = (Node::new(1), card(2, 1_000, &[1]));
    // With nothing on offer.
    assert!((1..=256).all(|number| stranger(&mut node, &card, number) == 0));
    assert_eq!(stranger(&mut node, &card, 257), 1);
    assert_eq!(node.closed, [(PathId(257), CloseReason::TooManyStrangers)]);
    // With a relay.
    node.handle(Input::Welcome { strangers: 1_000 });
    assert!((258..=1_001).all(|number| stranger(&mut node, &card, number) == 1));
    assert_eq!(stranger(&mut node, &card, 1_002), 2);
    // One goes, another comes.
    node.handle(Input::PathChanged(PathChange::Closed(PathId(1))));
    assert_eq!(stranger(&mut node, &card, 1_003), 2);
    assert_eq!(stranger(&mut node, &card, 1_004), 3);
    // Without the relay those who are there stay, and nobody comes.
    node.handle(Input::Welcome { strangers: 0 });
    assert_eq!(stranger(&mut node, &card, 1_005), 4);
    // Whoever is known is let in all the same.
    let mut pair = Pair::of(node, Node::new(3));
    pair.connect();
    assert_eq!(pair.a.closed.len(), 4);
}

#[test]
fn a_stranger_whose_card_went_for_those_of_later_ones_is_heard_with_its_next_session() {
    let mut pair = Pair::strangers(Node::new(1), Node::new(2));
    let (card_of_b, other) = (Arc::clone(&pair.b.card), card(3, 1_000, &[1]));
    pair.a.meet(&card_of_b);
    pair.b.handle(Input::Welcome { strangers: 1_000 });
    pair.connect();
    // As many as cards are kept of.
    assert!((1_000..1_256).all(|number| stranger(&mut pair.b, &other, number) == 0));
    let to = pair.b.id();
    pair.a.send(text(to, "let me in")).unwrap();
    pair.settle();
    assert_eq!(pair.b.closed, [(pair.path(), CloseReason::Unused)]);
    assert!(!pair.b.events.contains(&Event::FirstContact(pair.a.id())));
    pair.close(pair.path());
    pair.connect();
    pair.settle();
    assert!(pair.b.events.contains(&Event::FirstContact(pair.a.id())));
    // And one card fewer is kept of those that came before.
    let mut pair = Pair::strangers(Node::new(1), Node::new(2));
    pair.a.meet(&card_of_b);
    pair.connect();
    assert!((1_000..1_255).all(|number| stranger(&mut pair.b, &other, number) == 0));
    pair.a.send(text(to, "let me in")).unwrap();
    pair.settle();
    assert!(pair.b.events.contains(&Event::FirstContact(pair.a.id())));
}
