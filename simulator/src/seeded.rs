//! Every random choice of a run, from one seed.
//!
//! Knows nothing of what is chosen. Streams are forked by name, so that one more draw in the
//! network does not change what the disk does, and a run on another provider makes the same
//! choices.

use std::time::Duration;

use meshwork_protocols::random::Random;

/// A deterministic generator: xoshiro256++, its state spread from a seed by SplitMix64.
#[derive(Clone, Debug)]
pub struct Seeded {
    state: [u64; 4],
}

impl Seeded {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut spread = seed;
        Self { state: std::array::from_fn(|_| split_mix(&mut spread)) }
    }

    /// A stream of its own for `name`; this one stays where it is.
    pub fn fork(&self, name: &str, number: u64) -> Self {
        let [a, b, c, d] = self.state;
        let mut seed = a ^ b.rotate_left(17) ^ c.rotate_left(31) ^ d.rotate_left(47) ^ number;
        for byte in name.bytes() {
            seed = split_mix(&mut seed) ^ u64::from(byte);
        }
        Self::new(seed)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let out = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        out
    }

    /// A number below `bound`; zero for a bound of zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.draw()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// An index into something of that length.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap_or(u64::MAX))).unwrap_or(0)
    }

    /// True that many times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// A span from `least` up to, and without, `most`, in whole microseconds.
    pub fn span(&mut self, least: Duration, most: Duration) -> Duration {
        let width = most.saturating_sub(least).as_micros();
        least + Duration::from_micros(self.below(u64::try_from(width).unwrap_or(u64::MAX)))
    }

    /// That many bytes.
    pub fn bytes<const LENGTH: usize>(&mut self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        self.fill(&mut bytes);
        bytes
    }

    /// One of `choices`.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.index(choices.len()))
    }
}

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(self.draw().to_le_bytes()) {
                *to = from;
            }
        }
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_streams_and_others_do_not() {
        let draw = |seed| {
            let mut seeded = Seeded::new(seed);
            [seeded.draw(), seeded.draw(), seeded.draw()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn a_fork_depends_on_name_and_number_and_moves_nothing() {
        let mut seeded = Seeded::new(1);
        let before = seeded.clone().draw();
        let forks = [("a", 0), ("a", 1), ("b", 0)].map(|(name, n)| seeded.fork(name, n).draw());
        assert!(forks[0] != forks[1] && forks[0] != forks[2] && forks[1] != forks[2]);
        assert_eq!(seeded.draw(), before);
    }

    #[test]
    fn draws_stay_within_their_bounds_and_reach_them() {
        let mut seeded = Seeded::new(3);
        let draws: Vec<u64> = (0..1_000).map(|_| seeded.below(4)).collect();
        assert!((0..4).all(|value| draws.contains(&value)) && draws.iter().all(|d| *d < 4));
        assert_eq!(seeded.below(0), 0);
        let (least, most) = (Duration::from_micros(5), Duration::from_micros(7));
        assert!((0..100).map(|_| seeded.span(least, most)).all(|s| s >= least && s < most));
        assert!(!(0..100).any(|_| seeded.chance(0)) && (0..100).all(|_| seeded.chance(1_000)));
    }
}
