//! The calls of a session: who waits for an answer, and which handlers run.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use meshwork_protocols::identity::ServiceName;
use meshwork_protocols::live::call::{
    CallEnd, CallEvent, CallFrameError, CallPath, CallRefused, Calls, OurCall, Refusal, TheirCall,
};
use meshwork_protocols::time::Timestamp;
use tokio::sync::oneshot;

use super::Session;
use crate::agent::Asked;
use crate::driver::Shared;
use crate::driver::carrier::Carries;
use crate::driver::outbound::Lane;
use crate::driver::services::Handler;

/// How a call ended.
type End = Result<Vec<u8>, CallEnd>;

/// How much of calls waits to be sealed: what is not yet there can still be withdrawn.
const STAGED: usize = 64 << 10;

/// The calls of a session.
#[derive(Debug)]
pub(super) struct Desk {
    calls: Calls,
    /// Who waits for which answer.
    waiting: HashMap<OurCall, oneshot::Sender<End>>,
    /// What runs for the peer; dropped to stop it.
    running: HashMap<TheirCall, oneshot::Sender<()>>,
    over: bool,
}

impl Desk {
    pub(super) fn new(carries: Carries) -> Self {
        let Carries { reliable, max_frame, .. } = carries;
        let calls = Calls::new(CallPath { reliable, max_frame });
        Self { calls, waiting: HashMap::new(), running: HashMap::new(), over: false }
    }
}

/// Why a call was not begun: nothing was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CallNotBegun {
    Refused(CallRefused),
    /// The session is over.
    Over,
}

impl Session {
    /// Begins a call.
    pub(crate) fn call(
        self: &Arc<Self>,
        now: Timestamp,
        service: ServiceName,
        body: &[u8],
        patience: Duration,
    ) -> Result<Pending, CallNotBegun> {
        let mut desk = self.desk();
        if desk.over {
            return Err(CallNotBegun::Over);
        }
        let call = desk.calls.call(now, service, body.to_vec(), patience);
        let call = call.map_err(CallNotBegun::Refused)?;
        let (end, ended) = oneshot::channel();
        desk.waiting.insert(call, end);
        drop(desk);
        self.count_use();
        self.outbound.stir();
        Ok(Pending { session: Arc::clone(self), call, ended })
    }

    /// Takes a frame about a call from a peer that may call; whether somebody waits to go on with
    /// it: a handler, or who called.
    pub(in crate::driver) fn receive_call(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        frame: &[u8],
    ) -> Result<bool, CallFrameError> {
        let (taken, stirs) =
            self.step(shared, |desk| desk.calls.receive(shared.clock.now(), frame));
        taken.map(|()| stirs)
    }

    /// When something about a call is due.
    pub(in crate::driver) fn calls_timeout(&self) -> Option<Timestamp> {
        self.desk().calls.next_timeout()
    }

    /// Time has passed.
    pub(in crate::driver) fn calls_tick(self: &Arc<Self>, shared: &Arc<Shared>) {
        self.step(shared, |desk| desk.calls.handle_timeout(shared.clock.now()));
    }

    /// Moves what calls have to say to where it is sealed from.
    pub(in crate::driver) fn stage_calls(&self, now: Timestamp) {
        let mut desk = self.desk();
        let mut room = STAGED.saturating_sub(self.outbound.waiting(Lane::Calls));
        while room > 0 {
            let Some(frame) = desk.calls.poll_transmit(now) else { break };
            room = room.saturating_sub(frame.len());
            // Refused where the session ends, and the calls with it.
            let _ = self.outbound.push(Lane::Calls, vec![frame]);
        }
    }

    /// The session is over.
    pub(in crate::driver) fn end_calls(self: &Arc<Self>, shared: &Arc<Shared>) {
        self.step(shared, |desk| {
            desk.over = true;
            desk.calls.end();
        });
    }

    fn cancel(&self, call: OurCall) {
        let mut desk = self.desk();
        desk.waiting.remove(&call);
        desk.calls.cancel(call);
        drop(desk);
        self.outbound.stir();
    }

    fn answer(&self, call: TheirCall, answer: Result<Vec<u8>, Refusal>) {
        let mut desk = self.desk();
        desk.running.remove(&call);
        desk.calls.answer(call, answer);
        drop(desk);
        self.outbound.stir();
    }

    /// Does something to the calls, and then what they want done; whether a handler was begun or a
    /// caller told.
    fn step<T>(self: &Arc<Self>, shared: &Shared, act: impl FnOnce(&mut Desk) -> T) -> (T, bool) {
        let mut desk = self.desk();
        let waited = desk.waiting.len();
        let done = act(&mut desk);
        let begun = self.follow(&mut desk, shared);
        let stirs = !begun.is_empty() || desk.waiting.len() < waited;
        // A runtime that shuts down drops a task at once, which then answers: never under the lock.
        drop(desk);
        for (handler, begun) in begun {
            self.count_use();
            shared.runtime.spawn(begun.run(handler));
        }
        (done, stirs)
    }

    /// Tells whoever waits, and returns what is to be run.
    fn follow(self: &Arc<Self>, desk: &mut Desk, shared: &Shared) -> Vec<(Handler, Begun)> {
        let mut begun = Vec::new();
        while let Some(event) = desk.calls.poll() {
            match event {
                CallEvent::Asked { call, service, body, deadline } => {
                    if shared.relays.take_nudge(&self.peer, &service, &body) {
                        desk.calls.answer(call, Ok(Vec::new()));
                        continue;
                    }
                    let is_heard = shared.peers.is_heard(&self.peer);
                    let Some(handler) = shared.services.find(&service, is_heard) else {
                        desk.calls.answer(call, Err(Refusal::NoSuchService));
                        continue;
                    };
                    let asked = Asked { caller: self.peer, service, body, deadline };
                    let (running, withdrawn) = oneshot::channel();
                    desk.running.insert(call, running);
                    let answering = Answering { session: Arc::clone(self), call, answer: None };
                    begun.push((handler, Begun { asked, withdrawn, answering }));
                }
                CallEvent::Withdrawn(call) => {
                    desk.running.remove(&call);
                }
                CallEvent::Ended { call, end } => {
                    if let Some(waiting) = desk.waiting.remove(&call) {
                        // Whoever called may have gone meanwhile.
                        let _ = waiting.send(end);
                    }
                }
                // A kind that a later version tells and this one does not know yet.
                _ => {}
            }
        }
        begun
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Each change under the lock is whole.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of the peer's whose handler is about to run.
struct Begun {
    asked: Asked,
    withdrawn: oneshot::Receiver<()>,
    answering: Answering,
}

impl Begun {
    async fn run(self, handler: Handler) {
        let Self { asked, withdrawn, mut answering } = self;
        tokio::select! {
            answer = handler(asked) => answering.answer = Some(answer),
            // Nobody waits for the answer any more. The handler is dropped where it stands.
            _ = withdrawn => {}
        }
    }
}

/// Answers when it is dropped: with what the handler said, or that it failed.
struct Answering {
    session: Arc<Session>,
    call: TheirCall,
    answer: Option<Result<Vec<u8>, Refusal>>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        // A handler that panicked has none; one that was withdrawn is past answering.
        let answer = self.answer.take().unwrap_or(Err(Refusal::HandlerFailed));
        self.session.answer(self.call, answer);
    }
}

/// A call that waits for its answer. Dropped before, it is cancelled.
#[derive(Debug)]
pub(crate) struct Pending {
    session: Arc<Session>,
    call: OurCall,
    ended: oneshot::Receiver<End>,
}

impl Future for Pending {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<End> {
        let ended = Pin::new(&mut self.ended).poll(context);
        // Without a word only where the session is gone with all that it held.
        ended.map(|end| end.unwrap_or(Err(CallEnd::Interrupted { may_have_run: true })))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // One that ended is no longer known, which costs nothing.
        self.session.cancel(self.call);
    }
}
