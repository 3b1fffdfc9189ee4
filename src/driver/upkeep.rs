//! What time asks of an agent beside its messages: the witness, the session keys, the card.

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::Validity;
use meshwork_router::Input;
use meshwork_state::{AcceptError, SESSION_KEY_LIFETIME, State, StoreError};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use super::Driver;
use crate::agent::Event;
use crate::own::Rotation;

/// How far the witness may lag behind a commit, before the time it takes to write it: half of the
/// second that is promised.
const WITNESS_AFTER: Duration = Duration::from_millis(500);

/// How often keys and card are looked at; neither is due more often than daily.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// What is due when.
#[derive(Debug)]
pub(super) struct Upkeep {
    witness: Option<Instant>,
    look: Instant,
    /// The witness while it is written.
    writing: Option<JoinHandle<()>>,
}

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    Witness,
    Look,
}

impl Upkeep {
    pub(super) fn new() -> Self {
        // The first look is at once: the agent may have been away for long.
        Self { witness: None, look: Instant::now(), writing: None }
    }

    /// The witness lags behind from now on.
    pub(super) fn committed(&mut self) {
        self.witness.get_or_insert_with(|| Instant::now() + WITNESS_AFTER);
    }

    /// Waits until something is due. Dropping the future loses nothing.
    pub(super) async fn due(&mut self) -> Due {
        let at = self.witness.map_or(self.look, |witness| witness.min(self.look));
        sleep_until(at).await;
        if self.witness.is_some_and(|witness| witness <= Instant::now()) {
            Due::Witness
        } else {
            Due::Look
        }
    }

    /// Waits until nothing is written.
    pub(super) async fn rest(&mut self) {
        if let Some(writing) = self.writing.take() {
            // One that panicked wrote nothing: the witness lags.
            let _ = writing.await;
        }
    }
}

impl Driver {
    /// Begins: what a restored state asks for is durable before it is taken for this agent's.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        let Some(evidence) = self.shared.restored else { return Ok(()) };
        tracing::warn!(%evidence, "the state was put back from a copy");
        self.make_durable().await?;
        let vault = Arc::clone(&self.shared.vault);
        let accepted = spawn_blocking(move || vault.with(State::accept_restore)).await;
        match accepted.unwrap_or(Err(AcceptError::Store(StoreError::Poisoned))) {
            Err(AcceptError::Store(error)) => return Err(error),
            // The next start reports the restore once more.
            Err(AcceptError::Witness(error)) => {
                self.shared.notices.tell_everybody(Event::WitnessFailed(error));
            }
            _ => {}
        }
        Ok(())
    }

    /// Does what is due.
    pub(super) async fn keep_up(&mut self, due: Due) {
        match due {
            Due::Witness => self.write_witness(),
            Due::Look => {
                self.upkeep.look = Instant::now() + LOOK_EVERY;
                self.look_at_card();
                self.look_at_session_key().await;
            }
        }
    }

    fn write_witness(&mut self) {
        if self.upkeep.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            // A disk that is slow now: once more a little later.
            self.upkeep.witness = Some(Instant::now() + WITNESS_AFTER);
            return;
        }
        self.upkeep.witness = None;
        let shared = Arc::clone(&self.shared);
        self.upkeep.writing = Some(spawn_blocking(move || {
            let now = shared.clock.now();
            let written = shared.vault.with(|state| {
                // A restored state that was not accepted is not testified to.
                state.write_witness(now).map_err(AcceptError::Witness)
            });
            if let Err(AcceptError::Witness(error)) = written {
                tracing::warn!(%error, "the witness was not written");
                shared.notices.tell(Event::WitnessFailed(error));
            }
        }));
    }

    /// Replaces the key of stored sessions once a day. The router is not asked meanwhile, so that
    /// nothing waits for the store on a thread of the runtime.
    async fn look_at_session_key(&mut self) {
        let (vault, now) = (Arc::clone(&self.shared.vault), self.shared.clock.now().wall);
        let rotated = spawn_blocking(move || {
            vault.with(|state| {
                if state.session_key_age(now)? < SESSION_KEY_LIFETIME {
                    return Ok(());
                }
                state.rotate_session_key(now)
            })
        });
        if let Err(error) = rotated.await.unwrap_or(Err(StoreError::Poisoned)) {
            self.commits.store_failed();
            self.recovery.commit_failed(error);
        }
    }

    /// Signs a new card where one is due and the root is here, and says so where it is not.
    fn look_at_card(&mut self) {
        let now = self.shared.clock.now().wall;
        if !self.own.wants_card(&self.presence, now) || self.next_card.is_some() {
            return;
        }
        match self.own.next_card(&self.presence, Rotation::WhenDue, now) {
            Ok(Some(next)) => {
                self.commits.gather_own(next.batch.clone());
                self.next_card = Some(next);
            }
            Ok(None) => {
                let Validity { not_after, .. } = self.own.card().validity();
                self.shared.notices.tell_everybody(Event::RootWanted { until: not_after });
            }
            Err(error) => tracing::error!(%error, "no new card could be made"),
        }
    }

    /// The card that was signed is durable: it is used from now on.
    pub(super) fn adopt_card(&mut self) {
        if let Some(next) = self.next_card.take() {
            self.own.adopt(next);
            self.show_card();
        }
    }

    /// Opens new sessions with the card that the agent has.
    pub(super) fn show_card(&mut self) {
        let shown = self.shared.identity.local().card().sequence();
        let sequence = self.own.card().sequence();
        if shown == sequence {
            return;
        }
        match self.own.local() {
            Ok(local) => {
                let card = Arc::clone(local.card());
                self.router.handle(self.shared.clock.now(), Input::CardRenewed(card));
                self.shared.identity.replace(local);
                self.fetch_mail();
                self.shared.notices.tell(Event::CardRenewed(sequence));
            }
            Err(error) => tracing::error!(%error, "the new card cannot be used"),
        }
    }
}
