//! Who may try to prove itself: the caps on sessions whose Hello was not accepted yet.
//!
//! An established session is out of its reach. Knows nothing of sockets: an address in, and
//! whether to go on with it, and with whom not, out.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use crate::random::Random;

/// The caps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The most from one prefix: /24 for IPv4, /48 for IPv6, what one party can have cheaply.
    pub of_prefix: usize,
    /// The most in all.
    pub of_all: usize,
    /// The most bytes buffered for all of them.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { of_prefix: 64, of_all: 4_096, bytes: 16 << 20 }
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
    prefixes: BTreeMap<Prefix, BTreeSet<Applicant>>,
    bytes: usize,
    next: u64,
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
        let evicted = if of_prefix.is_some_and(|some| some.len() >= self.limits.of_prefix) {
            of_prefix.and_then(|some| pick(some.iter(), some.len(), random))
        } else if self.applicants.len() >= self.limits.of_all {
            pick(self.applicants.keys(), self.applicants.len(), random)
        } else {
            None
        };
        if let Some(evicted) = evicted {
            self.leave(evicted);
        }
        let applicant = Applicant(self.next);
        self.next += 1;
        self.applicants.insert(applicant, (prefix, 0));
        self.prefixes.entry(prefix).or_default().insert(applicant);
        Admitted { applicant, evicted }
    }

    /// So many bytes are now buffered for this one; returns one that has to go for them.
    pub fn buffered(
        &mut self,
        applicant: Applicant,
        bytes: usize,
        random: &mut dyn Random,
    ) -> Option<Applicant> {
        let (_, held) = self.applicants.get_mut(&applicant)?;
        self.bytes = self.bytes - *held + bytes;
        *held = bytes;
        if self.bytes <= self.limits.bytes {
            return None;
        }
        let evicted = pick(self.applicants.keys(), self.applicants.len(), random)?;
        self.leave(evicted);
        Some(evicted)
    }

    /// This one proved itself, or is gone.
    pub fn leave(&mut self, applicant: Applicant) {
        let Some((prefix, bytes)) = self.applicants.remove(&applicant) else { return };
        self.bytes -= bytes;
        if let Some(some) = self.prefixes.get_mut(&prefix) {
            some.remove(&applicant);
            if some.is_empty() {
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

    const LIMITS: Limits = Limits { of_prefix: 3, of_all: 5, bytes: 100 };

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
        assert_eq!(admission.buffered(first, 60, &mut random), None);
        assert_eq!(admission.buffered(first, 50, &mut random), None);
        assert_eq!(admission.buffered(second, 50, &mut random), None);
        assert!(admission.buffered(second, 51, &mut random).is_some());
        assert_eq!(admission.len(), 1);
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
