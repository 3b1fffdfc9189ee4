//! Whether the peer is still there. Knows nothing of what is said, only that it was.

use core::time::Duration;

use super::super::handshake::Role;
use crate::time::Timestamp;

/// How long an initiator says nothing before it asks: routers that translate addresses forget a
/// mapping after 30 s of silence at the earliest.
const QUIET: Duration = Duration::from_secs(20);

/// How long a responder does: the initiator's question spares it its own.
const QUIET_RESPONDER: Duration = Duration::from_secs(25);

/// How long an answer is waited for before it is asked again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How long a peer may leave everything without an answer before it counts as gone; TCP gives as
/// long. What was on its way is sent again on the next path.
const GONE: Duration = Duration::from_secs(30);

/// When the peer was heard, and what waits for its answer.
#[derive(Debug)]
pub(super) struct Liveness {
    quiet: Duration,
    said: Timestamp,
    /// Since when something that asks for an answer has none.
    unanswered: Option<Timestamp>,
    asked: Timestamp,
}

impl Liveness {
    pub(super) fn new(now: Timestamp, role: Role) -> Self {
        let quiet = match role {
            Role::Initiator => QUIET,
            Role::Responder => QUIET_RESPONDER,
        };
        Self { quiet, said: now, unanswered: None, asked: now }
    }

    /// The peer was heard.
    pub(super) fn heard(&mut self) {
        self.unanswered = None;
    }

    /// Something was said; it asks for an answer or not.
    pub(super) fn said(&mut self, now: Timestamp, asks: bool) {
        self.said = now;
        if asks {
            self.asked = now;
            self.unanswered.get_or_insert(now);
        }
    }

    /// When something is due.
    pub(super) fn timeout(&self) -> Timestamp {
        match self.unanswered {
            Some(since) => (self.asked + ASK_EVERY).min(since + GONE),
            None => self.said + self.quiet,
        }
    }

    /// What is due.
    pub(super) fn due(&self, now: Timestamp) -> Due {
        if now.monotonic < self.timeout().monotonic {
            return Due::Nothing;
        }
        match self.unanswered {
            Some(since) if now.monotonic >= (since + GONE).monotonic => Due::Gone,
            _ => Due::Ask,
        }
    }
}

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    Nothing,
    /// The peer is to be asked whether it is there.
    Ask,
    /// It is not.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::default() + Duration::from_millis(millis)
    }

    #[test]
    fn a_quiet_peer_is_asked_and_a_silent_one_is_gone() {
        let mut life = Liveness::new(at(0), Role::Initiator);
        assert_eq!((life.due(at(19_999)), life.due(at(20_000))), (Due::Nothing, Due::Ask));
        let (mut now, mut asked) = (20_000, 0);
        while life.due(at(now)) != Due::Gone {
            if life.due(at(now)) == Due::Ask {
                life.said(at(now), true);
                asked += 1;
            }
            now += 100;
        }
        assert_eq!((now, asked), (50_000, 30));
        life.heard();
        assert_eq!((life.due(at(68_999)), life.due(at(69_000))), (Due::Nothing, Due::Ask));
    }
}
