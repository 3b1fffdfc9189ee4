//! What travels, in bytes.

use alloc::collections::BTreeSet;
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
/// least, and then any commit is small. What each costs is what the shape of the tree says.
#[test]
fn a_quarter_of_the_members_in_bit_reversed_order_make_every_later_commit_small() {
    const SIZE: u8 = 32;
    let mut fleet = Fleet::new(SIZE);
    let rotate = Plan { rotate: true, ..Plan::default() };
    let mut shape = Shape::added_at_once(u32::from(SIZE));
    // The founder added the others with new keys of its own.
    shape.commit(0);
    let later = [1, 7, 30];
    let mut rest = BTreeSet::new();
    for leaf in order(u32::from(SIZE)).into_iter().chain(later) {
        let commit = fleet.commit(leaf as usize, &rotate);
        rest.insert(length(&commit.entry) - shape.commit(leaf));
    }
    fleet.check_agreement();
    // Alike in each, but for two bytes of the length of all of it.
    let (least, most) = (rest.first().unwrap(), rest.last().unwrap());
    assert!(most - least <= 2 && *most <= REST, "{rest:?}");
}

#[test]
fn a_thousand_members_added_at_once_renew_their_keys_within_twelve_megabytes() {
    const SIZE: u32 = 1000;
    let mut shape = Shape::added_at_once(SIZE);
    let first = shape.clone().commit(0) + REST;
    let turns = order(SIZE);
    let spent: usize = turns.iter().map(|leaf| shape.commit(*leaf) + REST).sum();
    let most = (0..SIZE).map(|leaf| shape.clone().commit(leaf) + REST).max();
    assert_eq!(turns.len(), 250);
    assert!(first > 1_180_000, "{first}");
    assert!(spent <= 12_000_000, "{spent}");
    assert!(most <= Some(28_000), "{most:?}");
}

/// The leaves that take a turn, in the order of their turns.
fn order(size: u32) -> Vec<u32> {
    let mut turns: Vec<_> =
        (0..size).filter_map(|leaf| Some((upkeep::turn(leaf, size)?, leaf))).collect();
    turns.sort_unstable();
    turns.into_iter().map(|(_, leaf)| leaf).collect()
}

/// The most bytes of a commit with new keys beside those of its path: framing, leaf, signatures.
const REST: usize = 1_700;

/// Which parents of a tree have keys, and so what a commit costs.
#[derive(Clone)]
struct Shape {
    size: u32,
    filled: BTreeSet<(u32, u32)>,
}

impl Shape {
    /// A tree to which nobody has committed.
    fn added_at_once(size: u32) -> Self {
        Self { size, filled: BTreeSet::new() }
    }

    /// Fills the path of a leaf, and gives the bytes of it: for each parent with anybody on the
    /// other side a key, and a ciphertext for each key that stands for those there (RFC 9420
    /// section 7.6).
    fn commit(&mut self, leaf: u32) -> usize {
        let levels = self.size.next_power_of_two().trailing_zeros();
        let mut nodes = 0;
        for level in 0..levels {
            let others = self.keys(level, (leaf >> level) ^ 1);
            if others > 0 {
                nodes += KEY + with_prefix(others * CIPHERTEXT);
                self.filled.insert((level + 1, leaf >> (level + 1)));
            }
        }
        with_prefix(nodes)
    }

    /// How many keys stand for everybody below a node.
    fn keys(&self, level: u32, place: u32) -> usize {
        match level {
            0 => usize::from(place < self.size),
            _ if self.filled.contains(&(level, place)) => 1,
            _ => self.keys(level - 1, 2 * place) + self.keys(level - 1, 2 * place + 1),
        }
    }
}

/// Bytes of a public key, and of a sealed path secret with what was encapsulated.
const KEY: usize = with_prefix(1_216);
const CIPHERTEXT: usize = with_prefix(1_120) + with_prefix(32 + 16);

/// A vector's bytes with its length before it.
const fn with_prefix(length: usize) -> usize {
    length
        + match length {
            0..64 => 1,
            64..16_384 => 2,
            _ => 4,
        }
}
