//! Cookies: who shows one receives what is sent to its address. Made and judged from a secret that
//! changes, so that nothing is kept for who has not shown one.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::packet::COOKIE;
use crate::provider::Provider;
use crate::random::Random;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How long a secret makes cookies. The one before it still judges: a cookie holds at least so long
/// and at most twice.
const LIFETIME: Duration = Duration::from_secs(60);

/// What a message 1 must come with when there are too many.
#[derive(Debug)]
pub(super) struct Cookies {
    current: Secret<32>,
    previous: Secret<32>,
    replaced_at: Timestamp,
}

/// A message 1, as far as its cookie is bound to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bearer<'a> {
    pub(super) from: SocketAddr,
    pub(super) sender: u32,
    /// The hash of the message without the cookie.
    pub(super) message: &'a [u8; 32],
}

impl Cookies {
    pub(super) fn new(now: Timestamp, random: &mut dyn Random) -> Self {
        let (current, previous) = (Secret::random(random), Secret::random(random));
        Self { current, previous, replaced_at: now + LIFETIME }
    }

    /// The cookie for this message.
    pub(super) fn make(
        &mut self,
        now: Timestamp,
        provider: &dyn Provider,
        bearer: Bearer<'_>,
        random: &mut dyn Random,
    ) -> [u8; COOKIE] {
        self.keep_fresh(now, random);
        cookie(&self.current, provider, bearer)
    }

    /// Whether this is the cookie for this message.
    pub(super) fn holds(
        &mut self,
        now: Timestamp,
        provider: &dyn Provider,
        bearer: Bearer<'_>,
        shown: &[u8; COOKIE],
        random: &mut dyn Random,
    ) -> bool {
        self.keep_fresh(now, random);
        let shown = Secret::new(*shown);
        [&self.current, &self.previous]
            .into_iter()
            .any(|secret| Secret::new(cookie(secret, provider, bearer)) == shown)
    }

    fn keep_fresh(&mut self, now: Timestamp, random: &mut dyn Random) {
        if now.monotonic >= self.replaced_at.monotonic {
            // After a long pause neither holds any more.
            let is_stale = now.monotonic >= (self.replaced_at + LIFETIME).monotonic;
            let current = core::mem::replace(&mut self.current, Secret::random(random));
            self.previous = if is_stale { Secret::random(random) } else { current };
            self.replaced_at = now + LIFETIME;
        }
    }
}

fn cookie(secret: &Secret<32>, provider: &dyn Provider, bearer: Bearer<'_>) -> [u8; COOKIE] {
    let mut address = Vec::with_capacity(18);
    match bearer.from.ip() {
        IpAddr::V4(ip) => address.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => address.extend_from_slice(&ip.octets()),
    }
    address.extend_from_slice(&bearer.from.port().to_be_bytes());
    let parts = [address.as_slice(), &bearer.sender.to_be_bytes(), bearer.message];
    let hash = provider.hmac_sha256(secret.expose(), &parts);
    hash.expose().first_chunk().copied().unwrap_or_default()
}

#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::fixture::Seeded;
    use crate::provider::pure::Pure;

    #[test]
    fn a_cookie_holds_for_its_address_its_index_and_its_message_and_for_a_minute_or_two() {
        let (random, hash) = (&mut Seeded::new(1), [3; 32]);
        let start = Timestamp::default();
        let from = "192.0.2.1:77".parse().unwrap();
        let bearer = Bearer { from, sender: 5, message: &hash };
        let mut cookies = Cookies::new(start, random);
        let cookie = cookies.make(start, &Pure, bearer, random);
        assert!(cookies.holds(start, &Pure, bearer, &cookie, random));
        for other in [
            Bearer { from: "192.0.2.1:78".parse().unwrap(), ..bearer },
            Bearer { from: "192.0.2.2:77".parse().unwrap(), ..bearer },
            Bearer { sender: 6, ..bearer },
            Bearer { message: &[4; 32], ..bearer },
        ] {
            assert!(!cookies.holds(start, &Pure, other, &cookie, random));
        }
        assert!(cookies.holds(start + LIFETIME, &Pure, bearer, &cookie, random));
        assert!(!cookies.holds(start + LIFETIME * 2, &Pure, bearer, &cookie, random));
    }

    #[test]
    fn after_a_long_pause_no_old_cookie_holds() {
        let (random, hash) = (&mut Seeded::new(1), [3; 32]);
        let start = Timestamp::default();
        let from = "[2001:db8::1]:77".parse().unwrap();
        let bearer = Bearer { from, sender: 5, message: &hash };
        let mut cookies = Cookies::new(start, random);
        let cookie = cookies.make(start, &Pure, bearer, random);
        assert!(!cookies.holds(start + LIFETIME * 10, &Pure, bearer, &cookie, random));
    }
}
