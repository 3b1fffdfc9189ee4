//! A session that stands, carried until it is over: what waits for it goes out in its order, and
//! each frame that comes in goes to whom it is for.

use std::future;
use std::pin::Pin;
use std::sync::Arc;

use meshwork_protocols::live::{
    Local, PeerInfo, Role, SendError, SessionError, SessionEvent, Traffic, datagram,
};
use meshwork_protocols::time::Timestamp;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::carrier::{Carrier, CarrierError, step_aside};
use super::happening::Happening;
use super::lines::Lines;
use super::outbound::Lane;
use super::session::Session;
use crate::agent::Tally;
use crate::streams::{SessionStreams, Stream, take_native};

/// Frames on their way to the driver.
type Handing = Pin<Box<dyn Future<Output = Option<()>> + Send>>;

/// How much room streams leave: what they seal ahead stands in front of every later frame, so it is
/// a fourth of what may be sealed, and enough for one write.
const LEFT_TO_OTHERS: usize = 192 << 10;

/// A session that stands.
pub(crate) struct Line {
    lines: Lines,
    carrier: Carrier,
    session: Arc<Session>,
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
        let path = lines.next_path();
        let tally = shared.dealings.opened(peer.agent);
        let session = Arc::new(Session::new(&peer, path, &carrier, tally));
        lines.tell(Happening::Opened { session: Arc::clone(&session), peer }).await;
        let line = Self { lines: lines.clone(), carrier, session, handing: None };
        let why = line.run().await.err().map(SessionError::from);
        lines.tell(Happening::Closed { path, why }).await;
    }

    async fn run(mut self) -> Result<(), CarrierError> {
        let _ends = Ends { session: Arc::clone(&self.session), lines: self.lines.clone() };
        // Dropped with the line.
        let mut native = JoinSet::new();
        native.spawn(take_native(Arc::clone(&self.lines.shared), Arc::clone(&self.session)));
        loop {
            self.seal()?;
            if self.session.outbound.is_cut() {
                return Ok(());
            }
            if self.session.outbound.is_at_end() {
                self.carrier.end().await;
                return Ok(());
            }
            let Self { lines, carrier, session, handing } = &mut self;
            let may_read = handing.is_none();
            let next = tokio::select! {
                moved = carrier.progress(may_read) => self.moved(moved).await?,
                taken = taken(handing) => {
                    self.handing = None;
                    // Without a driver it is over.
                    if taken.is_some() { Next::Goes } else { Next::Ends }
                }
                () = session.outbound.changed() => Next::Goes,
                () = session.streams_changed() => Next::Goes,
                () = timeout(lines, session.calls_timeout()) => {
                    session.calls_tick(&lines.shared);
                    Next::Goes
                }
            };
            if matches!(next, Next::Ends) {
                return Ok(());
            }
            self.tell_of_use().await;
        }
    }

    /// Seals as much of what waits as the carrier takes soon.
    fn seal(&mut self) -> Result<(), CarrierError> {
        let now = self.lines.shared.clock.now();
        loop {
            self.session.stage_calls(now);
            self.stage_streams();
            let Some(frame) = self.session.outbound.pop(self.carrier.room()) else { break };
            self.session.tally.sent(frame.len());
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
        let (mut frames, mut closed, mut stirs) = (Vec::new(), false, false);
        while let Some(event) = self.carrier.poll() {
            match event {
                SessionEvent::Frame(frame) => stirs |= self.sort(frame, &mut frames)?,
                SessionEvent::Renewed(peer) => self.renewed(peer).await,
                _ => closed = true,
            }
        }
        if !frames.is_empty() {
            self.finish_handing().await;
            self.handing = Some(Box::pin(self.lines.clone().hand_over(self.session.path, frames)));
        }
        // What came before the end is as good as ever.
        if closed || moved.is_err() {
            self.finish_handing().await;
        }
        if stirs {
            step_aside().await;
        }
        moved.map(|()| if closed { Next::Ends } else { Next::Goes })
    }

    /// A new handshake counts as one, and what its Hello said too.
    async fn renewed(&mut self, peer: Box<PeerInfo>) {
        let (shared, path) = (&self.lines.shared, self.session.path);
        self.session.tally.shook_hands();
        shared.peers.keep(&peer.card);
        let ours = shared.identity.local();
        if peer.used == ours.card().sequence() {
            shared.peers.holds(peer.agent, ours.card().hash());
        }
        self.lines.tell(Happening::Renewed { path, peer }).await;
    }

    /// Gives a frame to whom it is for, and says whether they wait to go on with it; what the router
    /// gets is gathered.
    fn sort(
        &mut self,
        frame: Vec<u8>,
        for_router: &mut Vec<Vec<u8>>,
    ) -> Result<bool, SessionError> {
        self.session.tally.received(frame.len());
        let traffic = Traffic::of(&frame);
        let is_heard = || self.lines.shared.peers.is_heard(&self.session.peer);
        match traffic {
            Traffic::Router => for_router.push(frame),
            // A relay that we call answers, and may ask nothing; a stranger asks what is open to it.
            Traffic::Call
                if is_heard()
                    || self.lines.shared.relays.is_used(&self.session.peer)
                    || self.hears_strangers() =>
            {
                return Ok(self.session.receive_call(&self.lines.shared, &frame)?);
            }
            Traffic::Datagram if is_heard() => {
                let datagram = datagram::decode(&frame).ok_or(SessionError::Datagram)?;
                self.lines.shared.datagrams.put(self.session.peer, datagram);
            }
            Traffic::Stream => self.take_stream_frame(frame, is_heard())?,
            Traffic::Call | Traffic::Datagram => {}
        }
        Ok(false)
    }

    /// Whether the peer, known or not, may call what is open to all.
    fn hears_strangers(&self) -> bool {
        let shared = &self.lines.shared;
        shared.services.are_open() && !shared.peers.is_blocked(&self.session.peer)
    }

    /// Lets streams stand in their lane with one frame, where the carrier has room for it and for
    /// what comes meanwhile.
    fn stage_streams(&self) {
        let Session { streams: Some(SessionStreams::Muxed(streams)), outbound, .. } =
            &*self.session
        else {
            return;
        };
        if self.carrier.room() >= LEFT_TO_OTHERS
            && outbound.lacks(Lane::Streams)
            && let Some(frame) = streams.next_frame()
        {
            // A session that ends takes none.
            let _ = outbound.push(Lane::Streams, vec![frame]);
        }
    }

    /// What is passed over of a stranger's streams is missing from them: once it is known, the
    /// session is of no use to them, and the next one is.
    fn take_stream_frame(&self, frame: Vec<u8>, is_heard: bool) -> Result<(), SessionError> {
        let Some(SessionStreams::Muxed(streams)) = &self.session.streams else { return Ok(()) };
        if !is_heard {
            streams.pass_over();
        } else if streams.is_deaf() {
            self.session.outbound.end();
        } else if let Some((id, name)) = streams.receive(frame)? {
            let stream = Stream::muxed(Arc::clone(streams), id, name, self.session.peer);
            self.lines.shared.streams.offer(stream);
        }
        Ok(())
    }

    async fn finish_handing(&mut self) {
        if let Some(handing) = self.handing.take() {
            handing.await;
        }
    }

    /// Lets the driver know that the session is worth keeping.
    async fn tell_of_use(&mut self) {
        if self.session.wants_telling(self.lines.shared.clock.now()) {
            self.lines.tell(Happening::Used(self.session.path)).await;
        }
    }
}

/// Ends the calls and streams of a session with its line, however that ends.
struct Ends {
    session: Arc<Session>,
    lines: Lines,
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.session.end_calls(&self.lines.shared);
        if let Some(streams) = &self.session.streams {
            streams.end();
        }
    }
}

async fn taken(handing: &mut Option<Handing>) -> Option<()> {
    match handing {
        Some(handing) => handing.await,
        None => future::pending().await,
    }
}

async fn timeout(lines: &Lines, at: Option<Timestamp>) {
    match at {
        Some(at) => sleep_until(lines.shared.clock.instant(at)).await,
        None => future::pending().await,
    }
}
