//! What follows where the store fails: it is opened again from its last valid root, and the router
//! goes back to what is durable. Where it does not open, or stays unreadable, the agent stops.

use std::sync::Arc;
use std::time::Duration;

use meshwork_state::StoreError;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Driver;
use crate::agent::Event;

/// The first wait before the store is opened again; it doubles with each failure in a row, so that
/// a full disk is not tried in a loop.
const FIRST_WAIT: Duration = Duration::from_millis(20);

/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often in a row rows may be unreadable before the agent stops: opening again did not help.
const UNREADABLE: u32 = 3;

/// What failed, and how often in a row.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    failure: Option<StoreError>,
    in_a_row: u32,
    unreadable: u32,
}

impl Recovery {
    /// A commit failed.
    pub(super) fn commit_failed(&mut self, error: StoreError) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.failure = Some(error);
    }

    /// A row could not be read.
    pub(super) fn read_failed(&mut self, error: StoreError) {
        self.unreadable += 1;
        self.commit_failed(error);
    }

    /// A commit succeeded.
    pub(super) fn succeeded(&mut self) {
        self.in_a_row = 0;
        self.unreadable = 0;
    }

    fn wait(&self) -> Duration {
        let doublings = self.in_a_row.saturating_sub(1).min(16);
        FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
    }
}

impl Driver {
    /// Goes back to what is durable, if anything failed. An error means that the agent cannot go
    /// on.
    pub(super) async fn recover(&mut self) -> Result<(), StoreError> {
        while let Some(error) = self.recovery.failure {
            tracing::error!(%error, "the store failed");
            if self.recovery.unreadable > UNREADABLE {
                return Err(error);
            }
            // 1. What is on its way comes to its end, and is durable or not.
            if !self.commits.is_idle() {
                let finished = self.commits.finished().await;
                let _ = self.committed(&finished);
            }
            let Some(error) = self.recovery.failure.take() else { break };
            // 2. What gathered behind it is lost.
            self.next_card = None;
            sleep(self.recovery.wait()).await;
            // 3. The store, from its last valid root, and what is a copy of it in memory.
            self.reopen().await?;
            if let Some(told) = self.commits.reopened() {
                self.router.handle(self.shared.clock.now(), told);
            }
            self.shared.notices.tell(Event::StoreRecovered(error));
            self.carry_out();
        }
        Ok(())
    }

    async fn reopen(&mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let reopened = spawn_blocking(move || {
            shared.vault.with(|state| state.reopen())?;
            shared.peers.reload()
        });
        reopened.await.unwrap_or(Err(StoreError::Poisoned))?;
        // A card whose commit failed may be there all the same, and its number is used.
        let now = self.shared.clock.now().wall;
        if self.own.refresh(&*self.shared.vault, now).is_ok() {
            self.show_card();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
