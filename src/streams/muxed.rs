//! All the streams of one session over TCP: who waits for which, and when its line has to send.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use meshwork_protocols::identity::ServiceName;
use meshwork_protocols::live::Role;
use meshwork_protocols::live::stream::{
    MAX_UNSENT, Multiplexer, OpenError, Progress, Readable, Received, StreamCode, StreamId,
    StreamViolation,
};
use tokio::io::ReadBuf;
use tokio::sync::Notify;

use super::StreamError;

/// All the streams of one session.
pub(crate) struct Muxed {
    state: Mutex<State>,
    /// There is something to send.
    changed: Notify,
    /// Frames were passed over, so that nothing said from now on would be understood.
    deaf: AtomicBool,
}

struct State {
    mux: Multiplexer,
    waiting: HashMap<StreamId, Waiting>,
}

/// Who waits for a stream.
#[derive(Default)]
struct Waiting {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Muxed {
    /// The streams of a session in which we have this role.
    pub(crate) fn new(role: Role) -> Self {
        let state = State { mux: Multiplexer::new(role), waiting: HashMap::new() };
        Self { state: Mutex::new(state), changed: Notify::new(), deaf: AtomicBool::new(false) }
    }

    // What the line does.

    /// Takes a frame of the peer's: a stream that it opened, if it did.
    pub(crate) fn receive(
        &self,
        frame: Vec<u8>,
    ) -> Result<Option<(StreamId, ServiceName)>, StreamViolation> {
        let mut state = self.lock();
        let received = state.mux.receive(frame)?;
        let waiting = match &received {
            Received::Stirred(id) => state.waiting.get_mut(id).map(std::mem::take),
            _ => None,
        };
        self.tell_line(&state);
        drop(state);
        waiting.unwrap_or_default().wake();
        match received {
            Received::Opened { id, name } => Ok(Some((id, name))),
            _ => Ok(None),
        }
    }

    /// The next frame to send.
    pub(crate) fn next_frame(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let (id, frame) = state.mux.next_frame()?;
        // A writer that is woken for each frame would cost more than its bytes.
        let writer = match state.unsent(id) <= WORTH_WAKING {
            true => state.waiting.get_mut(&id).and_then(|waiting| waiting.writer.take()),
            false => None,
        };
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        Some(frame)
    }

    /// Waits until there is something to send. Dropping the future loses nothing.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Frames of the peer's are passed over, for it may not open streams: no stream can stand on
    /// this session any more.
    pub(crate) fn pass_over(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    /// Whether frames were passed over.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }

    /// Nothing more will come or go.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.mux.end();
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waiting::wake);
    }

    // What handles do.

    pub(super) fn open(&self, name: ServiceName) -> Result<StreamId, OpenError> {
        if self.is_deaf() {
            return Err(OpenError::SessionOver);
        }
        self.with(|mux| mux.open(name))
    }

    pub(super) fn accept(&self, id: StreamId) {
        self.with(|mux| mux.accept(id));
    }

    pub(super) fn reset(&self, id: StreamId, code: StreamCode) {
        self.with(|mux| mux.reset(id, code));
    }

    pub(super) fn stop(&self, id: StreamId, code: StreamCode) {
        self.with(|mux| mux.stop(id, code));
    }

    pub(super) fn release(&self, id: StreamId, code: StreamCode) {
        self.with(|mux| mux.release(id, code));
        self.lock().waiting.remove(&id);
    }

    pub(super) fn finish(&self, id: StreamId) -> Result<(), StreamError> {
        let mut state = self.lock();
        let finished = state.mux.finish(id).map_err(|error| state.failed(id, error));
        self.tell_line(&state);
        finished
    }

    pub(super) fn progress(&self, id: StreamId) -> Progress {
        self.lock().mux.progress(id)
    }

    pub(super) fn poll_read(
        &self,
        id: StreamId,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), StreamError>> {
        let mut state = self.lock();
        let before = into.filled().len();
        while into.remaining() > 0 {
            match state.mux.readable(id) {
                Ok(Readable::Bytes(bytes)) => {
                    let count = bytes.len().min(into.remaining());
                    into.put_slice(bytes.get(..count).unwrap_or_default());
                    state.mux.consume(id, count);
                }
                // What came before is handed out before what happened after it is told.
                _ if into.filled().len() > before => break,
                Ok(Readable::End) => break,
                Ok(Readable::Nothing) => {
                    state.waiting.entry(id).or_default().reader = Some(context.waker().clone());
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(state.failed(id, error))),
            }
        }
        self.tell_line(&state);
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(
        &self,
        id: StreamId,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, StreamError>> {
        let mut state = self.lock();
        let taken = state.mux.write(id, bytes).map_err(|error| state.failed(id, error))?;
        self.tell_line(&state);
        if taken == 0 && !bytes.is_empty() {
            return state.wait_to_write(id, context);
        }
        Poll::Ready(Ok(taken))
    }

    /// Waits until all that was written was sent.
    pub(super) fn poll_flush(
        &self,
        id: StreamId,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), StreamError>> {
        let mut state = self.lock();
        if state.unsent(id) == 0 {
            return Poll::Ready(Ok(()));
        }
        match state.mux.is_done(id) {
            Ok(_) => state.wait_to_write(id, context),
            Err(error) => Poll::Ready(Err(state.failed(id, error))),
        }
    }

    /// Waits until the peer has taken all that was written, and its end; how many bytes.
    pub(super) async fn done(&self, id: StreamId) -> Result<u64, StreamError> {
        poll_fn(|context| {
            let mut state = self.lock();
            match state.mux.is_done(id) {
                Ok(true) => Poll::Ready(Ok(state.mux.progress(id).acknowledged)),
                Ok(false) => state.wait_to_write(id, context),
                Err(error) => Poll::Ready(Err(state.failed(id, error))),
            }
        })
        .await
    }

    fn with<T>(&self, act: impl FnOnce(&mut Multiplexer) -> T) -> T {
        let mut state = self.lock();
        let acted = act(&mut state.mux);
        self.tell_line(&state);
        acted
    }

    fn tell_line(&self, state: &State) {
        if state.mux.has_frame() {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn unsent(&self, id: StreamId) -> u64 {
        let progress = self.mux.progress(id);
        progress.written - progress.sent
    }

    fn wait_to_write<T>(&mut self, id: StreamId, context: &mut Context<'_>) -> Poll<T> {
        self.waiting.entry(id).or_default().writer = Some(context.waker().clone());
        Poll::Pending
    }

    fn failed(
        &self,
        id: StreamId,
        error: meshwork_protocols::live::stream::StreamError,
    ) -> StreamError {
        StreamError::from_end(error, self.mux.progress(id).acknowledged)
    }
}

impl Waiting {
    fn wake(self) {
        self.reader.into_iter().chain(self.writer).for_each(Waker::wake);
    }
}

impl fmt::Debug for Muxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Muxed").finish_non_exhaustive()
    }
}

/// How little may be left to send before who writes is woken: half of what may wait.
const WORTH_WAKING: u64 = MAX_UNSENT as u64 / 2;
