//! Tests that hold an attacker's state and try.

use crate::fleet::fixture::{Agent, Fleet};
use crate::fleet::{GroupError, LogEntry, Plan, Received};

/// Whether an attacker with this state reads an entry.
fn reads(attacker: &mut Agent, fleet: &Fleet, entry: &LogEntry) -> bool {
    matches!(attacker.receive(fleet.id, &fleet.known, entry), Ok(Received::Message { .. }))
}

/// An agent with all that `agent` has: its keys and a copy of its rows.
fn copy(agent: &Agent) -> Agent {
    let mut copy = Agent::new(agent.number);
    copy.rows = agent.rows.clone();
    copy.random.borrow_mut().0 ^= 0x5eed;
    copy
}

#[test]
fn a_removed_member_opens_nothing_of_a_later_epoch_with_all_its_old_state() {
    let mut fleet = Fleet::new(3);
    let id = fleet.id;
    let mut removed = copy(&fleet.agents[2]);
    let mut before = copy(&fleet.agents[2]);
    let gone = removed.id();
    let early = fleet.agents[0].seal(id, b"while it was there");
    assert!(reads(&mut copy(&removed), &fleet, &early));
    let commit = fleet.commit(0, &Plan { remove: &[gone], ..Plan::default() });
    fleet.agents.truncate(2);
    let later = fleet.agents[0].seal(id, b"without it");
    assert!(!reads(&mut before, &fleet, &later));
    // Nor with the commit.
    let told = removed.receive(id, &fleet.known, &commit.entry);
    assert!(matches!(told, Ok(Received::Removed { .. })));
    assert!(!reads(&mut removed, &fleet, &later));
    // Nor can it come back by itself, with a GroupInfo and a tree that it got hold of.
    let (info, tree) = (commit.info, fleet.agents[0].tree(id));
    let outside = copy(&before);
    let known = &fleet.known;
    let step = outside
        .with(|around, local| crate::fleet::Group::rejoin(around, local, known, &info, &tree));
    let step = step.unwrap();
    let refused = fleet.agents[0].receive(id, &fleet.known, &step.output.commit.entry);
    assert_eq!(refused, Err(crate::fleet::Refusal::Uninvited(gone).into()));
}

#[test]
fn a_new_member_opens_nothing_of_an_earlier_epoch() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let early = fleet.agents[0].seal(id, b"before");
    let mut carol = Agent::new(9);
    fleet.known.cards.insert(carol.card.hash(), carol.card.clone());
    let offers = [carol.offer()];
    let commit = fleet.commit(0, &Plan { add: &offers, ..Plan::default() });
    let tree = fleet.agents[0].tree(id);
    carol.join(&fleet.known, &commit.welcomes[0].bytes, &tree);
    assert!(matches!(carol.receive(id, &fleet.known, &early), Err(GroupError::EpochOver { .. })));
    let later = fleet.agents[0].seal(id, b"after");
    assert!(reads(&mut carol, &fleet, &later));
}

#[test]
fn a_member_whose_state_was_copied_is_safe_again_one_own_commit_later() {
    let mut fleet = Fleet::new(3);
    let id = fleet.id;
    let mut thief = copy(&fleet.agents[1]);
    let rotate = Plan { rotate: true, ..Plan::default() };
    // A commit of somebody else does not help: the thief follows.
    let commit = fleet.commit(0, &rotate);
    thief.receive(id, &fleet.known, &commit.entry).unwrap();
    let read = fleet.agents[0].seal(id, b"read");
    assert!(reads(&mut thief, &fleet, &read));
    // One's own does.
    let commit = fleet.commit(1, &rotate);
    assert!(thief.receive(id, &fleet.known, &commit.entry).is_err());
    let safe = fleet.agents[0].seal(id, b"safe");
    assert!(!reads(&mut thief, &fleet, &safe));
    let commit = fleet.commit(2, &rotate);
    assert!(thief.receive(id, &fleet.known, &commit.entry).is_err());
}

#[test]
fn the_rows_of_a_member_open_no_message_that_it_has_opened() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let entry = fleet.agents[0].seal(id, b"once");
    assert!(reads(&mut copy(&fleet.agents[1]), &fleet, &entry));
    fleet.follow(0, &entry);
    let mut thief = copy(&fleet.agents[1]);
    assert_eq!(thief.receive(id, &fleet.known, &entry), Err(GroupError::Replayed));
}
