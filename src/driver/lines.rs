//! What every connection shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::live::SessionError;
use meshwork_protocols::live::exchange::ExchangeError;
use meshwork_protocols::live::hello::HelloError;
use meshwork_protocols::relay::Kept;
use meshwork_router::PathId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc, watch};

use super::Shared;
use super::gate::Gate;
use super::happening::Happening;

/// How many happenings may wait for the driver: what a hundred busy connections bring while it is
/// on its way around once. Connections wait, and so do their peers.
const HAPPENINGS: usize = 256;

/// The most bytes of frames that may wait for the driver, of all connections: thirty of the
/// largest. Connections are not read while this is used up.
const WAITING: usize = 32 << 20;

/// What a frame costs beside its bytes.
const PER_FRAME: usize = 64;

/// How many peers are looked for at once: each takes a socket for each of its addresses, and some
/// milliseconds of a processor where it answers.
const SEARCHES: usize = 64;

/// What every connection shares.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    pub(crate) shared: Arc<Shared>,
    pub(crate) gate: Arc<Gate>,
    happenings: mpsc::Sender<Happening>,
    room: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    next_path: Arc<AtomicU64>,
    closing: watch::Receiver<bool>,
}

impl Lines {
    /// The lines, what comes out of them, and how their end is said.
    pub(crate) fn new(
        shared: Arc<Shared>,
        gate: Gate,
    ) -> (Self, mpsc::Receiver<Happening>, watch::Sender<bool>) {
        let (happenings, happened) = mpsc::channel(HAPPENINGS);
        let (close, closing) = watch::channel(false);
        let lines = Self {
            shared,
            gate: Arc::new(gate),
            happenings,
            room: Arc::new(Semaphore::new(WAITING)),
            searches: Arc::new(Semaphore::new(SEARCHES)),
            next_path: Arc::default(),
            closing,
        };
        (lines, happened, close)
    }

    /// A name for a path, never given before.
    pub(crate) fn next_path(&self) -> PathId {
        PathId(self.next_path.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits for a turn to look for a peer.
    pub(crate) async fn turn_to_search(&self) -> Option<SemaphorePermit<'_>> {
        self.searches.acquire().await.ok()
    }

    /// Waits until the agent closes.
    pub(crate) async fn closing(&self) {
        // Without a driver it is over too.
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
    }

    /// Tells the driver; nothing where there is none any more.
    pub(crate) async fn tell(&self, happening: Happening) {
        let _ = self.happenings.send(happening).await;
    }

    /// Tells the driver where a session broke because of two cards of one number.
    pub(crate) async fn contradicted(&self, why: SessionError) {
        let SessionError::Exchange(ExchangeError::Hello(error)) = why else { return };
        if let HelloError::Equivocation { agent, sequence } = error {
            self.tell(Happening::Contradicted { agent, number: sequence }).await;
        }
    }

    /// Gives the driver a piece of mail, once there is room for it.
    pub(crate) async fn hand_over_mail(&self, relay: AgentId, kept: Kept) -> Option<()> {
        let room = self.room_for(kept.packet.len() + PER_FRAME).await?;
        self.happenings.send(Happening::Mail { relay, kept, _room: room }).await.ok()
    }

    async fn room_for(&self, cost: usize) -> Option<OwnedSemaphorePermit> {
        let cost = u32::try_from(cost.min(WAITING)).unwrap_or(u32::MAX);
        Arc::clone(&self.room).acquire_many_owned(cost).await.ok()
    }

    /// Gives the driver what came in, once there is room for it; `None` where there is no driver.
    pub(crate) async fn hand_over(self, path: PathId, frames: Vec<Vec<u8>>) -> Option<()> {
        let cost: usize = frames.iter().map(|frame| frame.len() + PER_FRAME).sum();
        let room = self.room_for(cost).await?;
        let happening = Happening::Frames { path, frames, _room: room };
        self.happenings.send(happening).await.ok()
    }
}
