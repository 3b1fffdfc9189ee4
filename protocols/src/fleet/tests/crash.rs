//! Between an operation and the durability of its rows anything can end the process.

use alloc::vec::Vec;

use crate::fleet::MemoryRows;
use crate::fleet::fixture::{Agent, Fleet, Known};
use crate::fleet::{Group, GroupError, Invitation, Plan, Step, Surroundings};
use crate::fleet::{GroupId, Local, LogEntry};

/// Runs an operation twice on the same rows: once lost with the process, once adopted.
fn lose_then_adopt<T>(
    agent: &mut Agent,
    operation: impl Fn(&mut Surroundings<'_>, &Local<'_>) -> Result<Step<T>, GroupError>,
) -> T {
    let before = agent.rows.clone();
    drop(agent.with(&operation).unwrap());
    assert_eq!(agent.rows, before);
    agent.run(operation).unwrap()
}

fn on<T>(
    agent: &mut Agent,
    id: GroupId,
    operation: impl Fn(&mut Group, &mut Surroundings<'_>, &Local<'_>) -> Result<Step<T>, GroupError>,
) -> T {
    lose_then_adopt(agent, |around, local| operation(&mut Group::load(around, id)?, around, local))
}

fn receive(agent: &mut Agent, id: GroupId, known: &Known, entry: &LogEntry) {
    on(agent, id, |group, around, _| group.receive(around, known, entry));
}

#[test]
fn a_crash_before_any_step_is_durable_leaves_the_group_whole() {
    let (mut alice, mut bob) = (Agent::new(1), Agent::new(2));
    let known = Known::of(&[&alice, &bob]);
    let offers = [bob.offer()];
    let id = alice.create();
    let plan = Plan { add: &offers, ..Plan::default() };
    let commit = on(&mut alice, id, |group, around, local| group.commit(around, local, &plan));
    on(&mut alice, id, |group, around, _| group.merge(around));
    let tree = alice.tree(id);
    let welcome = &commit.welcomes[0].bytes;
    lose_then_adopt(&mut bob, |around, _| {
        Invitation::open(around, &known, welcome, &tree)?.accept()
    });
    for _ in 0..3 {
        let sealed = on(&mut alice, id, |group, around, local| group.seal(around, local, b"a"));
        receive(&mut bob, id, &known, &sealed);
        let plan = Plan { rotate: true, ..Plan::default() };
        let commit = on(&mut bob, id, |group, around, local| group.commit(around, local, &plan));
        receive(&mut bob, id, &known, &commit.entry);
        receive(&mut alice, id, &known, &commit.entry);
        assert_eq!(alice.authenticator(id), bob.authenticator(id));
    }
    bob.rows = MemoryRows::default();
    let (info, tree) = (current_info(&mut alice, &mut bob, id), alice.tree(id));
    let back = lose_then_adopt(&mut bob, |around, local| {
        Group::rejoin(around, local, &known, &info, &tree)
    });
    receive(&mut alice, id, &known, &back.commit.entry);
    assert_eq!(alice.authenticator(id), bob.authenticator(id));
    let sealed = on(&mut bob, id, |group, around, local| group.seal(around, local, b"b"));
    receive(&mut alice, id, &known, &sealed);
}

/// The GroupInfo of a commit by `alice`, which `bob`, who lost everything, does not see.
fn current_info(alice: &mut Agent, _bob: &mut Agent, id: GroupId) -> Vec<u8> {
    let plan = Plan { rotate: true, ..Plan::default() };
    let commit = alice.commit(id, &plan).unwrap();
    alice.merge(id);
    commit.info
}

#[test]
fn a_group_kept_in_memory_does_what_one_loaded_from_the_rows_does() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let mut kept = fleet.agents[1].with(|around, _| Group::load(around, id)).unwrap();
    for round in 0..3_u8 {
        let sealed = fleet.agents[0].seal(id, &[round]);
        let commit = fleet.agents[0].commit(id, &Plan { rotate: true, ..Plan::default() }).unwrap();
        fleet.agents[0].merge(id);
        for entry in [&sealed, &commit.entry] {
            // A transaction that failed: what was computed is forgotten, and computed again.
            let known = &fleet.known;
            let lost = fleet.agents[1].with(|around, _| kept.receive(around, known, entry));
            drop(lost.unwrap());
            kept.forget();
            fleet.agents[1].run(|around, _| kept.receive(around, known, entry)).unwrap();
        }
        fleet.check_agreement();
    }
}

#[test]
fn an_error_leaves_no_trace_in_a_group_kept_in_memory() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let mut kept = fleet.agents[1].with(|around, _| Group::load(around, id)).unwrap();
    let good = fleet.agents[0].seal(id, b"good");
    let LogEntry::Message(mut bytes) = good.clone() else { unreachable!() };
    *bytes.last_mut().unwrap() ^= 1;
    let known = &fleet.known;
    let bad = LogEntry::Message(bytes);
    assert!(fleet.agents[1].run(|around, _| kept.receive(around, known, &bad)).is_err());
    fleet.agents[1].run(|around, _| kept.receive(around, known, &good)).unwrap();
}
