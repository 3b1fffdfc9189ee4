//! Tells watchers what happens.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::agent::Event;

/// How many events a watcher may be behind. Each is about 200 bytes, kept once for all watchers.
const BEHIND: usize = 4_096;

/// Where events go: to everybody who watches, and to nobody where nobody does.
#[derive(Debug)]
pub(crate) struct Notices {
    /// What a later watcher must hear too, at most one of each kind.
    standing: Mutex<Vec<Event>>,
    /// Gone once the agent has stopped, which ends the watches.
    events: Mutex<Option<broadcast::Sender<Event>>>,
}

impl Notices {
    pub(crate) fn new() -> Self {
        let (events, _) = broadcast::channel(BEHIND);
        Self { standing: Mutex::default(), events: Mutex::new(Some(events)) }
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
