//! Where the streams that peers open meet those who take them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshwork_protocols::identity::ServiceName;
use meshwork_protocols::live::stream::{MAX_UNACCEPTED, StreamCode};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::{Stream, Streams, TakeStreamsError};

/// How many streams of one name may wait to be taken, of all peers: two sessions' worth. Who takes
/// them slower than they come is behind, and their openers are told so.
const WAITING: usize = 2 * MAX_UNACCEPTED;

/// Who takes the streams of which name.
#[derive(Debug, Default)]
pub(crate) struct StreamDesk {
    takers: Mutex<HashMap<ServiceName, mpsc::Sender<Stream>>>,
}

impl StreamDesk {
    /// Takes the streams of a name from now on.
    pub(crate) fn take(self: &Arc<Self>, name: &str) -> Result<Streams, TakeStreamsError> {
        let name: ServiceName = name.parse()?;
        let mut takers = lock(&self.takers);
        if takers.contains_key(&name) {
            return Err(TakeStreamsError::NameTaken);
        }
        let (came, coming) = mpsc::channel(WAITING);
        takers.insert(name.clone(), came);
        drop(takers);
        Ok(Streams::new(name, coming, Arc::clone(self)))
    }

    pub(super) fn leave(&self, name: &ServiceName) {
        lock(&self.takers).remove(name);
    }

    /// The agent has stopped: no more streams come.
    pub(crate) fn close(&self) {
        lock(&self.takers).clear();
    }

    /// Gives a stream that a known peer opened to who takes its name, or tells the peer why nobody
    /// does.
    pub(crate) fn offer(&self, stream: Stream) {
        let taker = lock(&self.takers).get(&stream.name).cloned();
        let Some(taker) = taker else { return Self::refuse_unknown(stream) };
        match taker.try_send(stream) {
            Ok(()) => {}
            Err(TrySendError::Full(stream)) => stream.abandon(StreamCode::BUSY),
            Err(TrySendError::Closed(stream)) => Self::refuse_unknown(stream),
        }
    }

    pub(super) fn refuse_unknown(stream: Stream) {
        stream.abandon(StreamCode::NAME_UNKNOWN);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
