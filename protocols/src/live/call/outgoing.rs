//! The calls that we make.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;

use super::frame::encode_request;
use super::resend::Resend;
use super::{CallFrameError, CallRefused, MAX_CALL_BYTES, MAX_CALLS};
use crate::identity::ServiceName;
use crate::time::Timestamp;

/// Our calls that have no end yet, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    next: u64,
    calls: BTreeMap<u64, Ours>,
    /// Of all bodies that are held.
    bytes: usize,
}

#[derive(Debug)]
struct Ours {
    service: ServiceName,
    /// Empty once it need not be sent again.
    body: Vec<u8>,
    deadline: Timestamp,
    request: Request,
}

/// Where a request is.
#[derive(Clone, Copy, Debug)]
enum Request {
    /// It waits to be sent for the first time.
    Queued,
    /// It may have been lost.
    Sent(Resend),
    /// It waits to be sent again.
    QueuedAgain(Resend),
    /// The peer has it.
    There,
}

impl Outgoing {
    /// Takes a call on; its number.
    pub(super) fn begin(
        &mut self,
        service: ServiceName,
        body: Vec<u8>,
        deadline: Timestamp,
    ) -> Result<u64, CallRefused> {
        if self.calls.len() >= MAX_CALLS || self.bytes + body.len() > MAX_CALL_BYTES {
            return Err(CallRefused::Busy);
        }
        let id = self.next;
        self.next += 1;
        self.bytes += body.len();
        self.calls.insert(id, Ours { service, body, deadline, request: Request::Queued });
        Ok(id)
    }

    /// The frame of a request that is to be sent now, if it still is.
    pub(super) fn transmit(&mut self, id: u64, now: Timestamp, reliable: bool) -> Option<Vec<u8>> {
        let lowest = self.lowest();
        let ours = self.calls.get_mut(&id)?;
        let remaining = ours.deadline.monotonic.saturating_sub(now.monotonic);
        let resend = match ours.request {
            Request::Queued => Resend::new(now),
            Request::QueuedAgain(mut resend) => {
                resend.said_again(now);
                resend
            }
            Request::Sent(_) | Request::There => return None,
        };
        let frame = encode_request(id, lowest, &ours.service, remaining, &ours.body);
        ours.request = Request::Sent(resend);
        if reliable {
            self.arrived(id);
        }
        Some(frame)
    }

    /// The peer has the request.
    pub(super) fn taken(&mut self, id: u64) -> Result<(), CallFrameError> {
        self.check(id)?;
        self.arrived(id);
        Ok(())
    }

    /// The call has its end; whether it had none before.
    pub(super) fn end(&mut self, id: u64) -> Result<bool, CallFrameError> {
        self.check(id)?;
        Ok(self.remove(id).is_some())
    }

    /// Nobody waits for the call any more; whether the peer is to hear of that.
    pub(super) fn give_up(&mut self, id: u64) -> bool {
        self.remove(id).is_some_and(|ours| !matches!(ours.request, Request::Queued))
    }

    /// The calls whose deadline has passed, which end by it.
    pub(super) fn take_late(&mut self, now: Timestamp) -> Vec<u64> {
        let late = self.calls.iter().filter(|(_, ours)| is_due(ours.deadline, now));
        let late: Vec<u64> = late.map(|(id, _)| *id).collect();
        for id in &late {
            self.remove(*id);
        }
        late
    }

    /// The requests that are to be sent again now.
    pub(super) fn take_due(&mut self, now: Timestamp) -> impl Iterator<Item = u64> {
        self.calls.iter_mut().filter_map(move |(id, ours)| match ours.request {
            Request::Sent(resend) if is_due(resend.due(), now) => {
                ours.request = Request::QueuedAgain(resend);
                Some(*id)
            }
            _ => None,
        })
    }

    /// All calls, and whether each was on its way.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = (u64, bool)> {
        self.bytes = 0;
        let calls = mem::take(&mut self.calls).into_iter();
        calls.map(|(id, ours)| (id, !matches!(ours.request, Request::Queued)))
    }

    /// When the next call is late, or the next request to be sent again. There are few enough calls
    /// to look at each.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        let times = self.calls.values().map(|ours| match ours.request {
            Request::Sent(resend) => earlier(resend.due(), ours.deadline),
            _ => ours.deadline,
        });
        times.min_by_key(|at| at.monotonic)
    }

    /// Below it no call waits for anything.
    fn lowest(&self) -> u64 {
        self.calls.first_key_value().map_or(self.next, |(id, _)| *id)
    }

    fn check(&self, id: u64) -> Result<(), CallFrameError> {
        if id < self.next { Ok(()) } else { Err(CallFrameError::NeverCalled) }
    }

    fn arrived(&mut self, id: u64) {
        if let Some(ours) = self.calls.get_mut(&id) {
            self.bytes -= mem::take(&mut ours.body).len();
            ours.request = Request::There;
        }
    }

    fn remove(&mut self, id: u64) -> Option<Ours> {
        let ours = self.calls.remove(&id)?;
        self.bytes -= ours.body.len();
        Some(ours)
    }
}

pub(super) fn is_due(at: Timestamp, now: Timestamp) -> bool {
    at.monotonic <= now.monotonic
}

pub(super) fn earlier(one: Timestamp, other: Timestamp) -> Timestamp {
    if one.monotonic <= other.monotonic { one } else { other }
}
