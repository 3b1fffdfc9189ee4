//! How many handshakes may begin, from one neighbourhood and in all.
//!
//! A connection that was given up stays in memory for some round trips, so that late packets of it
//! are known: what may begin within a second bounds what lingers. Knows nothing of what becomes of a
//! handshake.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many may begin within a second from one prefix (/24 of IPv4, /48 of IPv6): each holds some 50
/// KiB while it lives and lingers. Who is not admitted comes over another transport, or a second later.
const OF_PREFIX: u32 = 32;

/// How many may begin within a second from all.
const OF_ALL: u32 = 512;

const WINDOW: Duration = Duration::from_secs(1);

/// What began within this second.
#[derive(Debug)]
pub(crate) struct Attempts {
    since: Instant,
    all: u32,
    /// At most [`OF_ALL`] entries.
    prefixes: HashMap<[u8; 6], u32>,
}

impl Attempts {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, all: 0, prefixes: HashMap::new() }
    }

    /// Whether one more may begin, which is then counted.
    pub(crate) fn admit(&mut self, now: Instant, from: IpAddr) -> bool {
        if now.saturating_duration_since(self.since) >= WINDOW {
            *self = Self::new(now);
        }
        if self.all >= OF_ALL {
            return false;
        }
        let of_prefix = self.prefixes.entry(prefix(from)).or_default();
        if *of_prefix >= OF_PREFIX {
            return false;
        }
        *of_prefix += 1;
        self.all += 1;
        true
    }
}

/// The prefix of an address; those of the two kinds are never the same.
fn prefix(address: IpAddr) -> [u8; 6] {
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

    #[test]
    fn a_prefix_gets_its_share_and_another_is_unharmed_until_the_next_second() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        let begun = (0..OF_PREFIX + 5).filter(|_| attempts.admit(now, at(10, 0, 0))).count();
        assert_eq!(begun, 32);
        assert!(attempts.admit(now, at(10, 0, 1)));
        assert!(!attempts.admit(now + WINDOW / 2, at(10, 0, 0)));
        assert!(attempts.admit(now + WINDOW, at(10, 0, 0)));
    }

    #[test]
    fn all_together_have_a_bound_too() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        let begun = (0..=u8::MAX)
            .flat_map(|b| (0..8).map(move |c| at(10, b, c)))
            .filter(|from| attempts.admit(now, *from))
            .count();
        assert_eq!(begun, 512);
        assert!(attempts.prefixes.len() <= 512);
    }

    #[test]
    fn the_two_forms_of_an_address_count_as_one() {
        let v4 = Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(prefix(v4.into()), prefix(v4.to_ipv6_mapped().into()));
        assert_ne!(prefix(v4.into()), prefix("2001:db8::1".parse().unwrap()));
    }
}
