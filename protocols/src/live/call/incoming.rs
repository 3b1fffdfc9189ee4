//! The calls that the peer makes.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::dealt::Dealt;
use super::frame::{CallFrame, encode_answer};
use super::outgoing::{earlier, is_due};
use super::resend::Resend;
use super::{CallFrameError, MAX_CALL_BYTES, MAX_CALLS, Refusal};
use crate::time::Timestamp;

/// How long an answer may take until the caller is told that its request is here: well before it
/// would send it again.
const CONFIRM_AFTER: Duration = Duration::from_millis(25);

/// The peer's calls that have no end yet, by its numbers.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    calls: BTreeMap<u64, Theirs>,
    /// Of all requests that run, and of all answers that are held.
    bytes: usize,
    running: usize,
    dealt: Dealt,
}

#[derive(Debug)]
struct Theirs {
    deadline: Timestamp,
    bytes: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Running {
        /// When the caller is told that its request is here, where it was not.
        confirm: Option<Timestamp>,
    },
    Answered {
        answer: Result<Vec<u8>, Refusal>,
        /// It waits to be sent.
        queued: bool,
        sent: Option<Resend>,
    },
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Request {
    /// It is to be run.
    New,
    /// There is no room for it.
    Refused,
    /// It came again, and runs.
    Running,
    /// It came again, and its answer is to be sent again.
    Answered,
    /// It came again and is to be forgotten, or the answer has just been sent.
    Ignored,
}

impl Incoming {
    /// A request came.
    pub(super) fn request(
        &mut self,
        id: u64,
        bytes: usize,
        deadline: Timestamp,
        now: Timestamp,
        reliable: bool,
    ) -> Result<Request, CallFrameError> {
        if reliable {
            // Nothing comes twice and all in order: a number that is not new is a lie.
            if self.dealt.contains(id) {
                return Err(CallFrameError::NumberReused);
            }
            self.dealt.raise(id.saturating_add(1));
        } else {
            if self.dealt.contains(id) {
                return Ok(Request::Ignored);
            }
            if let Some(known) = self.calls.get_mut(&id) {
                return Ok(known.asked_again(now));
            }
        }
        if self.has_room(bytes) {
            let confirm = (!reliable).then(|| now + CONFIRM_AFTER);
            self.insert(id, Theirs { deadline, bytes, state: State::Running { confirm } });
            return Ok(Request::New);
        }
        if reliable {
            return Ok(Request::Refused);
        }
        // The refusal can be lost as an answer can, and the call must not run after it. Where too
        // many are refused, the caller asks again until there is room.
        if self.calls.len() >= 2 * MAX_CALLS {
            return Ok(Request::Ignored);
        }
        let state = State::Answered { answer: Err(Refusal::Busy), queued: true, sent: None };
        self.insert(id, Theirs { deadline, bytes: 0, state });
        Ok(Request::Answered)
    }

    /// The answer to a call is here; whether somebody waits for it.
    pub(super) fn answer(&mut self, id: u64, answer: Result<Vec<u8>, Refusal>) -> bool {
        let Some(theirs) = self.calls.get_mut(&id) else { return false };
        if !matches!(theirs.state, State::Running { .. }) {
            return false;
        }
        let bytes = answer.as_ref().map_or(0, Vec::len);
        self.bytes += bytes;
        self.bytes -= mem::replace(&mut theirs.bytes, bytes);
        self.running -= 1;
        theirs.state = State::Answered { answer, queued: true, sent: None };
        true
    }

    /// The frame of an answer that is to be sent now, if it still is.
    pub(super) fn transmit(&mut self, id: u64, now: Timestamp, reliable: bool) -> Option<Vec<u8>> {
        let State::Answered { answer, queued: queued @ true, sent } =
            &mut self.calls.get_mut(&id)?.state
        else {
            return None;
        };
        let frame = match answer {
            Ok(body) => encode_answer(id, body),
            Err(refusal) => CallFrame::Refused { id, refusal: *refusal }.encode(),
        };
        *queued = false;
        match sent {
            Some(resend) => resend.said_again(now),
            None => *sent = Some(Resend::new(now)),
        }
        if reliable {
            self.remove(id);
        }
        Some(frame)
    }

    /// The caller does not wait any more; whether it ran until now.
    pub(super) fn withdraw(&mut self, id: u64, reliable: bool) -> bool {
        if !reliable {
            // Its request may come later than this.
            self.dealt.insert(id);
        }
        self.remove(id).is_some_and(|theirs| matches!(theirs.state, State::Running { .. }))
    }

    /// The caller has got its answers to all calls below, or does not wait any more; those of them
    /// that ran until now.
    pub(super) fn pass(&mut self, lowest: u64) -> Vec<u64> {
        self.dealt.raise(lowest);
        let over: Vec<u64> = self.calls.range(..lowest).map(|(id, _)| *id).collect();
        self.remove_all(&over)
    }

    /// The caller has the answer.
    pub(super) fn settle(&mut self, id: u64) {
        let answered = |theirs: &Theirs| matches!(theirs.state, State::Answered { .. });
        if self.calls.get(&id).is_some_and(answered) {
            self.remove(id);
            self.dealt.insert(id);
        }
    }

    /// The calls that ran until their deadline, which has passed. Answers for which nobody waits
    /// any more go with them.
    pub(super) fn take_late(&mut self, now: Timestamp) -> Vec<u64> {
        let late = self.calls.iter().filter(|(_, theirs)| is_due(theirs.deadline, now));
        let late: Vec<u64> = late.map(|(id, _)| *id).collect();
        late.iter().for_each(|id| self.dealt.insert(*id));
        self.remove_all(&late)
    }

    /// The answers that are to be sent again now.
    pub(super) fn take_due(&mut self, now: Timestamp) -> impl Iterator<Item = u64> {
        self.calls.iter_mut().filter_map(move |(id, theirs)| match &mut theirs.state {
            State::Answered { queued: queued @ false, sent: Some(resend), .. }
                if is_due(resend.due(), now) =>
            {
                *queued = true;
                Some(*id)
            }
            _ => None,
        })
    }

    /// The calls whose callers are to be told that their requests are here.
    pub(super) fn take_to_confirm(&mut self, now: Timestamp) -> Vec<u64> {
        let calls = self.calls.iter_mut().filter_map(|(id, theirs)| match &mut theirs.state {
            State::Running { confirm } if confirm.is_some_and(|at| is_due(at, now)) => {
                *confirm = None;
                Some(*id)
            }
            _ => None,
        });
        calls.collect()
    }

    /// All that run.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = u64> + use<> {
        (self.bytes, self.running) = (0, 0);
        let calls = mem::take(&mut self.calls).into_iter();
        calls.filter_map(|(id, theirs)| matches!(theirs.state, State::Running { .. }).then_some(id))
    }

    /// When something is to be said, or a call is late. There are few enough calls to look at each.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        let times = self.calls.values().map(|theirs| match &theirs.state {
            State::Running { confirm: Some(at) } => earlier(*at, theirs.deadline),
            State::Answered { queued: false, sent: Some(resend), .. } => {
                earlier(resend.due(), theirs.deadline)
            }
            _ => theirs.deadline,
        });
        times.min_by_key(|at| at.monotonic)
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.running < MAX_CALLS
            && self.calls.len() < 2 * MAX_CALLS
            && self.bytes + bytes <= MAX_CALL_BYTES
    }

    fn insert(&mut self, id: u64, theirs: Theirs) {
        self.bytes += theirs.bytes;
        self.running += usize::from(matches!(theirs.state, State::Running { .. }));
        self.calls.insert(id, theirs);
    }

    /// Removes calls; those of them that ran.
    fn remove_all(&mut self, ids: &[u64]) -> Vec<u64> {
        let ran = |theirs: &Theirs| matches!(theirs.state, State::Running { .. });
        ids.iter().copied().filter(|id| self.remove(*id).is_some_and(|it| ran(&it))).collect()
    }

    fn remove(&mut self, id: u64) -> Option<Theirs> {
        let theirs = self.calls.remove(&id)?;
        self.bytes -= theirs.bytes;
        self.running -= usize::from(matches!(theirs.state, State::Running { .. }));
        Some(theirs)
    }
}

impl Theirs {
    /// The request came again.
    fn asked_again(&mut self, now: Timestamp) -> Request {
        match &mut self.state {
            State::Running { confirm } => {
                *confirm = None;
                Request::Running
            }
            State::Answered { queued: queued @ false, sent: Some(resend), .. }
                if resend.may_echo(now) =>
            {
                *queued = true;
                Request::Answered
            }
            State::Answered { .. } => Request::Ignored,
        }
    }
}
