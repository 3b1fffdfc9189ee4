//! Live sessions over the virtual network's streams: what a driver does between a socket and a
//! sans-IO session.

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::Transport;
use meshwork_protocols::live::{Dial, Directory, PeerInfo, Role, SessionEvent, TcpSession};
use meshwork_protocols::time::Timestamp;
use meshwork_protocols::wire::MAX_FRAME;
use meshwork_router::{PathId, PathKind};

use super::Crash;
use super::process::{Process, Search, Way};
use super::surroundings::Surroundings;
use crate::network::{Host, StreamId};

/// A stream and what runs over it.
#[derive(Debug)]
pub(super) struct TcpLink {
    /// There is none while the stream is being opened.
    session: Option<TcpSession>,
    /// Whom we dialled, if we did.
    dialled: Option<Search>,
    /// The path, once the session stands.
    path: Option<PathId>,
}

impl TcpLink {
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        Some(self.session.as_ref()?.next_timeout()?.monotonic)
    }
}

impl Process {
    /// Opens a stream to `host`, for a session that is looked for.
    pub(super) fn call(&mut self, around: &mut Surroundings<'_>, host: Host, search: Search) {
        let stream = around.network.call(around.host, host, around.queue);
        let link = TcpLink { session: None, dialled: Some(search), path: None };
        self.links.insert(stream, link);
    }

    /// Somebody opened a stream to us.
    pub(super) fn called(&mut self, around: &mut Surroundings<'_>, stream: StreamId) {
        let Some(agent) = around.mesh.agent(around.host) else { return };
        let random = Box::new(self.fork_random("accept"));
        let session = TcpSession::accept(
            Arc::clone(&agent.local),
            self.directory(),
            around.read_clock(),
            random,
        );
        let link = TcpLink { session: Some(session), dialled: None, path: None };
        self.links.insert(stream, link);
    }

    /// The stream that we opened stands: the handshake begins.
    pub(super) fn answered(
        &mut self,
        around: &mut Surroundings<'_>,
        stream: StreamId,
    ) -> Result<(), Crash> {
        let Some((peer, _)) = self.links.get(&stream).and_then(|link| link.dialled) else {
            return Ok(());
        };
        let host = around.mesh.host(&peer);
        let card = host.and_then(|host| around.mesh.agent(host)).map(|agent| agent.card());
        let (Some(agent), Some(card)) = (around.mesh.agent(around.host), card) else {
            return Ok(());
        };
        let random = Box::new(self.fork_random("dial"));
        let session = TcpSession::initiate(
            Arc::clone(&agent.local),
            self.directory(),
            Dial::Session(Arc::clone(card)),
            around.read_clock(),
            random,
        );
        match session {
            Ok(session) => {
                if let Some(link) = self.links.get_mut(&stream) {
                    link.session = Some(session);
                }
                self.flush(around, stream);
                Ok(())
            }
            Err(_) => self.drop_stream(around, stream),
        }
    }

    /// Bytes came over a stream.
    pub(super) fn stream_bytes(
        &mut self,
        around: &mut Surroundings<'_>,
        stream: StreamId,
        bytes: &[u8],
    ) -> Result<(), Crash> {
        let now = around.read_clock();
        let Some(session) = self.links.get_mut(&stream).and_then(|link| link.session.as_mut())
        else {
            return Ok(());
        };
        let broken = session.receive(now, bytes).is_err();
        let events: Vec<_> = std::iter::from_fn(|| session.poll()).collect();
        self.flush(around, stream);
        for event in events {
            self.session_event(around, stream, event)?;
        }
        self.flush(around, stream);
        if broken { self.drop_stream(around, stream) } else { Ok(()) }
    }

    /// The stream is gone.
    pub(super) fn stream_ended(
        &mut self,
        around: &mut Surroundings<'_>,
        stream: StreamId,
    ) -> Result<(), Crash> {
        if let Some(session) = self.links.get_mut(&stream).and_then(|link| link.session.as_mut()) {
            // Truncated or not, what is to be done is the same here.
            let _ = session.receive_end();
        }
        self.drop_stream(around, stream)
    }

    /// Seals a frame and writes it.
    pub(super) fn send_on_stream(
        &mut self,
        around: &mut Surroundings<'_>,
        stream: StreamId,
        frame: &[u8],
    ) {
        if let Some(session) = self.links.get_mut(&stream).and_then(|link| link.session.as_mut()) {
            // What a session does not take, the router sends again.
            let _ = session.send(frame);
        }
        self.flush(around, stream);
    }

    /// Ends a session in good order.
    pub(super) fn end_stream(&mut self, around: &mut Surroundings<'_>, stream: StreamId) {
        if let Some(session) = self.links.get_mut(&stream).and_then(|link| link.session.as_mut()) {
            session.close();
        }
        self.flush(around, stream);
        self.links.remove(&stream);
        around.network.hang_up(around.host, stream, around.queue);
    }

    /// Sessions that were not accepted in time end.
    pub(super) fn links_timeout(
        &mut self,
        around: &mut Surroundings<'_>,
        now: Timestamp,
    ) -> Result<(), Crash> {
        let mut late = Vec::new();
        for (stream, link) in &mut self.links {
            if let Some(session) = &mut link.session
                && session.handle_timeout(now).is_err()
            {
                late.push(*stream);
            }
        }
        late.into_iter().try_for_each(|stream| self.drop_stream(around, stream))
    }

    fn session_event(
        &mut self,
        around: &mut Surroundings<'_>,
        stream: StreamId,
        event: SessionEvent,
    ) -> Result<(), Crash> {
        match event {
            SessionEvent::Established(peer) => self.established(around, stream, *peer),
            SessionEvent::Frame(frame) => {
                // The router may have closed the path at an earlier frame of the same bytes.
                match self.links.get(&stream).and_then(|link| link.path) {
                    Some(path) => self.received(around, path, &frame),
                    None => Ok(()),
                }
            }
            SessionEvent::CardWanted => {
                let dialled = self.links.get(&stream).and_then(|link| link.dialled);
                if let Some(search) = dialled
                    && let Some(host) = around.mesh.host(&search.0)
                {
                    self.book.set_holder(search.0, false);
                    self.forget_stream(around, stream);
                    self.call(around, host, search);
                }
                Ok(())
            }
            _ => self.drop_stream(around, stream),
        }
    }

    fn established(
        &mut self,
        around: &mut Surroundings<'_>,
        stream: StreamId,
        peer: PeerInfo,
    ) -> Result<(), Crash> {
        let ours = around.mesh.agent(around.host).map(|agent| agent.card().sequence());
        self.book.learn(Arc::clone(&peer.card));
        self.book.set_holder(peer.agent, Some(peer.used) == ours);
        self.dial_ended(peer.agent, Transport::Tcp);
        let kind = PathKind::Live {
            transport: Transport::Tcp,
            largest_frame: MAX_FRAME,
            initiated: peer.role == Role::Initiator,
            posture: peer.posture,
            card: peer.card,
            lineage: peer.lineage,
            remembered: peer.remembered,
        };
        let path = self.next_path();
        if let Some(link) = self.links.get_mut(&stream) {
            link.path = Some(path);
        }
        self.open_path(around, path, Way::Stream(stream), (peer.agent, kind))
    }

    /// The stream is of no more use: the router hears of it.
    fn drop_stream(
        &mut self,
        around: &mut Surroundings<'_>,
        stream: StreamId,
    ) -> Result<(), Crash> {
        let Some(link) = self.forget_stream(around, stream) else { return Ok(()) };
        match (link.path, link.dialled) {
            (Some(path), _) => self.close_path(around, path),
            (None, Some(search)) => self.dial_failed(around, search),
            (None, None) => Ok(()),
        }
    }

    fn forget_stream(
        &mut self,
        around: &mut Surroundings<'_>,
        stream: StreamId,
    ) -> Option<TcpLink> {
        self.flush(around, stream);
        let link = self.links.remove(&stream)?;
        around.network.hang_up(around.host, stream, around.queue);
        Some(link)
    }

    fn flush(&mut self, around: &mut Surroundings<'_>, stream: StreamId) {
        let Some(session) = self.links.get_mut(&stream).and_then(|link| link.session.as_mut())
        else {
            return;
        };
        let mut bytes = Vec::new();
        session.take_transmit(&mut bytes);
        if !bytes.is_empty() {
            around.trace.bytes(&bytes);
            around.network.write(around.host, stream, bytes, around.queue);
        }
    }

    fn directory(&self) -> Arc<dyn Directory> {
        Arc::<super::book::Book>::clone(&self.book)
    }
}
