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
const ASK_EVERY: Duration = Duration::from_millis(500);

/// How long a peer may leave what was said without an answer before it counts as gone: sixteen
/// questions, of which one gets through and back even where six of ten datagrams are lost (but once
/// in twenty). What was on its way is sent again on the next path.
const GONE: Duration = Duration::from_secs(8);

/// The same where nothing was said but the question whether it is there: a session that nobody uses
/// outlives a longer gap, as TCP's do.
const GONE_UNUSED: Duration = Duration::from_secs(30);

/// When the peer was heard, and what waits for its answer.
#[derive(Debug)]
pub(super) struct Liveness {
    quiet: Duration,
    said: Timestamp,
    /// When the peer counts as gone, while something that asks for an answer has none.
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

    /// Something was said.
    pub(super) fn said(&mut self, now: Timestamp, what: Said) {
        self.said = now;
        let patience = match what {
            Said::Told => return,
            Said::Asked => GONE_UNUSED,
            Said::Frame => GONE,
        };
        self.asked = now;
        let gone = now + patience;
        self.unanswered = Some(self.unanswered.map_or(gone, |before| before.min(gone)));
    }

    /// When something is due.
    pub(super) fn timeout(&self) -> Timestamp {
        match self.unanswered {
            Some(gone) => (self.asked + ASK_EVERY).min(gone),
            None => self.said + self.quiet,
        }
    }

    /// What is due.
    pub(super) fn due(&self, now: Timestamp) -> Due {
        if now.monotonic < self.timeout().monotonic {
            return Due::Nothing;
        }
        match self.unanswered {
            Some(gone) if now.monotonic >= gone.monotonic => Due::Gone,
            _ => Due::Ask,
        }
    }
}

/// What kind of thing was said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// Nothing that asks for an answer.
    Told,
    /// Something that does, for the session's own sake.
    Asked,
    /// Something of who uses the session.
    Frame,
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

    /// Asks whenever it is time to; how often, and when the peer is gone.
    fn waits(life: &mut Liveness, from: u64) -> (u64, u32) {
        let (mut now, mut asked) = (from, 0);
        while life.due(at(now)) != Due::Gone {
            if life.due(at(now)) == Due::Ask {
                life.said(at(now), Said::Asked);
                asked += 1;
            }
            now += 100;
        }
        (now, asked)
    }

    #[test]
    fn a_quiet_peer_is_asked_and_a_silent_one_is_gone() {
        let mut life = Liveness::new(at(0), Role::Initiator);
        assert_eq!((life.due(at(19_999)), life.due(at(20_000))), (Due::Nothing, Due::Ask));
        assert_eq!(waits(&mut life, 20_000), (50_000, 60));
        life.heard();
        assert_eq!((life.due(at(69_499)), life.due(at(69_500))), (Due::Nothing, Due::Ask));
    }

    #[test]
    fn who_leaves_a_frame_without_an_answer_is_gone_sooner() {
        let mut life = Liveness::new(at(0), Role::Responder);
        life.said(at(1_000), Said::Told);
        assert_eq!(life.due(at(25_999)), Due::Nothing);
        life.said(at(2_000), Said::Frame);
        life.said(at(2_300), Said::Frame);
        assert_eq!(waits(&mut life, 2_300), (10_000, 15));
        // Also where it was only asked at first.
        life.heard();
        life.said(at(20_000), Said::Asked);
        life.said(at(21_000), Said::Frame);
        assert_eq!(waits(&mut life, 21_000).0, 29_000);
    }
}
