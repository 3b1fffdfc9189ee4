//! The handshakes that others have begun: how many may begin, from one neighbourhood and in all, and
//! how many may be held in memory before their peers have proved themselves.
//!
//! A connection that was given up stays in memory for three of its probe timeouts, so that late
//! packets of it are known; until then it counts. Who has proved itself counts no more, so that many
//! honest peers behind one address only wait for each other's handshakes. Knows nothing of what
//! becomes of a handshake.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many may begin within a second from one prefix (/24 of IPv4, /48 of IPv6). Who is not
/// admitted comes over another transport, or a second later.
const OF_PREFIX: u32 = 32;

/// How many may begin within a second from all: each costs a fifth of a millisecond.
const OF_ALL: u32 = 512;

const WINDOW: Duration = Duration::from_secs(1);

/// How many are held of one prefix: some 50 KiB each, so one and a half mebibytes.
const HELD_OF_PREFIX: u32 = 28;

/// How many are held of all: thirteen mebibytes.
const HELD_OF_ALL: u32 = 256;

/// How many are held of a prefix before its addresses are validated first: a Retry costs some
/// microseconds, and who only claims an address takes no more places of those who have it.
const UNVALIDATED_OF_PREFIX: u32 = 8;

/// The same of all.
const UNVALIDATED: u32 = 32;

/// What becomes of one more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It may begin, and is held from now on.
    Begins,
    /// Its address has to show first that it receives.
    Validates,
    /// Silence answers.
    Ignored,
}

/// What has begun within this second, and what is held.
#[derive(Debug)]
pub(crate) struct Attempts {
    since: Instant,
    all: Count,
    /// Those of which any is held, or has begun within this second.
    prefixes: HashMap<Prefix, Count>,
    /// When each that was given up is held no more.
    lingering: BinaryHeap<Reverse<(Instant, Prefix)>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    begun: u32,
    held: u32,
}

/// A neighbourhood; those of the two kinds of addresses are never the same.
type Prefix = [u8; 6];

impl Attempts {
    pub(crate) fn new(now: Instant) -> Self {
        let (all, prefixes, lingering) = (Count::default(), HashMap::new(), BinaryHeap::new());
        Self { since: now, all, prefixes, lingering }
    }

    /// One more wants to begin.
    pub(crate) fn admit(&mut self, now: Instant, from: IpAddr, is_validated: bool) -> Verdict {
        self.pass(now);
        let prefix = prefix(from);
        let of_prefix = self.prefixes.get(&prefix).copied().unwrap_or_default();
        let is_busy = of_prefix.held >= UNVALIDATED_OF_PREFIX || self.all.held >= UNVALIDATED;
        let is_full = |count: Count, begun, held| count.begun >= begun || count.held >= held;
        if is_busy && !is_validated {
            return Verdict::Validates;
        }
        if is_full(of_prefix, OF_PREFIX, HELD_OF_PREFIX) || is_full(self.all, OF_ALL, HELD_OF_ALL) {
            return Verdict::Ignored;
        }
        for count in [&mut self.all, self.prefixes.entry(prefix).or_default()] {
            count.begun += 1;
            count.held += 1;
        }
        Verdict::Begins
    }

    /// One that began has proved itself.
    pub(crate) fn proved(&mut self, from: IpAddr) {
        self.release(prefix(from));
    }

    /// One that began was given up, and stays in memory for so long.
    pub(crate) fn given_up(&mut self, now: Instant, from: IpAddr, lingers: Duration) {
        self.lingering.push(Reverse((now + lingers, prefix(from))));
    }

    fn release(&mut self, prefix: Prefix) {
        self.all.held = self.all.held.saturating_sub(1);
        if let Some(count) = self.prefixes.get_mut(&prefix) {
            count.held = count.held.saturating_sub(1);
        }
    }

    fn pass(&mut self, now: Instant) {
        while let Some(Reverse((until, prefix))) = self.lingering.peek().copied()
            && until <= now
        {
            self.lingering.pop();
            self.release(prefix);
        }
        if now.saturating_duration_since(self.since) >= WINDOW {
            self.since = now;
            self.all.begun = 0;
            self.prefixes.retain(|_, count| {
                count.begun = 0;
                count.held > 0
            });
        }
    }
}

/// The prefix of an address.
fn prefix(address: IpAddr) -> Prefix {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            // No global IPv6 address begins so.
            [0, 0, 4, a, b, c]
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, ..] = v6.octets();
            [a, b, c, d, e, f]
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(a: u8, b: u8, c: u8) -> IpAddr {
        Ipv4Addr::new(a, b, c, 1).into()
    }

    fn begins(attempts: &mut Attempts, now: Instant, from: IpAddr) -> bool {
        attempts.admit(now, from, true) == Verdict::Begins
    }

    #[test]
    fn a_prefix_gets_its_share_and_another_is_unharmed_until_the_next_second() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        let mut begin = |now, from| {
            let begins = begins(&mut attempts, now, from);
            if begins {
                attempts.proved(from);
            }
            begins
        };
        let begun = (0..OF_PREFIX + 5).filter(|_| begin(now, at(10, 0, 0))).count();
        assert_eq!(begun, 32);
        assert!(begin(now, at(10, 0, 1)));
        assert!(!begin(now + WINDOW / 2, at(10, 0, 0)));
        assert!(begin(now + WINDOW, at(10, 0, 0)));
    }

    #[test]
    fn all_together_have_a_bound_too() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        let from = (0..=u8::MAX).flat_map(|b| (0..8).map(move |c| at(10, b, c)));
        let mut begun = 0;
        for from in from {
            if begins(&mut attempts, now, from) {
                begun += 1;
                attempts.proved(from);
            }
        }
        assert_eq!(begun, 512);
        assert!(attempts.prefixes.len() <= 512);
        begins(&mut attempts, now + WINDOW, at(11, 0, 0));
        assert_eq!(attempts.prefixes.len(), 1);
    }

    #[test]
    fn who_is_held_or_lingers_takes_a_place_and_who_proved_itself_gives_it_back() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        let from = at(10, 0, 0);
        let held = (0..OF_PREFIX).filter(|_| begins(&mut attempts, now, from)).count();
        assert_eq!(held, 28);
        let later = now + WINDOW;
        assert!(!begins(&mut attempts, later, from));
        attempts.proved(from);
        assert!(begins(&mut attempts, later, from));
        attempts.given_up(later, from, Duration::from_millis(900));
        assert!(!begins(&mut attempts, later + Duration::from_millis(899), from));
        assert!(begins(&mut attempts, later + Duration::from_millis(900), from));
        // Another prefix has places of its own.
        assert!(begins(&mut attempts, later, at(10, 0, 1)));
    }

    #[test]
    fn no_more_are_held_than_may_be_of_all() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        let held = (0..=u8::MAX)
            .flat_map(|b| [at(10, b, 0), at(10, b, 1)])
            .filter(|from| begins(&mut attempts, now, *from))
            .count();
        assert_eq!(held, 256);
    }

    #[test]
    fn addresses_are_validated_once_some_are_held() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        let from = at(10, 0, 0);
        for _ in 0..UNVALIDATED_OF_PREFIX {
            assert_eq!(attempts.admit(now, from, false), Verdict::Begins);
        }
        assert_eq!(attempts.admit(now, from, false), Verdict::Validates);
        assert_eq!(attempts.admit(now, from, true), Verdict::Begins);
        let others =
            (1..=u8::MAX).filter(|c| attempts.admit(now, at(10, 1, *c), false) == Verdict::Begins);
        assert_eq!(others.count(), 32 - 9);
    }

    #[test]
    fn the_two_forms_of_an_address_count_as_one() {
        let v4 = Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(prefix(v4.into()), prefix(v4.to_ipv6_mapped().into()));
        assert_ne!(prefix(v4.into()), prefix("2001:db8::1".parse().unwrap()));
    }
}
