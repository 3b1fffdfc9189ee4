//! Who is to come in and cannot be added yet: it is waited for, and everything else goes on.

use super::*;

/// How often somebody was told of.
fn times(world: &World, place: usize, wanted: GroupEvent) -> usize {
    let is_it = |event: &&Event| matches!(event, Event::Group { what, .. } if *what == wanted);
    world.nodes[place].events.iter().filter(is_it).count()
}

/// Two agents, and one that left no offers yet, which the first wants in.
fn with_a_late_one() -> World {
    let mut world = World::without_offers_of(3, Some(2));
    world.found();
    world.invite(0, &[1, 2], false);
    world.join(1);
    world.settle();
    world
}

#[test]
fn who_left_no_offers_yet_is_waited_for_and_comes_in_when_it_has() {
    let mut world = with_a_late_one();
    let late = world.id(2);
    world.settle_for(60);
    assert_eq!(world.summary(0).wanted, [late]);
    assert_eq!(times(&world, 0, GroupEvent::WaitsFor(late)), 1, "it is told once");
    // Everything else goes on.
    let before = world.summary(0).epoch;
    world.rotate(0);
    world.settle();
    assert_eq!((world.summary(0).epoch, world.summary(0).changes), (before + 1, 0));
    world.meet_relay(2);
    world.settle_for(65);
    assert!(world.summary(0).wanted.is_empty());
    world.join(2);
    world.settle();
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn who_is_waited_for_is_sought_soon_when_it_is_heard_of() {
    let mut world = with_a_late_one();
    world.settle_in(24, 60 * 60);
    let late = world.id(2);
    assert_eq!(world.summary(0).wanted, [late], "the pause is an hour by now");
    world.meet_relay(2);
    world.settle_for(5);
    assert_eq!(world.summary(0).wanted, [late]);
    // Its session opens anew.
    world.restart(2, false);
    world.settle_for(3);
    assert!(world.summary(0).members.contains(&late));
}

#[test]
fn who_is_invited_again_is_sought_soon() {
    let mut world = with_a_late_one();
    world.settle_in(24, 60 * 60);
    world.meet_relay(2);
    world.invite(0, &[2], false);
    world.settle_for(3);
    let late = world.id(2);
    assert!(world.summary(0).members.contains(&late));
}

#[test]
fn who_is_waited_for_is_still_after_a_crash() {
    let mut world = with_a_late_one();
    let late = world.id(2);
    world.restart(0, false);
    world.settle();
    assert_eq!(world.summary(0).wanted, [late]);
    world.meet_relay(2);
    world.settle_for(5);
    world.join(2);
    world.settle();
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn who_is_waited_for_in_vain_for_a_week_is_given_up() {
    let mut world = with_a_late_one();
    let late = world.id(2);
    world.settle_in(7 * 24 - 1, 60 * 60);
    assert_eq!(world.summary(0).wanted, [late]);
    world.settle_in(3, 60 * 60);
    assert!(world.summary(0).wanted.is_empty());
    assert_eq!(times(&world, 0, GroupEvent::NotAdded(late)), 1);
    world.meet_relay(2);
    world.settle_in(3, 60 * 60);
    assert!(!world.summary(0).members.contains(&late));
}

#[test]
fn an_invitation_that_waits_is_taken_back() {
    let mut world = with_a_late_one();
    let (late, epoch) = (world.id(2), world.summary(0).epoch);
    world.remove(0, 2);
    assert!(world.summary(0).wanted.is_empty());
    world.meet_relay(2);
    world.settle_for(60);
    assert_eq!((world.summary(0).epoch, world.summary(0).changes), (epoch, 0));
    assert!(!world.summary(0).members.contains(&late));
    // Nobody is there or waited for.
    let members = vec![late];
    let remove = GroupRequest::Remove { group: world.group, members };
    let nobody = Some(Err(CommandError::Group(GroupError::NoMember(late))));
    assert_eq!(world.ask(0, remove), nobody);
}

#[test]
fn who_is_taken_back_while_a_commit_adds_it_is_taken_out_again() {
    let mut world = World::new(2);
    world.found();
    let peers = vec![world.id(1)];
    world
        .request(0, GroupRequest::Invite { group: world.group, peers: peers.clone(), anew: false });
    // Its commit waits for the log.
    for _ in 0..20 {
        world.nodes[0].commit();
        let adds = |wish: &Output| match wish {
            Output::AskRelay { request, .. } => matches!(**request, Asked::Append(_)),
            _ => false,
        };
        if world.nodes[0].wishes.iter().any(adds) {
            break;
        }
        world.carry_asks();
    }
    world.request(0, GroupRequest::Remove { group: world.group, members: peers });
    world.settle_for(5);
    assert_eq!(world.summary(0).members, [world.id(0)]);
    assert_eq!((world.summary(0).epoch, world.summary(0).changes), (2, 0));
}

#[test]
fn an_offer_that_its_owner_did_not_sign_is_named_and_another_asked_for() {
    let mut world = World::new(2);
    world.found();
    let peer = world.id(1);
    world.spoilt = Some(peer);
    world.invite(0, &[1], false);
    let why = meshwork_protocols::fleet::OfferError::BadSignature;
    assert_eq!(times(&world, 0, GroupEvent::BadOffer { peer, why }), 1);
    world.settle_for(60);
    assert!(times(&world, 0, GroupEvent::BadOffer { peer, why }) < 8, "the pause grows");
    assert_eq!((world.summary(0).epoch, world.summary(0).wanted), (0, vec![peer]));
    world.spoilt = None;
    world.settle_for(65);
    world.join(1);
    world.settle();
    world.assert_one(&[0, 1]);
}

#[test]
fn who_comes_in_by_its_last_resort_is_told_and_gives_its_relays_other_offers() {
    let mut world = World::new(2);
    let publishes = |world: &mut World| {
        let met = RelayNews::Met { relay: RELAY, depth: 0, offers: 8, is_back: false };
        world.nodes[1].handle(Input::Relay(met));
        world.nodes[1].commit();
        let is_one = |wish: &Output| match wish {
            Output::AskRelay { request, .. } => matches!(**request, Asked::Publish(_)),
            _ => false,
        };
        let publishes = world.nodes[1].wishes.iter().any(is_one);
        world.settle();
        publishes
    };
    // One agent is given five offers in an hour, and then the last resort.
    for number in 1..=6 {
        world.found();
        world.invite(0, &[1], false);
        world.join(1);
        world.settle();
        assert_eq!(times(&world, 1, GroupEvent::LastResort), usize::from(number > 5));
        assert_eq!(publishes(&mut world), number > 5, "offer {number}");
    }
}
