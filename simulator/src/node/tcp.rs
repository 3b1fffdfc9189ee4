//! Live sessions over the virtual network's streams: what a driver does between a socket and a
//! sans-IO session.

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::live::{Dial, Directory, TcpSession};
use meshwork_protocols::time::Timestamp;

use super::Crash;
use super::process::{Process, Way};
use super::surroundings::Surroundings;
use crate::network::{Host, StreamId};

/// A stream and what runs over it.
#[derive(Debug)]
pub(super) struct TcpLink {
    /// There is none while the stream is being opened.
    session: Option<TcpSession>,
}

impl TcpLink {
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        Some(self.session.as_ref()?.next_timeout()?.monotonic)
    }
}

impl Process {
    /// Opens a stream to `host`.
    pub(super) fn call(&mut self, around: &mut Surroundings<'_>, host: Host) -> Way {
        let stream = around.network.call(around.host, host, around.queue);
        self.links.insert(stream, TcpLink { session: None });
        Way::Stream(stream)
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
        self.links.insert(stream, TcpLink { session: Some(session) });
    }

    /// The stream that we opened stands: the handshake begins.
    pub(super) fn answered(
        &mut self,
        around: &mut Surroundings<'_>,
        stream: StreamId,
    ) -> Result<(), Crash> {
        let Some((peer, _)) = self.dialled.get(&Way::Stream(stream)).copied() else {
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
            Err(_) => self.way_ended(around, Way::Stream(stream)),
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
            self.session_event(around, Way::Stream(stream), event)?;
        }
        self.flush(around, stream);
        if broken { self.way_ended(around, Way::Stream(stream)) } else { Ok(()) }
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
        self.way_ended(around, Way::Stream(stream))
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
        late.into_iter().try_for_each(|stream| self.way_ended(around, Way::Stream(stream)))
    }

    /// The stream is of no more use.
    pub(super) fn forget_stream(&mut self, around: &mut Surroundings<'_>, stream: StreamId) {
        self.flush(around, stream);
        if self.links.remove(&stream).is_some() {
            around.network.hang_up(around.host, stream, around.queue);
        }
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
