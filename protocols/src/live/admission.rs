//! Who may try to prove itself: the caps on sessions whose Hello was not accepted yet.
//!
//! An established session is out of its reach. Knows nothing of sockets: an address in, and
//! whether to go on with it, and with whom not, out.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::random::Random;

/// The caps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The most from one prefix: /24 for IPv4, /48 for IPv6, what one party can have cheaply.
    pub of_prefix: usize,
    /// The most in all.
    pub of_all: usize,
    /// The most bytes held for those of one prefix: a few dozen that are under way at once, or
    /// thirty of the longest Hellos.
    pub bytes_of_prefix: usize,
    /// The most bytes held for all of them.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { of_prefix: 64, of_all: 4_096, bytes_of_prefix: 1 << 20, bytes: 16 << 20 }
    }
}

/// Names a session that has not proved itself.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Applicant(u64);

/// What an arrival leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Admitted {
    /// The one who came.
    pub applicant: Applicant,
    /// One that has to go for it, chosen at random, so that no sender can choose its victim.
    pub evicted: Option<Applicant>,
}

/// The sessions that have not proved themselves.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    applicants: BTreeMap<Applicant, (Prefix, usize)>,
    prefixes: BTreeMap<Prefix, Neighbours>,
    bytes: usize,
    next: u64,
}

/// Those of one prefix.
#[derive(Debug, Default)]
struct Neighbours {
    applicants: BTreeSet<Applicant>,
    bytes: usize,
}

/// The part of an address that one party can have cheaply.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Prefix {
    V4([u8; 3]),
    V6([u8; 6]),
}

impl Admission {
    /// Nobody yet.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, applicants: BTreeMap::new(), prefixes: BTreeMap::new(), bytes: 0, next: 0 }
    }

    /// Somebody came from `address`.
    pub fn admit(&mut self, address: IpAddr, random: &mut dyn Random) -> Admitted {
        let prefix = Prefix::of(address);
        let of_prefix = self.prefixes.get(&prefix);
        let evicted = match of_prefix {
            Some(some) if some.applicants.len() >= self.limits.of_prefix => some.pick(random),
            _ if self.applicants.len() >= self.limits.of_all => self.pick(random),
            _ => None,
        };
        if let Some(evicted) = evicted {
            self.leave(evicted);
        }
        let applicant = Applicant(self.next);
        self.next += 1;
        self.applicants.insert(applicant, (prefix, 0));
        self.prefixes.entry(prefix).or_default().applicants.insert(applicant);
        Admitted { applicant, evicted }
    }

    /// So many bytes are now held for this one; returns those that have to go for them.
    pub fn buffered(
        &mut self,
        applicant: Applicant,
        bytes: usize,
        random: &mut dyn Random,
    ) -> Vec<Applicant> {
        let Some((prefix, held)) = self.applicants.get_mut(&applicant) else { return Vec::new() };
        let (prefix, before) = (*prefix, core::mem::replace(held, bytes));
        self.bytes = self.bytes - before + bytes;
        if let Some(some) = self.prefixes.get_mut(&prefix) {
            some.bytes = some.bytes - before + bytes;
        }
        let mut evicted = Vec::new();
        while let Some(one) = self.one_too_many(prefix, random) {
            self.leave(one);
            evicted.push(one);
        }
        evicted
    }

    /// One that has to go where more is held than may be, of this prefix or in all.
    fn one_too_many(&self, prefix: Prefix, random: &mut dyn Random) -> Option<Applicant> {
        match self.prefixes.get(&prefix) {
            Some(some) if some.bytes > self.limits.bytes_of_prefix => some.pick(random),
            _ if self.bytes > self.limits.bytes => self.pick(random),
            _ => None,
        }
    }

    fn pick(&self, random: &mut dyn Random) -> Option<Applicant> {
        pick(self.applicants.keys(), self.applicants.len(), random)
    }

    /// This one proved itself, or is gone.
    pub fn leave(&mut self, applicant: Applicant) {
        let Some((prefix, bytes)) = self.applicants.remove(&applicant) else { return };
        self.bytes -= bytes;
        if let Some(some) = self.prefixes.get_mut(&prefix) {
            some.bytes -= bytes;
            some.applicants.remove(&applicant);
            if some.applicants.is_empty() {
                self.prefixes.remove(&prefix);
            }
        }
    }

    /// How many have not proved themselves.
    pub fn len(&self) -> usize {
        self.applicants.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.applicants.is_empty()
    }
}

impl Neighbours {
    fn pick(&self, random: &mut dyn Random) -> Option<Applicant> {
        pick(self.applicants.iter(), self.applicants.len(), random)
    }
}

impl Prefix {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, ..] = address.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }
}

fn pick<'a>(
    mut from: impl Iterator<Item = &'a Applicant>,
    count: usize,
    random: &mut dyn Random,
) -> Option<Applicant> {
    let nth = random.below(u32::try_from(count).unwrap_or(u32::MAX));
    from.nth(usize::try_from(nth).unwrap_or(0)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up, so that a pick is neither always the first nor always the last.
    #[derive(Debug)]
    struct Counting(u8);

    impl Random for Counting {
        fn fill(&mut self, out: &mut [u8]) {
            self.0 = self.0.wrapping_add(37);
            out.fill(self.0);
        }
    }

    const LIMITS: Limits = Limits { of_prefix: 3, of_all: 5, bytes_of_prefix: 70, bytes: 100 };

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_prefix_cannot_crowd_another_out() {
        let (mut admission, mut random) = (Admission::new(LIMITS), Counting(0));
        let other = admission.admit(from("10.0.1.1"), &mut random).applicant;
        for host in 0..200 {
            let admitted = admission.admit(IpAddr::from([10, 0, 0, host]), &mut random);
            assert_eq!(admitted.evicted.is_some(), host >= 3, "{host}");
            assert_ne!(admitted.evicted, Some(other));
        }
        assert_eq!(admission.len(), 4);
    }

    #[test]
    fn the_whole_is_bounded_and_a_random_one_goes() {
        let (mut admission, mut random) = (Admission::new(LIMITS), Counting(0));
        let mut evicted = BTreeSet::new();
        for net in 0..50 {
            evicted.extend(admission.admit(IpAddr::from([10, 0, net, 1]), &mut random).evicted);
        }
        assert_eq!(admission.len(), LIMITS.of_all);
        assert_eq!(evicted.len(), 45);
    }

    #[test]
    fn buffered_bytes_are_bounded() {
        let (mut admission, mut random) = (Admission::new(LIMITS), Counting(0));
        let first = admission.admit(from("10.0.0.1"), &mut random).applicant;
        let second = admission.admit(from("10.0.1.1"), &mut random).applicant;
        assert_eq!(admission.buffered(first, 60, &mut random), []);
        assert_eq!(admission.buffered(first, 50, &mut random), []);
        assert_eq!(admission.buffered(second, 50, &mut random), []);
        assert_eq!(admission.buffered(second, 51, &mut random).len(), 1);
        assert_eq!(admission.len(), 1);
    }

    #[test]
    fn bytes_of_one_prefix_cost_no_other_its_place() {
        let (mut admission, mut random) = (Admission::new(LIMITS), Counting(0));
        let other = admission.admit(from("10.0.1.1"), &mut random).applicant;
        assert_eq!(admission.buffered(other, 30, &mut random), []);
        let three = [1, 2, 3]
            .map(|host| admission.admit(IpAddr::from([10, 0, 0, host]), &mut random).applicant);
        assert_eq!(admission.buffered(three[0], 1, &mut random), []);
        assert_eq!(admission.buffered(three[1], 1, &mut random), []);
        assert_eq!(admission.buffered(three[2], 68, &mut random), []);
        // As many go as have to: here all, if the last one is that which holds too much.
        let gone = admission.buffered(three[2], 71, &mut random);
        assert!(gone.contains(&three[2]) && !gone.contains(&other), "{gone:?}");
        assert_eq!(admission.len(), 4 - gone.len());
    }

    #[test]
    fn one_that_left_is_not_counted() {
        let (mut admission, mut random) = (Admission::new(LIMITS), Counting(0));
        for _ in 0..100 {
            let admitted = admission.admit(from("2001:db8::1"), &mut random);
            assert_eq!(admitted.evicted, None);
            admission.leave(admitted.applicant);
        }
        assert!(admission.is_empty());
    }

    #[test]
    fn a_mapped_address_counts_with_its_prefix() {
        assert_eq!(Prefix::of(from("::ffff:10.0.0.9")), Prefix::of(from("10.0.0.1")));
        assert_eq!(Prefix::of(from("2001:db8:1:2::1")), Prefix::of(from("2001:db8:1:ff::")));
    }
}
