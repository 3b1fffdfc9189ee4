//! What travels, in bytes.

use alloc::vec::Vec;

use crate::fleet::fixture::{Agent, Fleet};
use crate::fleet::{LogEntry, Plan, upkeep};

fn length(entry: &LogEntry) -> usize {
    entry.encode().len()
}

#[test]
fn sizes_are_those_that_are_documented() {
    let mut fleet = Fleet::new(2);
    let mut carol = Agent::new(9);
    fleet.known.cards.insert(carol.card.hash(), carol.card.clone());
    let offer = carol.offer();
    assert!(offer.encode().len() <= 6_300, "{}", offer.encode().len());
    let offers = [offer];
    let commit = fleet.commit(0, &Plan { add: &offers, ..Plan::default() });
    let welcome = commit.welcomes[0].bytes.len();
    assert!(welcome <= 1_700, "{welcome}");
    assert!(commit.info.len() <= 1_700, "{}", commit.info.len());
    let message = length(&fleet.agents[0].seal(fleet.id, &[0; 1024]));
    assert!(message <= 1_200, "{message}");
}

/// After many were added at once, a quarter of the members renew their keys in the order that costs
/// least, and then any commit is small.
#[test]
fn a_quarter_of_the_members_in_bit_reversed_order_make_every_later_commit_small() {
    const SIZE: u8 = 32;
    let mut fleet = Fleet::new(SIZE);
    let rotate = Plan { rotate: true, ..Plan::default() };
    let size = u32::from(SIZE);
    let mut turns: Vec<_> =
        (0..size).filter_map(|leaf| Some((upkeep::turn(leaf, size)?, leaf))).collect();
    turns.sort_unstable();
    let mut spent = 0;
    for (_, leaf) in turns {
        spent += length(&fleet.commit(leaf as usize, &rotate).entry);
    }
    fleet.check_agreement();
    // A level of the tree costs some 2.4 KB.
    let most = [1, 7, 30].map(|by| length(&fleet.commit(by, &rotate).entry)).into_iter().max();
    assert!(most <= Some(5 * 2_400 + 6_000), "{most:?}");
    assert!(spent <= 240_000, "{spent}");
}
