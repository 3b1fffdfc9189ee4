//! A session that stands, carried until it is over: what waits for it goes out in its order, and
//! each frame that comes in goes to whom it is for.

use std::future;
use std::pin::Pin;
use std::sync::Arc;

use meshwork_protocols::live::{
    Local, PeerInfo, Role, SendError, SessionError, SessionEvent, Traffic,
};
use meshwork_router::PathId;

use super::carrier::{Carrier, CarrierError};
use super::happening::Happening;
use super::lines::Lines;
use super::outbound::Outbound;
use crate::agent::Tally;

/// Frames on their way to the driver.
type Handing = Pin<Box<dyn Future<Output = Option<()>> + Send>>;

/// A session that stands.
pub(crate) struct Line {
    lines: Lines,
    carrier: Carrier,
    path: PathId,
    outbound: Arc<Outbound>,
    /// What came in and is not yet taken; nothing more is read meanwhile.
    handing: Option<Handing>,
}

/// How a line goes on after something happened.
enum Next {
    Goes,
    Ends,
}

impl Line {
    /// Tells the driver of a session that was opened with `ours`, carries it, and tells its end.
    pub(crate) async fn carry(
        lines: Lines,
        carrier: Carrier,
        peer: Box<PeerInfo>,
        ours: Arc<Local>,
    ) {
        let shared = &lines.shared;
        Tally::count(&shared.tally.established);
        shared.peers.keep(&peer.card);
        // Who answered our Hello has our card, and so has who used it.
        if peer.role == Role::Initiator || peer.used == ours.card().sequence() {
            shared.peers.holds(peer.agent, ours.card().hash());
        }
        let (path, outbound) = (lines.next_path(), Arc::new(Outbound::default()));
        let carries = carrier.carries();
        let opened = Happening::Opened { path, peer, carries, outbound: Arc::clone(&outbound) };
        lines.tell(opened).await;
        let line = Self { lines: lines.clone(), carrier, path, outbound, handing: None };
        let why = line.run().await.err().map(SessionError::from);
        lines.tell(Happening::Closed { path, why }).await;
    }

    async fn run(mut self) -> Result<(), CarrierError> {
        loop {
            self.seal()?;
            if self.outbound.is_cut() {
                return Ok(());
            }
            if self.outbound.is_at_end() {
                self.carrier.end().await;
                return Ok(());
            }
            let Self { carrier, outbound, handing, .. } = &mut self;
            let may_read = handing.is_none();
            let next = tokio::select! {
                moved = carrier.progress(may_read) => self.moved(moved).await?,
                taken = taken(handing) => {
                    self.handing = None;
                    // Without a driver it is over.
                    if taken.is_some() { Next::Goes } else { Next::Ends }
                }
                () = outbound.changed() => Next::Goes,
            };
            if matches!(next, Next::Ends) {
                return Ok(());
            }
        }
    }

    /// Seals as much of what waits as the carrier takes soon.
    fn seal(&mut self) -> Result<(), CarrierError> {
        while let Some(frame) = self.outbound.pop(self.carrier.room()) {
            match self.carrier.send(&frame) {
                Ok(()) => {}
                Err(SendError::Record(error)) => return Err(SessionError::Record(error).into()),
                // The peer closed the session: its event is next.
                Err(_) => break,
            }
        }
        Ok(())
    }

    async fn moved(&mut self, moved: Result<(), CarrierError>) -> Result<Next, CarrierError> {
        let (mut frames, mut closed) = (Vec::new(), false);
        while let Some(event) = self.carrier.poll() {
            match event {
                SessionEvent::Frame(frame) => self.sort(frame, &mut frames),
                _ => closed = true,
            }
        }
        if !frames.is_empty() {
            self.finish_handing().await;
            self.handing = Some(Box::pin(self.lines.clone().hand_over(self.path, frames)));
        }
        // What came before the end is as good as ever.
        if closed || moved.is_err() {
            self.finish_handing().await;
        }
        moved.map(|()| if closed { Next::Ends } else { Next::Goes })
    }

    /// Gives a frame to whom it is for; what the router gets is gathered.
    fn sort(&mut self, frame: Vec<u8>, for_router: &mut Vec<Vec<u8>>) {
        match Traffic::of(&frame) {
            Traffic::Router => for_router.push(frame),
            // Nobody takes these yet.
            Traffic::Call | Traffic::Datagram | Traffic::Stream => {}
        }
    }

    async fn finish_handing(&mut self) {
        if let Some(handing) = self.handing.take() {
            handing.await;
        }
    }
}

async fn taken(handing: &mut Option<Handing>) -> Option<()> {
    match handing {
        Some(handing) => handing.await,
        None => future::pending().await,
    }
}
