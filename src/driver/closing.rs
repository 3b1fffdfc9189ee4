//! The end of a driver.

use std::sync::Arc;

use meshwork_state::{State, StoreError};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::carrier::FAREWELL;
use super::happening::Happening;
use super::{Driver, turn::End};
use crate::agent::{CloseError, Event};

impl Driver {
    /// Ends as it has to.
    pub(super) async fn end(mut self, end: End) {
        self.shared.streams.close();
        match end {
            End::Asked(answer) => {
                let closed = self.close().await;
                self.shared.notices.end();
                self.shared.datagrams.end();
                // Whoever asked may have gone meanwhile.
                let _ = answer.send(closed);
            }
            End::Dropped => self.abandon().await,
            End::Store(error) => {
                tracing::error!(%error, "the agent stops: its store is lost");
                self.shared.notices.tell(Event::Stopped(error));
                self.abandon().await;
            }
        }
    }

    /// Makes what gathered durable, and lets out what waited for it.
    pub(super) async fn make_durable(&mut self) -> Result<(), StoreError> {
        loop {
            self.commits.start();
            if self.commits.is_idle() {
                return Ok(());
            }
            let finished = self.commits.finished().await;
            let ended = self.committed(&finished);
            self.carry_out();
            ended?;
        }
    }

    async fn close(&mut self) -> Result<(), CloseError> {
        // 1. Nothing new: no orders, no connections.
        self.orders.close();
        self.shared.services.clear();
        self.close_lines.send_replace(true);
        // 2. What was taken on is durable, and its answers and receipts are on their way.
        let durable = self.make_durable().await;
        // 3. So is what was to be left with relays.
        self.end_errands().await;
        // 4. Sessions end behind what they still have to say.
        self.end_sessions().await;
        self.upkeep.rest().await;
        // 5. The state.
        let (vault, now) = (Arc::clone(&self.shared.vault), self.shared.clock.now().wall);
        let closed = spawn_blocking(move || {
            let state = vault.give_up().ok_or(StoreError::Poisoned)?;
            let rotated = state.rotate_session_key(now);
            state.close()?;
            Ok(rotated?)
        });
        let closed = closed.await.unwrap_or(Err(CloseError::Store(StoreError::Poisoned)));
        durable.map_err(CloseError::from).and(closed)
    }

    async fn end_errands(&mut self) {
        let mut running = self.relays.end();
        let deadline = Instant::now() + FAREWELL;
        while !running.is_empty() {
            let ended = timeout_at(deadline, async {
                tokio::select! {
                    _ = running.join_next() => {}
                    Some(happening) = self.happenings.recv() => self.note_at_the_end(happening),
                }
            });
            if ended.await.is_err() {
                break;
            }
        }
    }

    /// An errand goes on over the session that is opened for it. What else came of one is asked for
    /// again at the next start.
    fn note_at_the_end(&mut self, happening: Happening) {
        if let Happening::Opened { .. } | Happening::Closed { .. } = happening {
            self.note(happening);
        }
    }

    async fn end_sessions(&mut self) {
        for session in self.paths.values() {
            session.outbound.end();
        }
        let deadline = Instant::now() + FAREWELL;
        while !self.tasks.is_empty() {
            let ended = timeout_at(deadline, async {
                tokio::select! {
                    _ = self.tasks.join_next() => {}
                    // What still comes in comes again: nobody was told that it arrived.
                    Some(_) = self.happenings.recv() => {}
                }
            });
            if ended.await.is_err() {
                break;
            }
        }
        self.tasks.shutdown().await;
        self.shared.sockets.rest().await;
    }

    /// Leaves everything as it is, as a crash does, but for the lock on the state.
    async fn abandon(&mut self) {
        self.tasks.shutdown().await;
        self.upkeep.rest().await;
        let vault = Arc::clone(&self.shared.vault);
        let given_up = spawn_blocking(move || drop::<Option<State>>(vault.give_up()));
        // A runtime that shuts down gives it up with everything else.
        let _ = given_up.await;
        self.shared.notices.end();
        self.shared.datagrams.end();
        self.shared.services.clear();
    }
}
