//! Tells watchers what happens.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use meshwork_protocols::live::SessionError;
use meshwork_protocols::time::Timestamp;
use tokio::sync::broadcast;

use crate::agent::Event;

/// How many events a watcher may be behind. Each is about 200 bytes, kept once for all watchers.
const BEHIND: usize = 4_096;

/// How often it is told that somebody did not prove itself: whoever wants can make it happen, and
/// must not drown what else is told.
const REJECTION_EVERY: Duration = Duration::from_secs(1);

/// Where events go: to everybody who watches, and to nobody where nobody does.
#[derive(Debug)]
pub(crate) struct Notices {
    /// What a later watcher must hear too, at most one of each kind.
    standing: Mutex<Vec<Event>>,
    /// Gone once the agent has stopped, which ends the watches.
    events: Mutex<Option<broadcast::Sender<Event>>>,
    rejections: Mutex<Rejections>,
}

/// Those who did not prove themselves and were not told of one by one.
#[derive(Debug, Default)]
struct Rejections {
    /// Monotonic time at which one was told of.
    told: Option<Duration>,
    /// How many there were since.
    more: u64,
}

impl Notices {
    pub(crate) fn new() -> Self {
        let (events, _) = broadcast::channel(BEHIND);
        let (standing, rejections) = (Mutex::default(), Mutex::default());
        Self { standing, events: Mutex::new(Some(events)), rejections }
    }

    /// Tells it.
    pub(crate) fn tell(&self, event: Event) {
        if let Some(events) = &*lock(&self.events) {
            // No watcher is no error.
            let _ = events.send(event);
        }
    }

    /// Tells it, and to each later watcher first of all.
    pub(crate) fn tell_everybody(&self, event: Event) {
        let mut standing = lock(&self.standing);
        standing.retain(|other| std::mem::discriminant(other) != std::mem::discriminant(&event));
        standing.push(event);
        self.tell(event);
    }

    /// Tells of somebody who did not prove itself, unless one was told of lately.
    pub(crate) fn tell_of_rejection(&self, from: SocketAddr, why: SessionError, now: Timestamp) {
        let mut rejections = lock(&self.rejections);
        if rejections.told.is_some_and(|told| now.monotonic < told + REJECTION_EVERY) {
            rejections.more += 1;
            return;
        }
        let more = std::mem::take(&mut rejections.more);
        rejections.told = Some(now.monotonic);
        self.tell(Event::Rejected { from, why, more });
    }

    /// What stands, and what happens from now on.
    pub(crate) fn subscribe(&self) -> (VecDeque<Event>, broadcast::Receiver<Event>) {
        // Under one lock, so that nothing is heard twice or not at all.
        let standing = lock(&self.standing);
        let receiver = match &*lock(&self.events) {
            Some(events) => events.subscribe(),
            None => broadcast::channel(1).1,
        };
        (standing.iter().copied().collect(), receiver)
    }

    /// Ends all watches, behind what was told.
    pub(crate) fn end(&self) {
        lock(&self.events).take();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
