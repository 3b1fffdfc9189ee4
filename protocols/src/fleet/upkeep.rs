//! In which order members draw new keys after many were added at once.
//!
//! A member that was added sits below parents without keys, and a commit seals to each leaf below
//! such a parent. The first commit of each half, then of each quarter fills the tree at the least
//! cost: the order of the leaves' numbers with their bits reversed. Knows no clock: when the turns
//! come is the router's to say.

/// How many members of `size` take a turn: a quarter, after which any commit is small.
pub const fn turns(size: u32) -> u32 {
    size.div_ceil(4)
}

/// Which turn the member on `leaf` takes in a tree for `size` leaves, counted from zero, or none.
pub fn turn(leaf: u32, size: u32) -> Option<u32> {
    (leaf < size).then_some(())?;
    let before = (0..size).filter(|other| place(*other, size) < place(leaf, size)).count();
    u32::try_from(before).ok().filter(|turn| *turn < turns(size))
}

/// A leaf's number with its bits reversed, as many as the tree has levels.
fn place(leaf: u32, size: u32) -> u32 {
    let levels = size.next_power_of_two().trailing_zeros();
    if levels == 0 { 0 } else { leaf.reverse_bits() >> (32 - levels) }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{turn, turns};

    #[test]
    fn each_half_of_the_tree_takes_its_turn_before_any_half_takes_a_second() {
        let mut order: Vec<_> = (0..16).filter_map(|leaf| Some((turn(leaf, 16)?, leaf))).collect();
        order.sort_unstable();
        let leaves: Vec<_> = order.into_iter().map(|(_, leaf)| leaf).collect();
        assert_eq!(leaves, [0, 8, 4, 12]);
    }

    #[test]
    fn a_quarter_of_the_members_take_one_turn_each() {
        for size in [1, 2, 3, 5, 20, 100, 1000] {
            let mut taken: Vec<_> = (0..size).filter_map(|leaf| turn(leaf, size)).collect();
            taken.sort_unstable();
            assert!(taken.into_iter().eq(0..turns(size)), "{size}");
            assert_eq!(turn(size, size), None);
        }
    }
}
