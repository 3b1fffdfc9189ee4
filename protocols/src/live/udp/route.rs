//! Where the peer is. It may move: what it sealed last says so. Until it has answered from the new
//! address, no more is sent there than three times what came from it, so that nobody can have us
//! flood a third; if it does not answer, it is where it was.

use core::net::SocketAddr;
use core::time::Duration;

use super::retry::Retry;
use crate::time::Timestamp;

/// How many times what came from an address may be sent there before it is proved (RFC 9000,
/// section 8.1).
const FACTOR: usize = 3;

/// How long an address has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a peer is.
#[derive(Debug)]
pub(super) struct Route {
    address: SocketAddr,
    doubt: Option<Doubt>,
}

/// What is not proved.
#[derive(Debug)]
struct Doubt {
    /// Where the peer was.
    before: SocketAddr,
    /// What it has to say from where it is.
    token: [u8; 8],
    retry: Retry,
    ends: Timestamp,
    credit: usize,
}

impl Route {
    /// To an address that has answered.
    pub(super) fn proved(address: SocketAddr) -> Self {
        Self { address, doubt: None }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// So much came from the peer, at its newest or not. Gives what the peer is to be asked where
    /// it has moved.
    pub(super) fn received(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        bytes: usize,
        is_newest: bool,
        token: impl FnOnce() -> [u8; 8],
    ) -> Option<[u8; 8]> {
        if from == self.address {
            if let Some(doubt) = &mut self.doubt {
                doubt.credit = doubt.credit.saturating_add(FACTOR * bytes);
            }
            return None;
        }
        if !is_newest {
            return None;
        }
        let before = self.doubt.as_ref().map_or(self.address, |doubt| doubt.before);
        self.address = from;
        if before == from {
            // It is back where it was proved to be.
            self.doubt = None;
            return None;
        }
        let (token, ends, credit) = (token(), now + PATIENCE, FACTOR * bytes);
        self.doubt = Some(Doubt { before, token, retry: Retry::new(now), ends, credit });
        Some(token)
    }

    /// The peer answered a challenge.
    pub(super) fn answered(&mut self, from: SocketAddr, token: [u8; 8]) {
        let is_answer = self.doubt.as_ref().is_some_and(|doubt| doubt.token == token);
        if is_answer && from == self.address {
            self.doubt = None;
        }
    }

    /// Whether so much may be sent.
    pub(super) fn allows(&self, bytes: usize) -> bool {
        self.doubt.as_ref().is_none_or(|doubt| doubt.credit >= bytes)
    }

    /// So much was sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        if let Some(doubt) = &mut self.doubt {
            doubt.credit = doubt.credit.saturating_sub(bytes);
        }
    }

    /// When something is due.
    pub(super) fn timeout(&self) -> Option<Timestamp> {
        self.doubt.as_ref().map(|doubt| doubt.retry.at().min(doubt.ends))
    }

    /// Time has passed: what the peer is to be asked again.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) -> Option<[u8; 8]> {
        let doubt = self.doubt.as_mut()?;
        if now.monotonic >= doubt.ends.monotonic {
            self.address = doubt.before;
            self.doubt = None;
            return None;
        }
        doubt.retry.is_due(now).then_some(doubt.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp {
        monotonic: Duration::from_secs(1),
        wall: crate::time::WallTime::from_millis(0),
    };

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn moved() -> Route {
        let mut route = Route::proved(at(1));
        assert_eq!(route.received(NOW, at(2), 100, true, || [7; 8]), Some([7; 8]));
        assert_eq!(route.address(), at(2));
        route
    }

    #[test]
    fn only_what_is_newest_moves_the_peer() {
        let mut route = Route::proved(at(1));
        assert_eq!(route.received(NOW, at(2), 100, false, || [7; 8]), None);
        assert_eq!(route.address(), at(1));
    }

    #[test]
    fn three_times_what_came_is_sent_before_the_answer_and_no_more() {
        let mut route = moved();
        assert!(route.allows(300) && !route.allows(301));
        route.sent(250);
        assert!(route.allows(50) && !route.allows(51));
        assert_eq!(route.received(NOW, at(2), 10, true, || [8; 8]), None);
        assert!(route.allows(80) && !route.allows(81));
        route.answered(at(2), [7; 8]);
        assert!(route.allows(usize::MAX));
    }

    #[test]
    fn an_answer_with_another_token_or_from_elsewhere_proves_nothing() {
        let mut route = moved();
        route.answered(at(2), [8; 8]);
        route.answered(at(1), [7; 8]);
        assert!(!route.allows(301));
    }

    #[test]
    fn who_does_not_answer_is_where_it_was() {
        let mut route = moved();
        assert_eq!(route.handle_timeout(NOW + Duration::from_millis(125)), Some([7; 8]));
        assert_eq!(route.handle_timeout(NOW + PATIENCE), None);
        assert_eq!((route.address(), route.allows(usize::MAX)), (at(1), true));
    }

    #[test]
    fn who_comes_back_needs_no_proof_and_two_moves_lead_back_to_the_proved_place() {
        let mut route = moved();
        assert_eq!(route.received(NOW, at(3), 100, true, || [9; 8]), Some([9; 8]));
        assert_eq!(route.received(NOW, at(1), 100, true, || [6; 8]), None);
        assert!(route.allows(usize::MAX) && route.address() == at(1));
    }
}
