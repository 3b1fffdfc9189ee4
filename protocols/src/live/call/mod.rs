//! Calls: a request to a service of the peer and its one answer, before a deadline, many at once.
//!
//! [`Calls`] is one end's calls over one session, both those it makes and those it is asked. Frames
//! and time come in; frames and events go out. It runs no handler and knows no socket, and nobody's
//! standing: a request that is not to be answered must not be given to it.
//!
//! Over a path that loses nothing, a call is one frame each way. Over one that does, requests and
//! answers are sent again, with growing pauses, until the other end has shown that it has them; the
//! callee remembers which calls it has dealt with, so that each runs at most once.
//!
//! - `frame`: what is said. `outgoing`, `incoming`: the calls of each direction.
//! - `dealt`: which calls a callee has dealt with. `resend`: when something is said again.

mod dealt;
mod frame;
mod incoming;
mod outgoing;
mod resend;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

pub use frame::{CallFrame, CallFrameError, Refusal};

use self::incoming::{Incoming, Request};
use self::outgoing::Outgoing;
use crate::identity::ServiceName;
use crate::time::Timestamp;
use crate::wire::MAX_BODY;

/// The most calls of one direction of a session that may be without an end. More would only wait
/// behind each other: a caller is told to come again.
pub const MAX_CALLS: usize = 256;

/// The most bytes of bodies that one direction holds: as many of the largest as a stream would be
/// better for.
pub const MAX_CALL_BYTES: usize = 16 << 20;

/// The longest body of a request or an answer.
pub const MAX_CALL_BODY: usize = MAX_BODY;

/// The longest time that a call may take. What takes longer should be a message, which survives a
/// restart.
pub const MAX_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// The most short frames that wait to be sent. They answer what came in, and nobody may make us
/// hold more of them than that.
const MAX_SHORT: usize = 1_024;

/// A call that we make.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OurCall(pub(crate) u64);

/// A call that the peer makes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TheirCall(pub(crate) u64);

/// What the path under the calls can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CallPath {
    /// Whether frames arrive in order and none is lost while it stands.
    pub reliable: bool,
    /// The longest frame.
    pub max_frame: usize,
}

/// One end's calls over one session.
#[derive(Debug)]
pub struct Calls {
    path: CallPath,
    outgoing: Outgoing,
    incoming: Incoming,
    queue: VecDeque<Queued>,
    short: usize,
    events: VecDeque<CallEvent>,
}

/// What is to be sent. Bodies stay where they are until it is their turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Queued {
    Request(u64),
    Answer(u64),
    Short(Short),
}

/// A frame without a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Short {
    Cancel(u64),
    Taken(u64),
    Settled(u64),
    Refused(u64, Refusal),
}

/// What happened to a call.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum CallEvent {
    /// The peer calls: [`Calls::answer`] it until then.
    Asked {
        /// The call.
        call: TheirCall,
        /// Which of our services.
        service: ServiceName,
        /// What it is told.
        body: Vec<u8>,
        /// When nobody waits for an answer any more.
        deadline: Timestamp,
    },
    /// Nobody waits for the answer to this call any more.
    Withdrawn(TheirCall),
    /// A call of ours came to its end.
    Ended {
        /// The call.
        call: OurCall,
        /// The answer, or why there is none.
        end: Result<Vec<u8>, CallEnd>,
    },
}

/// Why a call of ours has no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallEnd {
    /// The peer refused.
    #[error(transparent)]
    Refused(Refusal),
    /// No answer came in time. The peer may have done what was asked.
    #[error("no answer came before the deadline")]
    DeadlinePassed,
    /// The session ended before an answer came.
    #[error("the session ended before an answer came")]
    Interrupted {
        /// Whether the request was on its way, so that the peer may have done what was asked.
        may_have_run: bool,
    },
}

impl CallEnd {
    /// Whether the peer may have done what was asked, or some of it.
    pub const fn may_have_run(self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.may_have_run(),
            Self::DeadlinePassed => true,
            Self::Interrupted { may_have_run } => may_have_run,
        }
    }
}

/// Why a call was not begun. Nothing was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallRefused {
    /// As many calls, or bytes of them, are under way as may be: try again when some ended.
    #[error("as many calls are under way as may be")]
    Busy,
    /// The body is longer than any may be: fix the caller, or use a stream.
    #[error("the body is longer than a call's may be")]
    TooLarge,
    /// The body is longer than this path carries: use a path over QUIC or TCP.
    #[error("the body is longer than this path carries")]
    TooLargeForPath,
    /// The deadline is further off than any may be, or none: fix the caller.
    #[error("a call takes more than nothing and at most an hour")]
    BadDeadline,
}

impl Calls {
    /// No calls yet, over this path.
    pub fn new(path: CallPath) -> Self {
        Self {
            path,
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            queue: VecDeque::new(),
            short: 0,
            events: VecDeque::new(),
        }
    }

    /// Begins a call that ends within `patience`, by [`CallEvent::Ended`].
    pub fn call(
        &mut self,
        now: Timestamp,
        service: ServiceName,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<OurCall, CallRefused> {
        if patience.is_zero() || patience > MAX_DEADLINE {
            return Err(CallRefused::BadDeadline);
        }
        if body.len() > MAX_CALL_BODY {
            return Err(CallRefused::TooLarge);
        }
        if body.len() + frame::MAX_HEADER > self.path.max_frame {
            return Err(CallRefused::TooLargeForPath);
        }
        let id = self.outgoing.begin(service, body, now + patience)?;
        self.queue.push_back(Queued::Request(id));
        Ok(OurCall(id))
    }

    /// Gives a call of ours up: its end is not told, and the peer stops.
    pub fn cancel(&mut self, call: OurCall) {
        if self.outgoing.give_up(call.0) {
            self.say(Short::Cancel(call.0));
        }
    }

    /// Answers a call of the peer's. One that was withdrawn is past answering.
    pub fn answer(&mut self, call: TheirCall, answer: Result<Vec<u8>, Refusal>) {
        let answer = answer.and_then(|body| {
            let fits = body.len() <= MAX_CALL_BODY
                && body.len() + frame::MAX_HEADER <= self.path.max_frame;
            if fits { Ok(body) } else { Err(Refusal::AnswerTooLarge) }
        });
        if self.incoming.answer(call.0, answer) {
            self.queue.push_back(Queued::Answer(call.0));
        }
    }

    /// Takes a frame of the peer's. The events that it causes are to be polled before the next.
    pub fn receive(&mut self, now: Timestamp, frame: &[u8]) -> Result<(), CallFrameError> {
        match CallFrame::decode(frame)? {
            CallFrame::Request { id, lowest, service, remaining, body } => {
                if !self.path.reliable {
                    let passed = self.incoming.pass(lowest);
                    self.withdrawn(passed);
                }
                self.asked(now, id, service, body, now + remaining)
            }
            CallFrame::Cancel { id } => {
                let ran = self.incoming.withdraw(id, self.path.reliable);
                self.withdrawn(ran.then_some(id));
                Ok(())
            }
            CallFrame::Settled { id } => {
                self.incoming.settle(id);
                Ok(())
            }
            CallFrame::Answer { id, body } => self.ended(id, Ok(body)),
            CallFrame::Refused { id, refusal } => self.ended(id, Err(CallEnd::Refused(refusal))),
            CallFrame::Taken { id } => self.outgoing.taken(id),
        }
    }

    /// The next frame to send.
    pub fn poll_transmit(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        loop {
            let reliable = self.path.reliable;
            let frame = match self.queue.pop_front()? {
                Queued::Request(id) => self.outgoing.transmit(id, now, reliable),
                Queued::Answer(id) => self.incoming.transmit(id, now, reliable),
                Queued::Short(short) => {
                    self.short -= 1;
                    Some(short.encode())
                }
            };
            if frame.is_some() {
                return frame;
            }
            // What was to be sent has ended meanwhile.
        }
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<CallEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let both = [self.outgoing.next_timeout(), self.incoming.next_timeout()];
        both.into_iter().flatten().min_by_key(|at| at.monotonic)
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        for id in self.outgoing.take_late(now) {
            let end = Err(CallEnd::DeadlinePassed);
            self.events.push_back(CallEvent::Ended { call: OurCall(id), end });
        }
        self.queue.extend(self.outgoing.take_due(now).map(Queued::Request));
        let late = self.incoming.take_late(now);
        for id in &late {
            self.say(Short::Refused(*id, Refusal::DeadlinePassed));
        }
        self.withdrawn(late);
        self.queue.extend(self.incoming.take_due(now).map(Queued::Answer));
        for id in self.incoming.take_to_confirm(now) {
            self.say(Short::Taken(id));
        }
    }

    /// The session is over: each call of ours ends, each of the peer's is withdrawn.
    pub fn end(&mut self) {
        self.queue.clear();
        self.short = 0;
        for (id, may_have_run) in self.outgoing.take_all() {
            let end = Err(CallEnd::Interrupted { may_have_run });
            self.events.push_back(CallEvent::Ended { call: OurCall(id), end });
        }
        let theirs = self.incoming.take_all();
        self.withdrawn(theirs);
    }

    fn asked(
        &mut self,
        now: Timestamp,
        id: u64,
        service: ServiceName,
        body: Vec<u8>,
        deadline: Timestamp,
    ) -> Result<(), CallFrameError> {
        match self.incoming.request(id, body.len(), deadline, now, self.path.reliable)? {
            Request::New => {
                let call = TheirCall(id);
                self.events.push_back(CallEvent::Asked { call, service, body, deadline });
            }
            Request::Refused => self.say(Short::Refused(id, Refusal::Busy)),
            Request::Running => self.say(Short::Taken(id)),
            Request::Answered => self.queue.push_back(Queued::Answer(id)),
            Request::Ignored => {}
        }
        Ok(())
    }

    fn ended(&mut self, id: u64, end: Result<Vec<u8>, CallEnd>) -> Result<(), CallFrameError> {
        if self.outgoing.end(id)? {
            self.events.push_back(CallEvent::Ended { call: OurCall(id), end });
        }
        if !self.path.reliable {
            // Also where it was known before: what said so was lost.
            self.say(Short::Settled(id));
        }
        Ok(())
    }

    fn withdrawn(&mut self, calls: impl IntoIterator<Item = u64>) {
        let calls = calls.into_iter().map(TheirCall);
        self.events.extend(calls.map(CallEvent::Withdrawn));
    }

    fn say(&mut self, short: Short) {
        if self.short < MAX_SHORT {
            self.short += 1;
            self.queue.push_back(Queued::Short(short));
        }
    }
}

impl Short {
    fn encode(self) -> Vec<u8> {
        match self {
            Self::Cancel(id) => CallFrame::Cancel { id },
            Self::Taken(id) => CallFrame::Taken { id },
            Self::Settled(id) => CallFrame::Settled { id },
            Self::Refused(id, refusal) => CallFrame::Refused { id, refusal },
        }
        .encode()
    }
}

impl fmt::Debug for CallEvent {
    /// Without bodies, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked { call, service, body, .. } => {
                write!(f, "Asked({}, {service}, {} bytes)", call.0, body.len())
            }
            Self::Withdrawn(call) => write!(f, "Withdrawn({})", call.0),
            Self::Ended { call, end } => {
                write!(f, "Ended({}, {:?})", call.0, end.as_ref().map(Vec::len))
            }
        }
    }
}
